"""The report on a person and the erasure over HTTP: who may, what goes on record, and what is answered afterwards."""

from uuid import UUID, uuid4

import pytest

from domain.books import Books
from domain.visit import Visit
from service.database import writing
from service.inspection import drafts_of
from tests.personal.cast import act, kept
from tests.web.city import GRID_A1, GRID_B1, City

WHY = {"Gridtrail-Purpose": "answering the letter of the person"}


def report(city: City, name: str, subject: object):
    """The answer to who asks for the report, and says why."""
    hand = city.client(name)
    return hand.client.get(f"/v1/subjects/{subject}", headers={**hand.headers, **WHY})


def told(city: City, subject: UUID, value: str, area: str = GRID_A1) -> None:
    """A visit on which a name was told."""
    item = kept(subject, "resident_name", value, area[:9])
    personal = [{"subject": str(subject), "field": item.field, "digest": item.digest}]
    made = Visit.make(act(city.gridtrail), Books.default(), uuid4(), area=area, household="H-17", outcome="met", personal=personal)
    with writing(city.gridtrail.database) as conn:
        city.gridtrail.vault.keep(conn, [item])
        city.gridtrail.ledgers.append(conn, area[:9], drafts_of(made))
    city.catch_up()


@pytest.fixture
def zhou(city: City) -> str:
    """Grandmother Zhou of community A."""
    subject = uuid4()
    told(city, subject, "周桂兰")
    return str(subject)


def test_the_officer_of_the_subdistrict_answers_a_person_and_that_goes_on_record(city: City, zhou: str):
    answer = report(city, "chen", zhou)
    assert answer.status_code == 200, answer.data
    (value,) = answer.json["values"]
    assert (value["value"], value["state"], value["ledger"], value["position"]) == ("周桂兰", "held", GRID_A1[:9], value["position"])
    assert (value["since"][:4], value["until"][:4]) == ("2026", "2027")
    assert value["purpose"]
    assert answer.json["reads"]["count"] == 1
    assert answer.json["reads"]["latest"][0]["purpose"] == WHY["Gridtrail-Purpose"]


def test_without_a_purpose_nothing_is_told(city: City, zhou: str):
    assert city.client("chen").get(f"/v1/subjects/{zhou}").json["code"] == "purpose_needed"


@pytest.mark.parametrize(
    ("name", "status"), [("li", 403), ("zhao", 404), ("qian", 404), ("sun", 403), ("guan", 403), ("nobody", 403), ("feng", 404)]
)
def test_nobody_else_reads_it(city: City, zhou: str, name: str, status: int):
    assert report(city, name, zhou).status_code == status


@pytest.mark.parametrize(("name", "status"), [("li", 403), ("zhao", 404), ("qian", 404), ("sun", 403), ("nobody", 403)])
def test_nobody_else_erases(city: City, zhou: str, name: str, status: int):
    assert city.client(name).post(f"/v1/subjects/{zhou}/erasure", {"reason": "request"}).status_code == status
    assert report(city, "chen", zhou).json["values"][0]["state"] == "held"


@pytest.mark.parametrize("name", ["chen", "guan"])
def test_an_officer_or_an_administrator_erases_once_and_again_changes_nothing(city: City, zhou: str, name: str):
    said = {"reason": "request", "reference": "letter/2026-118", "requested_at": "2026-11-19"}
    answer = city.client(name).post(f"/v1/subjects/{zhou}/erasure", said)
    assert answer.status_code == 200, answer.data
    assert (answer.json["values"], answer.json["again"]) == (1, False)
    assert city.client(name).post(f"/v1/subjects/{zhou}/erasure", said).json["again"]
    city.catch_up()
    said_of = report(city, "chen", zhou).json
    assert [(value["state"], value["value"]) for value in said_of["values"]] == [("erased", None)]
    (erased,) = said_of["erasures"]
    assert (erased["ground"], erased["reference"], bool(erased["completed_at"])) == ("request", "letter/2026-118", True)
    assert "subject.erase" in {read["act"] for read in said_of["reads"]["latest"]}


def test_a_person_of_two_subdistricts_is_not_erased_by_the_officer_of_one(city: City, zhou: str):
    told(city, UUID(zhou), "周桂兰", GRID_B1)
    assert city.client("chen").post(f"/v1/subjects/{zhou}/erasure", {"reason": "request"}).status_code == 404
    assert city.client("guan").post(f"/v1/subjects/{zhou}/erasure", {"reason": "request"}).json["ledgers"] == [GRID_A1[:9], GRID_B1[:9]]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 422),
        ({"reason": "because"}, 422),
        ({"reason": "request", "reference": "the letter of Mrs Zhou"}, 422),
        ({"reason": "request", "requested_at": "yesterday"}, 422),
        ({"reason": "request", "requested_at": "2099-01-01"}, 409),
        ({"reason": "request", "name": "Zhou"}, 422),
    ],
)
def test_a_wrong_order_destroys_nothing(city: City, zhou: str, said: dict, status: int):
    assert city.client("chen").post(f"/v1/subjects/{zhou}/erasure", said).status_code == status
    assert report(city, "chen", zhou).json["values"][0]["state"] == "held"


def test_of_whom_nothing_was_said_there_is_nothing(city: City):
    assert report(city, "chen", uuid4()).status_code == 404
    assert city.client("chen").post(f"/v1/subjects/{uuid4()}/erasure", {"reason": "request"}).status_code == 404
