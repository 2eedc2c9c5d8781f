"""Exports folded by several workers give the digests of the live tables."""

from pathlib import Path

import pytest

from bench.parallel import fold_all, fold_export
from projections import READ_MODELS
from service.audit.export import export
from service.audit.manifests import BadExport
from service.database import open_database, reading
from tests.sync.town import B1, SUB_A, SUB_B, Town


@pytest.mark.slow
def test_two_workers_fold_ledgers_to_the_digests_of_the_live_tables(sqlite_url: str, tmp_path: Path):
    from distributed import Client, LocalCluster

    town = Town(open_database(sqlite_url), tmp_path)
    for name, where in (("li", None), ("qian", B1)):
        hand = town.hand(name)
        hand.send([hand.entry(seq, **({"area": where} if where else {})) for seq in range(30)])
    gridtrail = town.gridtrail
    gridtrail.follower.catch_up()
    ledgers = ("4115", "411502", SUB_A, SUB_B)
    for ledger in ledgers:
        export(gridtrail, ledger, "parquet", tmp_path / "out")
    key = str(gridtrail.signer.verifier)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        folded = fold_all(client, tmp_path / "out", key)
        (tmp_path / "out" / SUB_B / "2026-11.parquet").write_bytes(b"gone")
        with pytest.raises(BadExport, match="not the file"):
            client.submit(fold_export, str(tmp_path / "out"), SUB_B, pure=False).result()
    assert [ledger for ledger, _, _ in folded] == list(ledgers)
    with reading(gridtrail.database) as conn:
        for ledger, size, digests in folded:
            assert size == gridtrail.ledgers.head(conn, ledger).size
            assert digests == {name: gridtrail.follower.digest(conn, name, ledger) for name in READ_MODELS}
