"""The vault's keys are backed up apart and come back, and whoever was erased stays erased."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from service.audit.backup import NotBackedUp
from service.audit.backup_files import BadBackup
from service.audit.backup_vault import back_up_vault, check_vault, must_be_apart, restore_vault
from service.audit.restoring import NotRestored
from service.config import Config
from service.ledger.keys import KeyRefused
from service.wiring import Gridtrail

ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
def machine(sqlite_url: str, tmp_path: Path) -> Iterator[Callable[[str], Gridtrail]]:
    """Machines with a key store each; the key-encryption key is in the file that is named."""
    made: list[Gridtrail] = []

    def make(name: str, kek: str = "kek") -> Gridtrail:
        key = str(tmp_path / f"{kek}.key")
        made.append(Gridtrail(Config(database_url=sqlite_url, vault_url=f"sqlite:///{tmp_path}/{name}.db", vault_key_file=key)))
        return made[-1]

    yield make
    for each in made:
        each.forget()


def test_keys_come_back_and_open_what_they_opened(machine: Callable[..., Gridtrail], tmp_path: Path) -> None:
    first, second = machine("first"), machine("second")
    keys = first.vault.keystore.keys_made([ONE, TWO])
    manifest = back_up_vault(first, tmp_path / "vault")
    assert manifest["delete_by"][:10] > manifest["made_at"][:10]
    assert [restore_vault(second, tmp_path / "vault") for _ in range(2)] == [2, 0]
    assert second.vault.keystore.keys([ONE, TWO]) == keys


def test_an_erased_subject_stays_erased_whatever_is_restored(machine: Callable[..., Gridtrail], tmp_path: Path) -> None:
    first, second = machine("first"), machine("second")
    first.vault.keystore.keys_made([ONE, TWO])
    back_up_vault(first, tmp_path / "older")
    first.vault.keystore.destroy(ONE)
    assert restore_vault(first, tmp_path / "older") == 0
    assert first.vault.keystore.keys([ONE])[ONE].secret is None
    back_up_vault(first, tmp_path / "newer")
    restore_vault(second, tmp_path / "older")
    restore_vault(second, tmp_path / "newer")
    found = second.vault.keystore.keys([ONE, TWO])
    assert (found[ONE].secret, found[TWO].secret is None) == (None, False)


def test_a_key_that_was_made_meanwhile_is_never_written_over(machine: Callable[..., Gridtrail], tmp_path: Path) -> None:
    first, second = machine("first"), machine("second")
    first.vault.keystore.keys_made([ONE, TWO])
    back_up_vault(first, tmp_path / "vault")
    kept = second.vault.keystore.keys_made([TWO])
    with pytest.raises(NotRestored, match="has another key"):
        restore_vault(second, tmp_path / "vault")
    assert second.vault.keystore.keys([ONE, TWO]) == kept


def test_keys_that_nothing_here_can_unwrap_are_not_put_back(machine: Callable[..., Gridtrail], tmp_path: Path) -> None:
    first, second = machine("first"), machine("second", "another")
    first.vault.keystore.keys_made([ONE])
    back_up_vault(first, tmp_path / "vault")
    with pytest.raises(KeyRefused):
        restore_vault(second, tmp_path / "vault")
    assert second.vault.keystore.keys([ONE]) == {}


def test_damage_is_found(machine: Callable[..., Gridtrail], tmp_path: Path) -> None:
    first = machine("first")
    first.vault.keystore.keys_made(uuid4() for _ in range(5))
    back_up_vault(first, tmp_path / "vault")
    path = tmp_path / "vault" / "tables" / "subject_keys.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadBackup):
        check_vault(tmp_path / "vault")


@pytest.mark.parametrize("vault", ["backup", "backup/vault", "."])
def test_keys_do_not_lie_with_what_they_open(tmp_path: Path, vault: str) -> None:
    with pytest.raises(NotBackedUp, match="protect nothing"):
        must_be_apart(tmp_path / "backup", tmp_path / vault)
