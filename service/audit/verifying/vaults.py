"""The bytes of kept refusals, from the service's vault: for whoever verifies the database itself and may open it. Read by the CLI."""

from typing import Any

from projections.recorded import Recorded
from service.audit.verifying.faults import Findings
from service.config import Config
from service.database import reading
from service.personal import auditing
from service.sync.keeping import bytes_of, digest_of_kept
from service.wiring import Gridtrail


class FromVault:
    """Opens what the vault of some settings holds. Small enough to be sent to another process, which opens its own connections."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._pieces: Gridtrail | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "_pieces": None}

    @property
    def pieces(self) -> Gridtrail:
        """The service's pieces, made on first use."""
        if self._pieces is None:
            self._pieces = Gridtrail(self.config)
        return self._pieces

    def __call__(self, event: Recorded) -> bytes | None:
        """The entry's bytes; None where they were erased, or are not there."""
        digest = digest_of_kept(event)
        with reading(self.pieces.database) as conn:
            found = self.pieces.vault.open(conn, [digest]).get(digest)
        return bytes_of(found) if isinstance(found, str) else None

    def judge_values(self, findings: Findings) -> None:
        """Accounts for every personal value: there, erased on record, still to come, or a fault."""
        account = auditing.Account()
        for fault in auditing.faults(self.pieces, account):
            findings.add(fault.kind, fault.ledger, fault.position, str(fault))
        for name, count in account.counts().items():
            findings.checked[f"personal values: {name}"] += count
