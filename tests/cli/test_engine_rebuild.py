"""``gridtrail engine rebuild`` of all read models, in one process and in several."""

import pytest

from projections import READ_MODELS
from tests.cli.conftest import Terminal


def test_all_read_models_are_rebuilt_in_one_pass_by_one_process_or_several(seeded: Terminal) -> None:
    told = seeded("engine", "rebuild", "--all").output
    assert f"All {len(READ_MODELS)} read models were rebuilt" in told
    assert seeded("engine", "rebuild", "--all", "--processes", "2").output == told


@pytest.mark.parametrize("arguments", [(), ("open_cases", "--all")])
def test_a_rebuild_names_one_read_model_or_all(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    assert "Name one read model, or give --all." in terminal("engine", "rebuild", *arguments, code=2).output
