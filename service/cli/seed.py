"""``gridtrail seed``: the demo city with one week of work."""

from datetime import date, timedelta
from pathlib import Path

import click

from domain.clock import local_day, system_clock, utc_text
from service.cli.common import gridtrail
from service.config import Config
from service.fleet.run import summary_of
from service.seed.city import PASSWORD, cast_of, county_of
from service.seed.plant import plant

FOLDER = Path("var/tablets/seed")


@click.command("seed")
@click.option("--last-day", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the week that is told; yesterday, if not given.")
@click.option("--seed", default=1, show_default=True, help="The same number and last day tell the same week.")
@click.option(
    "--tablets", "folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="Folder of the tablets' outboxes."
)
def command(last_day: date | None, seed: int, folder: Path) -> None:
    """Plant a small city with a cast and one week of work. Logins and passwords are for demonstration. Again: keeps the data."""
    pieces = gridtrail()
    sow(pieces.config, folder, last_day, seed)
    click.echo(guide(pieces.config))


def sow(config: Config, folder: Path = FOLDER, last_day: date | None = None, seed: int = 1) -> None:
    """Plants the city unless it is planted, and says what was done."""
    yesterday = date.fromisoformat(local_day(utc_text(system_clock()), config.zone)) - timedelta(days=1)
    last = date.fromisoformat(last_day.isoformat()[:10]) if last_day else yesterday
    tally = plant(config, folder, last, seed, click.echo)
    if tally is None:
        click.echo("The demo city is planted already; its data is kept.")
        return
    click.echo(summary_of(tally))
    for step, outcome in tally.refused:
        click.echo(f"  refused, as the story wants it: {step.tablet} {step.kind}: {outcome.get('code')}")


def guide(config: Config) -> str:
    """Addresses, logins and sample commands for a person who sees this for the first time."""
    url = f"http://{config.host}:{config.port}"
    ledger = county_of(config.city) + "001"
    logins = "\n".join(f"  {member.key:<8}{member.label}, {member.role} of {', '.join(member.units)}" for member in cast_of(config.city))
    return f"""
Logins, all with the password {PASSWORD}:
{logins}

Addresses, once it serves:
  {url}/tablet/      the app of grid workers
  {url}/console/     the pages of officers, auditors and administrators
  {url}/docs         the interface, to try
  {url}/health       how the parts are

Try:
  TOKEN=$(curl -s {url}/v1/sessions -H 'Content-Type: application/json' -d '{{"login":"zhao","password":"{PASSWORD}"}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["token"])')
  curl -s "{url}/v1/cases?overdue=true" -H "Authorization: Bearer $TOKEN"
  gridtrail ledger show {ledger} --limit 3
  gridtrail replay {ledger} --read-model open_cases --format table
  gridtrail tablets list
"""  # noqa: E501
