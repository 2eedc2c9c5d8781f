"""Dossiers over HTTP: for auditors, within their sight, on record, and whole."""

import io
import zipfile
from uuid import uuid4

import pytest
import sqlalchemy as sa

from service.audit.dossiers.verifier import main
from service.database import reading
from tests.web.city import GRID_A1, City


def path(city: City) -> str:
    return f"/v1/cases/{city.cases[GRID_A1]}/dossier"


def test_an_auditor_downloads_a_dossier_that_verifies(city: City, tmp_path, capsys: pytest.CaptureFixture[str]):
    answer = city.client("sun").get(path(city))
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert answer.headers["Content-Disposition"].endswith('.zip"')
    (tmp_path / "case.zip").write_bytes(answer.data)
    assert main([str(tmp_path / "case.zip"), "--key", str(city.gridtrail.signer.verifier)]) == 0, capsys.readouterr().out


def test_it_is_the_same_as_the_commands(city: City):
    made = city.gridtrail.dossiers.make(city.cases[GRID_A1])
    assert city.client("sun").get(path(city)).data == b"".join(city.gridtrail.dossiers.stream(made))


@pytest.mark.parametrize("name", ["li", "zhao", "chen", "qian", "guan", "nobody"])
def test_it_is_for_auditors_only(city: City, name: str):
    assert city.client(name).get(path(city)).status_code == 403


def test_a_case_that_is_not_there_is_404(city: City):
    assert city.client("sun").get(f"/v1/cases/{uuid4()}/dossier").status_code == 404


@pytest.mark.parametrize("query", [{"personal": "1"}, {"photos": "maybe"}, {"everything": "true"}])
def test_a_query_that_cannot_be_read_is_400(city: City, query: dict[str, str]):
    assert city.client("sun").get(path(city), **query).status_code == 400


def test_personal_values_are_opened_for_a_purpose_only(city: City):
    answer = city.client("sun").get(path(city), personal="true")
    assert (answer.status_code, answer.json["code"]) == (400, "purpose_needed")
    hand = city.client("sun")
    hand.headers["Gridtrail-Purpose"] = "complaint 17"
    answer = hand.get(path(city), personal="true")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.data)) as whole:
        assert any(name.endswith("/disclosures.json") for name in whole.namelist())
    with reading(city.gridtrail.database) as conn:
        rows = conn.execute(sa.text("SELECT object, purpose FROM access_log WHERE act = 'download_dossier' ORDER BY at, id")).all()
    assert (city.cases[GRID_A1], "complaint 17") in [tuple(row) for row in rows]
    assert len(rows) >= 1


def test_photos_that_are_too_much_for_one_answer_are_refused(city: City, monkeypatch: pytest.MonkeyPatch):
    from service.audit import dossier

    def heavy(*arguments, **named):
        found = gather(*arguments, **named)
        found.photos["0" * 64] = ("image/jpeg", city.gridtrail.config.dossier_max_bytes + 1)
        return found

    gather = dossier.gather
    monkeypatch.setattr(dossier, "gather", heavy)
    answer = city.client("sun").get(path(city))
    assert (answer.status_code, answer.json["code"]) == (409, "dossier_too_large")
