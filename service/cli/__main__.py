"""``python -m service.cli`` is ``gridtrail``; child processes are started so, because a script may not be on the path."""

from service.cli import main

if __name__ == "__main__":
    main(prog_name="gridtrail")
