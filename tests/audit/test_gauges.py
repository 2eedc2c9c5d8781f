"""What operators see of the proof side: publishing, journal, witnesses."""

from tests.audit.test_watermark import cut_tail, heads, sync
from tests.audit.test_witnessing import Stand
from tests.ledger.cast import append, drafts
from tests.sync.town import SUB_A, Town


def lines(pieces) -> dict[str, float]:
    from service.wiring import make_app

    text = make_app(pieces).test_client().get("/metrics").text
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))}


def test_what_is_not_published_yet_is_counted(town: Town) -> None:
    town.gridtrail.publisher.turn()
    append(town.gridtrail.ledgers, SUB_A, drafts(3))
    found = lines(town.gridtrail)
    assert found['gridtrail_publish_behind_entries{log="411502001"}'] == 3
    assert (found['gridtrail_publish_behind_entries{log="root"}'], found["gridtrail_journal_up"]) == (0, 1)


def test_a_history_that_is_not_what_was_signed_shows(town: Town) -> None:
    sync(town)
    assert lines(town.gridtrail)['gridtrail_history_behind{log="411502001"}'] == 0
    cut_tail(town, SUB_A, heads(town)[SUB_A].size - 1)
    assert lines(town.gridtrail)['gridtrail_history_behind{log="411502001"}'] == 1


def test_the_age_of_each_witnesss_last_cosignature_shows(town: Town) -> None:
    stand = Stand(town, ["w1.example", "w2.example"])
    stand.away = {"w2.example"}
    stand.publisher.turn()
    town.clock.forward(seconds=90)
    found = lines(stand.pieces)
    assert found['gridtrail_cosignature_age_seconds{witness="w1.example"}'] == 90
    assert 'gridtrail_cosignature_age_seconds{witness="w2.example"}' not in found
    assert found["gridtrail_witnesses_silent"] == 1
