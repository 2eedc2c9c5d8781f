"""gridtrail-sync.js in a real browser against the real service: the protocol as a tablet app lives it."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit.rotating import Rotating
from service.ledger.note import Signer, sign_note
from service.ledger.rotation import Rotation
from service.ledger.tree import leaf_hash, root_of
from tests.browser.conftest import Served
from tests.browser.tablet import until
from tests.check import check_everything
from tests.web.city import GRID_A1

pytestmark = pytest.mark.browser
PROBES = Path(__file__).parent.parent / "vectors" / "merkle_probes.json"
MAKE = """async ([name, count, area]) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const tablet = await Tablet.open(name, { attempts: 1 });
    for (let each = 0; each < count; each += 1) {
        await tablet.record("case.reported", crypto.randomUUID(), area, { category: "gridtrail/1/A01", summary: `matter ${each}` });
    }
    return (await tablet.entries()).map(({ seq, state }) => [seq, state]);
}"""
SYNC = """async (name) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const tablet = await Tablet.open(name, { attempts: 2 });
    const told = await tablet.sync().then((counts) => ({ counts }), (fault) => ({ fault: fault.name, code: fault.code ?? null }));
    return { ...told, states: (await tablet.entries()).map(({ state }) => state) };
}"""
ENROL = """async ([name, code]) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const tablet = await Tablet.open(name, { attempts: 1 });
    await tablet.enrol(location.origin, code);
}"""


@pytest.fixture
def page(context: Any, served: Served) -> Any:
    """A page of the service, from which the module is imported."""
    page = context.new_page()
    page.goto(f"{served.url}/tablet/embed.html")
    page.wait_for_selector("body[data-ready]")
    return page


def recorded(served: Served) -> int:
    """How many cases the city has of those that were reported in the browser."""
    served.city.catch_up()
    answer = served.city.client("sun").get("/v1/cases", limit=500, text="matter").json
    return len([each for each in answer["items"] if each["area"] == GRID_A1])


def test_a_day_offline_is_uploaded_once_and_in_order(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.context.set_offline(True)
    assert page.evaluate(MAKE, ["w", 45, GRID_A1]) == [[seq, "waiting"] for seq in range(45)]
    assert page.evaluate(SYNC, "w")["fault"] == "Unreachable"
    page.context.set_offline(False)
    done = page.evaluate(SYNC, "w")
    assert done["counts"]["recorded"] == 45
    assert set(done["states"]) == {"recorded"}
    assert page.evaluate(SYNC, "w")["counts"]["recorded"] == 0
    assert recorded(served) == 45
    check_everything(served.city.gridtrail)


def test_what_was_recorded_outlives_the_page(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 3, GRID_A1])
    page.close(run_before_unload=False)
    again = page.context.new_page()
    again.goto(f"{served.url}/tablet/embed.html")
    assert again.evaluate(SYNC, "w")["counts"]["recorded"] == 3


def test_a_lost_answer_doubles_nothing(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 5, GRID_A1])
    lost = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/sync/batches", lose)
    done = page.evaluate(SYNC, "w")
    assert lost == [200]
    assert (done["counts"]["duplicate"], done["counts"]["recorded"]) == (5, 0)
    assert set(done["states"]) == {"recorded"}
    assert recorded(served) == 5


def test_a_refused_entry_is_told_and_blocks_nothing(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 1, "411502002001001"])
    page.evaluate(MAKE, ["w", 1, GRID_A1])
    done = page.evaluate(SYNC, "w")
    assert done["states"] == ["refused", "recorded"], done


def test_two_pages_that_sync_at_once_send_everything_once(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 20, GRID_A1])
    other = page.context.new_page()
    other.goto(f"{served.url}/tablet/embed.html")
    both = f"Promise.all([({SYNC})('w'), ({SYNC})('w')])"
    mine = page.evaluate(f"() => {both}")
    theirs = other.evaluate(SYNC, "w")
    assert sum(each["counts"]["recorded"] for each in [*mine, theirs]) == 20
    assert recorded(served) == 20


def test_a_receipt_that_another_key_signed_is_not_believed(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 1, GRID_A1])
    page.evaluate(
        """async () => {
            const { Tablet } = await import("/tablet/gridtrail-sync.js");
            const tablet = await Tablet.open("w");
            const enrolment = await tablet.enrolment();
            await tablet.store.remember({ enrolment: { ...enrolment, checkpoint_key: "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=" } });
        }"""
    )
    done = page.evaluate(SYNC, "w")
    assert done["fault"] == "OtherHistory"
    assert done["states"] == ["waiting"]


def hand_on(served: Served, **said: Any) -> None:
    """Hands the service's key on."""
    Rotating(served.city.gridtrail).rotate("yearly", **{"stolen": False, **said})
    served.city.gridtrail.signing_key._look_at = 0.0


def test_a_key_that_was_handed_on_is_followed(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/log/keys") else None)
    for count, said in ((2, {}), (3, {"stolen": True})):
        for _ in range(2):
            hand_on(served, **said)
        page.evaluate(MAKE, ["w", count, GRID_A1])
        assert page.evaluate(SYNC, "w").get("counts", {}).get("recorded") == count
    assert page.evaluate(SYNC, "w")["counts"]["recorded"] == 0
    assert len(asked) == 2, "the key is kept, and asked for when it changed"
    assert recorded(served) == 5


def test_a_forged_statement_leads_to_no_key(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 1, GRID_A1])
    origin, real = served.city.gridtrail.config.origin, served.city.gridtrail.signer
    hand_on(served)
    now = served.city.gridtrail.signer
    own = Signer(origin, Ed25519PrivateKey.generate())
    rotation = Rotation(origin, real.verifier, now.verifier, "2026-11-21T01:00:00.000Z", None, "mine")
    forged = [
        sign_note(rotation.text(), now),
        sign_note(rotation.text(), real),
        rotation.sign(real, now).replace("mine", "ours"),
        Rotation(origin, own.verifier, now.verifier, rotation.at, None, "mine").sign(own, now),
        Rotation("other.test", real.verifier, now.verifier, rotation.at, None, "mine").sign(real, now),
        "gridtrail-key-rotation/1",
        rotation.text() + f"\n— {origin} !!!\n",
    ]
    told: list[str] = []
    page.route("**/log/keys", lambda route: route.fulfill(json={"origin": origin, "key": str(now.verifier), "rotations": told}))
    for statement in forged:
        told[:] = [statement]
        done = page.evaluate(SYNC, "w")
        assert (done.get("fault"), done["states"]) == ("OtherHistory", ["waiting"]), statement
    told[:] = [rotation.sign(real, now)]
    assert page.evaluate(SYNC, "w")["states"] == ["recorded"]


SYNC_IN = """async ([name, year]) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const tablet = await Tablet.open(name, { attempts: 1, now: () => new Date(`${year}-11-21T09:00:00Z`) });
    await tablet.sync();
    const counts = {};
    for (const store of ["entries", "receipts", "heads", "photos"]) counts[store] = (await tablet.store.all(store)).length;
    return counts;
}"""
PHOTO = """async (name) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    await (await Tablet.open(name)).addPhoto(new Blob([Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4)]));
}"""
AS_OLDER = """async (name) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const { store } = await Tablet.open(name);
    await store.change(["entries", "receipts", "heads", "photos", "facts"], async (stores) => {
        stores.facts.delete("clock");
        for (const [name, time] of [["entries", "confirmedAt"], ["receipts", "at"], ["heads", "at"], ["photos", "sentAt"]]) {
            const request = stores[name].getAll();
            await new Promise((done) => { request.onsuccess = done; });
            stores[name].clear();
            for (const [each, row] of request.result.entries()) stores[name].put({ ...row, [time]: 1 + each });
        }
    });
}"""


@pytest.mark.parametrize("older", [False, True])
def test_what_is_kept_is_kept_by_the_services_clock(page: Any, served: Served, older: bool):
    """The tablet's clock is reset, and put right by the network; or an older release had timed by it."""
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(PHOTO, "w")
    page.evaluate(MAKE, ["w", 2, GRID_A1])
    all_of_it = {"entries": 2, "receipts": 1, "heads": 1, "photos": 1}
    for year in (2020, 2026, 2040, 2026):
        assert page.evaluate(SYNC_IN, ["w", year]) == all_of_it
    if older:
        page.evaluate(AS_OLDER, "w")
    for _ in range(5):
        served.city.clock.forward(days=5)
        assert page.evaluate(SYNC_IN, ["w", 2040]) == all_of_it
    for _ in range(2):
        served.city.clock.forward(days=6)
        counts = page.evaluate(SYNC_IN, ["w", 2020])
    assert (counts["entries"], counts["receipts"], counts["photos"]) == (0, 0, 0)


def test_a_service_whose_clock_is_years_wrong_makes_a_tablet_forget_nothing(page: Any, served: Served):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 2, GRID_A1])
    page.evaluate(SYNC, "w")
    right = served.city.clock.now
    for year in (2060, 2026):
        served.city.clock.now = right.replace(year=year)
        assert len(page.evaluate(SYNC, "w")["states"]) == 2


LOGIN = {"status": 200, "content_type": "text/html", "body": "<h1>Welcome to the hotel</h1>"}
PORTALS = [LOGIN, {**LOGIN, "status": 403}, {**LOGIN, "status": 413}, {**LOGIN, "body": ""}, {"status": 200, "json": {"login": "/"}}]
PORTALS += [{"status": 200, "json": []}, {"status": 422, "json": {"error": "login"}}]


def answering(portal: dict[str, Any]) -> Any:
    return lambda route: route.fulfill(**portal)


@pytest.mark.parametrize("path", ["sync/disclosures", "sync/batches", "photos", "sync/changes", "sync/proofs"])
def test_the_page_of_a_network_that_wants_a_login_is_no_answer(page: Any, served: Served, path: str):
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(PHOTO, "w")
    page.evaluate(MAKE, ["w", 2, GRID_A1])
    wanted = page.evaluate(SYNC, "w") if path == "sync/proofs" else None
    said = '[{ subject: crypto.randomUUID(), field: "need_voiced", value: "a lift" }]'
    page.evaluate(f"""async () => {{
        const tablet = await (await import("/tablet/gridtrail-sync.js")).Tablet.open("w");
        await tablet.record("visit.made", crypto.randomUUID(), "{GRID_A1}", {{ household: "H-1", outcome: "met" }}, {{ personal: {said} }});
    }}""")
    for portal in PORTALS:
        if path == "photos" and portal.get("body") == "":
            continue
        page.route(re.compile(f"/v1/{path}"), answering(portal))
        fault = page.evaluate(PROVE, "w") if path == "sync/proofs" else page.evaluate(SYNC, "w").get("fault")
        assert fault == (None if path == "sync/disclosures" else "Unreachable"), portal
        page.unroute_all()
        left = page.evaluate(LEFT, "w")
        assert path != "photos" or left["photos"] == ["waiting"], portal
        assert path != "sync/disclosures" or left["disclosures"] == ["waiting"], portal
        assert path != "sync/batches" or left["waiting"] == 3, portal
    assert wanted is None or wanted["states"] == ["recorded"] * 2
    assert set(page.evaluate(SYNC, "w")["states"]) == {"recorded"}
    assert page.evaluate(LEFT, "w") == {"waiting": 0, "photos": ["sent"], "disclosures": [], "faults": 0}


LEFT = """async (name) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const tablet = await Tablet.open(name);
    const [photos, disclosures] = [await tablet.store.all("photos"), await tablet.store.all("disclosures")];
    const states = (rows) => rows.map(({ state }) => state);
    const faults = (await tablet.faults()).length;
    return { waiting: await tablet.waiting(), photos: states(photos), disclosures: states(disclosures), faults };
}"""
PROVE = """async (name) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    return (await Tablet.open(name, { attempts: 1 })).prove().then(() => "none", (fault) => fault.name);
}"""
COPY = """async ([from, to]) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const [live, image] = [await Tablet.open(from), await Tablet.open(to)];
    for (const name of ["facts", "entries", "receipts", "heads"]) {
        const rows = await live.store.all(name);
        await image.store.change([name], (stores) => rows.forEach((row) => stores[name].put(row)));
    }
}"""
ADOPT = """async (name) => {
    const { Tablet } = await import("/tablet/gridtrail-sync.js");
    const tablet = await Tablet.open(name, { attempts: 1 });
    const adopted = await tablet.adopt();
    return { adopted, former: (await tablet.store.all("otherHistory")).map(({ state }) => state), waiting: await tablet.waiting() };
}"""


def test_what_both_histories_hold_is_not_sent_again_after_a_fork(page: Any, served: Served):
    """The tablet is restored from an image: of 6 entries it believes 2 confirmed, and its number 5 is another."""
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 2, GRID_A1])
    page.evaluate(SYNC, "w")
    page.evaluate(MAKE, ["w", 3, GRID_A1])
    page.evaluate(COPY, ["w", "image"])
    for name in ("w", "image"):
        page.evaluate(MAKE, [name, 1, GRID_A1])
        told = page.evaluate(SYNC, name)
    assert told["code"] == "forked"
    tablet = page.evaluate("async () => (await (await import('/tablet/gridtrail-sync.js')).Tablet.open('w')).enrolment()")
    city = served.city
    city.gridtrail.inspection.change_tablet(city.root, tablet["ledger"], tablet["tablet"], "reinstate", {"reason": "looked into"})
    assert page.evaluate(SYNC, "image")["code"] == "forked", "and what the officer did is not undone by a tablet that syncs by itself"
    assert page.evaluate(ADOPT, "image") == {"adopted": 1, "former": ["recorded"] * 5 + ["waiting"], "waiting": 1}
    assert page.evaluate(SYNC, "image")["counts"]["recorded"] == 1
    assert recorded(served) == 7
    check_everything(city.gridtrail)


def test_the_tree_and_the_codes_are_those_of_the_reference_client(page: Any):
    made = page.evaluate(
        """async () => {
            const m = await import("/tablet/gridtrail-sync.js");
            const leaf = async (text) => m.leafHash(new TextEncoder().encode(text));
            const frontier = new m.Frontier();
            for (const entry of ["a", "b", "c", "d", "e", "f", "g"]) await frontier.append(await leaf(entry));
            return [m.toHex(await leaf("")), m.toHex(await frontier.root()), m.canonicalCode("7k3m 9qxa-t5vw2hjc")];
        }"""
    )
    root = root_of(leaf_hash(each.encode()) for each in "abcdefg").hex()
    assert made == [leaf_hash(b"").hex(), root, "7K3M-9QXA-T5VW-2HJC"]


def test_proofs_are_judged_as_the_published_probes_say(page: Any):
    probes = json.loads(PROBES.read_text())
    wrong = page.evaluate(
        """async ({ inclusion, consistency }) => {
            const { fromBase64, verifyInclusion, verifyConsistency } = await import("/tablet/gridtrail-sync.js");
            const bytes = (coded) => fromBase64(coded ?? "");
            const all = (proof) => (proof ?? []).map(bytes);
            const wrong = [];
            for (const { name, leafIdx, treeSize, root, leafHash, proof, wantErr } of inclusion) {
                if ((await verifyInclusion(bytes(leafHash), leafIdx, treeSize, all(proof), bytes(root))) === wantErr) wrong.push(name);
            }
            for (const { name, size1, size2, root1, root2, proof, wantErr } of consistency) {
                if ((await verifyConsistency(size1, size2, all(proof), bytes(root1), bytes(root2))) === wantErr) wrong.push(name);
            }
            return wrong;
        }""",
        probes,
    )
    assert wrong == []
    assert len(probes["inclusion"]) + len(probes["consistency"]) == 196


def test_who_asks_for_proofs_while_others_are_sought_gets_what_was_published_meanwhile(page: Any, served: Served):
    """The first round is told that nothing is published; before it is over, there is, and the page asks again."""
    page.evaluate(ENROL, ["w", served.code("li")])
    page.evaluate(MAKE, ["w", 1, GRID_A1])
    page.evaluate(SYNC, "w")
    asked: list[Any] = []
    page.route("**/v1/sync/proofs", lambda route: route.continue_() if asked else asked.append(route))
    page.evaluate("""async () => {
        const { Tablet } = await import("/tablet/gridtrail-sync.js");
        globalThis.witness = await Tablet.open("w", { attempts: 1 });
        witness.prove();
    }""")
    until(page, lambda: asked)
    early = asked[0].fetch()
    assert early.json()["code"] == "not_published"
    served.city.gridtrail.publisher.turn()
    page.evaluate("() => { globalThis.second = witness.prove(); }")
    asked[0].fulfill(response=early)
    page.evaluate("second")
    assert page.evaluate("witness.entries().then((all) => all.map(({ shown }) => Boolean(shown)))") == [True]


def test_the_example_page_enrols_records_and_syncs(page: Any, served: Served):
    page.goto(f"{served.url}/tablet/embed.html#name={uuid4()}")
    page.reload()
    page.fill("input[name=code]", served.code("li"))
    page.click("#enrol button")
    page.wait_for_selector("#report:not([hidden])")
    page.fill("input[name=summary]", "matter of the page")
    page.click("#report button")
    page.wait_for_selector("#entries tr")
    page.click("#sync")
    page.wait_for_selector('#entries td:text-is("recorded")')
    assert recorded(served) == 1


@pytest.mark.parametrize(
    ("locale", "title", "state"),
    [("zh-CN", "在自有应用中嵌入 gridtrail-sync.js", "已入账"), ("en-GB", "gridtrail-sync.js in an app of your own", "recorded")],
)
def test_the_example_page_speaks_both_languages_and_shows_what_is_kept(
    browser: Any, served: Served, no_serious_issue: Any, locale: str, title: str, state: str
):
    context = browser.new_context(locale=locale, viewport={"width": 390, "height": 844})
    try:
        page = context.new_page()
        page.goto(f"{served.url}/tablet/embed.html")
        page.wait_for_selector("body[data-ready]")
        assert page.locator("h1").inner_text() == page.title() == title
        no_serious_issue(page)
        page.fill("input[name=code]", served.code("li"))
        page.click("#enrol button")
        page.wait_for_selector("#report:not([hidden])")
        page.fill("input[name=summary]", "matter of the page")
        page.click("#report button")
        page.wait_for_selector("#entries tr")
        page.click("#sync")
        page.wait_for_selector(f'#entries td:text-is("{state}")')
        served.city.gridtrail.publisher.turn()
        page.click("#sync")
        page.get_by_text("1 / 1" if locale == "zh-CN" else "1 of 1").wait_for()
        no_serious_issue(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than a phone"
        page.click("[data-language=zh]" if locale == "en-GB" else "[data-language=en]")
        assert page.title() != title
    finally:
        context.close()
