"""Pages of parks: the list, a park, units by filters; hostile names stay text, tenants are not for everybody."""

import re
from html import unescape

import polars as pl
import pytest
from test_pages_imports import begun, form, opened, send, worked
from web_people import HOSTILE

from jiqun.assess import parks_desk as desk
from jiqun.assess import unit_edits
from jiqun.assess.declared import HANDLERS
from jiqun.core.actor import LOCAL
from jiqun.intake import desk as intake
from jiqun.intake.derived import derive_anew
from jiqun.store.commands import new_key
from jiqun.store.worker import work

BAD = HOSTILE[0]


@pytest.fixture
def parks(workspace):
    """A park with a hostile name and tenant, a vacant unit, and an assessment."""
    frame = pl.DataFrame(
        {
            "name": [BAD, "1", "2"], "kind": ["park", "unit", "unit"], "parent": [None, BAD.replace("/", "／"), None],
            "area_m2": [300.0, 100.0, 50.0], "status": [None, "vacant", "let"], "tenant": [None, None, f"tenant {BAD}"],
            "rent_cny_m2_month": [None, 40.0, 41.5], "lon": [120.1, None, None], "lat": [30.2, None, None],
        }
    )  # fmt: skip
    intake.load(LOCAL, workspace, frame, "carriers", as_of="2024-05-01")
    desk.assess(LOCAL, workspace)
    return workspace


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_address_of_the_pages_answers_and_runs_nothing(parks, signed_in, language):
    browser = signed_in("analyst")
    first = browser.get(f"/parks?lang={language}")
    assert first.status_code == 200
    ids = set(re.findall(r'href="/parks/(c\d+)"', first.text))
    assert len(ids) == 3
    pages = [first, browser.get("/parks/to-let"), *(browser.get(f"/parks/{id_}") for id_ in sorted(ids))]
    for page in pages:
        assert page.status_code == 200
        assert BAD not in page.text
        for address in set(re.findall(r'href="(/parks[^"]+\.(?:csv|json|xlsx)[^"]*)"', page.text)):
            assert browser.get(address.replace("&amp;", "&")).status_code == 200, address


def test_tenants_and_rents_of_what_is_let_are_not_for_everybody(parks, client, signed_in):
    asked = "/parks/to-let.csv?status=let"
    assert "41.5" in signed_in("analyst").get(asked).text
    assert "41.5" not in client.get(asked).text
    assert "tenant &lt;script" not in client.get("/parks/to-let?status=let").text
    assert client.get("/parks/c9999999").status_code == 404


def test_assessing_is_a_job_of_who_may(parks, signed_in):
    browser = signed_in("operator")
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/parks").text)[1]
    sent = browser.post("/parks/assess", data={"csrf": token, "key": new_key()})
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/jobs/")
    member = signed_in("member")
    assert "/parks/assess" not in member.get("/parks").text
    token = re.search(r'name="csrf" value="([^"]+)"', member.get("/help").text)[1]
    assert member.post("/parks/assess", data={"csrf": token, "key": new_key()}).status_code == 403


def test_without_carriers_the_page_says_how_to_begin(signed_in):
    page = signed_in("operator").get("/parks")
    assert page.status_code == 200
    assert 'href="/imports"' in page.text
    assert signed_in("operator").get("/parks/to-let").status_code == 409


def test_carriers_come_in_by_the_page_with_what_is_wrong_told(workspace, signed_in):
    analyst = signed_in("analyst")
    sheet = "载体名称,类型,上级载体,建筑面积,出租状态,租金\n合成园,园区,,500,,\n101,单元,合成园,200,空置,45\n102,单元,合成园,300,空着呢,-1\n"
    base = begun(analyst, workspace, sheet.encode(), name="carriers.csv", table="carriers")
    page = opened(analyst, f"{base}/columns")
    chosen = {value for name, value in form(page, f"{base}/columns").items() if name.startswith("column-")}
    assert {"name", "kind", "parent", "area_m2", "status", "rent_cny_m2_month"} <= chosen
    send(analyst, page, f"{base}/columns", then="check")
    worked(workspace)
    page = opened(analyst, f"{base}/check")
    assert "空着呢" in opened(analyst, f"{base}/rows")
    send(analyst, page, f"{base}/load", replace="yes")
    worked(workspace)
    parks = analyst.get("/parks.json").json()
    assert [(row["name"], row["total_m2"], row["vacant_m2"], row["open_m2"]) for row in parks["rows"]] == [
        ("合成园", 500.0, 200.0, 300.0)
    ]


def test_a_firms_page_leads_to_the_park_it_rents_in_for_who_may_see_tenants(parks, signed_in, client, people):
    firm = people["member"].organisation
    name = parks.scan("organisations").filter(pl.col("id") == firm).select("name").collect().item()
    rows = pl.DataFrame(
        {"name": ["Park", "1"], "kind": ["park", "unit"], "parent": [None, "Park"], "tenant": [None, name]}
    )
    intake.load(LOCAL, parks, rows, "carriers", as_of="2024-06-01")
    desk.assess(LOCAL, parks)
    assert "Rents in Park" in signed_in("analyst").get(f"/firms/{firm}?lang=en").text
    assert "Rents in Park" not in client.get(f"/firms/{firm}?lang=en").text


def unit_form(browser, address: str) -> dict[str, str]:
    """The entries of a unit's form as they are shown."""
    page = browser.get(address).text
    form = page[page.index('action="/parks/') :]
    found = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    found["status"] = (re.findall(r'<option value="(\w*)" selected>', form) or [""])[0]
    return found


def vacant_unit(browser) -> str:
    """The address of the one unit that is vacant, as its row in the list gives it."""
    (address,) = re.findall(r'href="(/parks/\w+/units/\w+)" aria-label', browser.get("/parks/to-let").text)
    return address


def test_a_unit_is_edited_from_its_row_and_its_history_is_kept(parks, signed_in):
    analyst = signed_in("analyst")
    address = vacant_unit(analyst)
    before, said = parks.snapshot("carriers"), unit_form(analyst, address)
    assert (said["status"], said["tenant"], said["rent_cny_m2_month"]) == ("vacant", "", "40")
    today = parks.clock().date().isoformat()
    assert said["as_of"] == today
    edit = said | {"status": "let", "tenant": f"New {BAD}", "rent_cny_m2_month": "42.5", "let_from": today}
    sent = analyst.post(address, data=edit)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{address}?done=edited")
    assert work(parks, HANDLERS, once=True) == 1
    now = parks.snapshot("carriers")
    assert (now.summary["derived"]["from"], now.as_of.isoformat(), now.rows) == (before.id, today, before.rows)
    rows = {row["name"]: row for row in parks.scan("carriers").collect().to_dicts()}
    assert (rows["1"]["status"], rows["1"]["tenant"], rows["1"]["rent_cny_m2_month"]) == ("let", f"New {BAD}", 42.5)
    assert (rows["2"]["tenant"], rows["2"]["as_of"].isoformat()) == (f"tenant {BAD}", "2024-05-01")
    page = analyst.get(f"{address}?lang=en").text
    assert "Edits so far" in page
    assert BAD not in page
    history = analyst.get(f"/api/v1/assess/unit?unit={address.rpartition('/')[2]}").json()["edits"]
    assert [change["attribute"] for change in history[0]["changes"]] == [
        "status", "tenant", "rent_cny_m2_month", "let_from", "as_of",
    ]  # fmt: skip
    assert history[0]["changes"][0] == {"attribute": "status", "before": "vacant", "after": "let"}
    assert analyst.post(address, data=edit | {"key": new_key()}).status_code == 409
    again = unit_form(analyst, address)
    assert analyst.post(address, data=again).headers["location"] == f"{address}?done=same"
    assert parks.snapshot("carriers").id == now.id
    parks.revert("carriers", to=before.id)
    assert unit_form(analyst, address)["status"] == "vacant"


def carriers(status: str, tenant: str | None, rent: float) -> pl.DataFrame:
    """A park with one unit."""
    return pl.DataFrame(
        {
            "name": ["Park", "1"], "kind": ["park", "unit"], "parent": [None, "Park"], "area_m2": [None, 80.0],
            "status": [None, status], "tenant": [None, tenant], "rent_cny_m2_month": [None, rent],
        }
    )  # fmt: skip


def unit_row(workspace) -> tuple:
    """State, tenant and rent of the unit of `carriers`."""
    rows = workspace.scan("carriers").filter(pl.col("name") == "1").collect()
    return rows.select("status", "tenant", "rent_cny_m2_month").row(0)


def load_again(workspace, frame, day: str) -> None:
    """Load carriers as an import does, which has a job lay edits over them."""
    intake.load(LOCAL, workspace, frame, "carriers", as_of=day)
    workspace.database.command(LOCAL, new_key(), "test.loaded", lambda tx: derive_anew(tx, "carriers"))
    work(workspace, HANDLERS, once=True)


def test_edits_of_a_unit_outlive_later_loads_until_they_are_taken_back(workspace, signed_in):
    intake.load(LOCAL, workspace, carriers("let", "Old", 40.0), "carriers", as_of="2024-05-01")
    analyst = signed_in("analyst")
    (address,) = re.findall(r'href="(/parks/\w+/units/\w+)"', analyst.get("/parks/to-let?status=let").text)
    analyst.post(address, data=unit_form(analyst, address) | {"tenant": "New", "rent_cny_m2_month": "42.5"})
    assert work(workspace, HANDLERS, once=True) == 1
    load_again(workspace, carriers("let", "Old", 41.0), "2024-06-01")
    assert unit_row(workspace) == ("let", "New", 42.5)
    page = analyst.get(f"{address}?lang=en").text
    assert page.count("new since the edit") == 1  # the rent
    told = analyst.get(f"/api/v1/assess/unit?unit={address.rpartition('/')[2]}").json()
    standing = {one["attribute"]: one for one in told["standing"]}
    assert (standing["tenant"]["value"], standing["tenant"]["loaded"], standing["tenant"]["conflict"]) == (
        "New",
        "Old",
        False,
    )
    assert (standing["rent_cny_m2_month"]["loaded"], standing["rent_cny_m2_month"]["conflict"]) == ("41", True)
    now = workspace.snapshot("carriers").id
    assert unit_edits.lay(workspace) is None  # done again it changes nothing
    assert workspace.snapshot("carriers").id == now
    analyst.post(address, data=unit_form(analyst, address) | {"rent_cny_m2_month": "41"})  # as loaded: no edit any more
    work(workspace, HANDLERS, once=True)
    told = analyst.get(f"/api/v1/assess/unit?unit={address.rpartition('/')[2]}").json()
    assert "rent_cny_m2_month" not in {one["attribute"] for one in told["standing"]}
    load_again(workspace, carriers("vacant", None, 39.0), "2024-07-01")
    assert unit_row(workspace) == ("vacant", None, 39.0)  # it has no tenant: the load counts, the page tells of both
    told = analyst.get(f"/api/v1/assess/unit?unit={address.rpartition('/')[2]}").json()
    assert ("tenant", "New", True) in [(one["attribute"], one["value"], one["conflict"]) for one in told["standing"]]
    form = {"csrf": unit_form(analyst, address)["csrf"], "key": new_key()}
    assert signed_in("auditor").post(f"{address}/back", data=form).status_code == 403
    sent = analyst.post(f"{address}/back", data=form)
    assert sent.headers["location"] == f"{address}?done=back"
    work(workspace, HANDLERS, once=True)
    assert unit_row(workspace) == ("vacant", None, 39.0)
    page = analyst.get(f"{address}?lang=zh").text
    assert "撤回这些修改" not in page
    assert page.count("<td>New</td>") >= 1  # the history keeps what was edited, and that it was taken back
    assert analyst.post(f"{address}/back", data={**form, "key": new_key()}).headers["location"].endswith("same")
    load_again(workspace, carriers("let", "Other", 38.0), "2024-08-01")
    assert unit_row(workspace) == ("let", "Other", 38.0)


def test_a_second_edit_of_what_was_seen_before_the_first_is_refused_whole(workspace, signed_in):
    intake.load(LOCAL, workspace, carriers("vacant", None, 40.0), "carriers", as_of="2024-05-01")
    analyst, operator = signed_in("analyst"), signed_in("operator")
    (address,) = re.findall(r'href="(/parks/\w+/units/\w+)"', analyst.get("/parks/to-let").text)
    first, second = unit_form(analyst, address), unit_form(operator, address)
    assert analyst.post(address, data=first | {"status": "let", "tenant": "A"}).status_code == 303
    assert operator.post(address, data=second | {"status": "works"}).status_code == 409
    work(workspace, HANDLERS, once=True)
    assert unit_row(workspace) == ("let", "A", 40.0)
    assert unit_edits.lay(workspace) is None
    assert unit_row(workspace) == ("let", "A", 40.0)


def test_days_of_record_that_nobody_edits_stay(workspace, signed_in):
    rows = pl.DataFrame(
        {"name": ["Park", "1", "2"], "kind": ["park", "unit", "unit"], "parent": [None, "Park", "Park"],
         "area_m2": [None, 80.0, 90.0], "status": [None, "let", "let"], "tenant": [None, "A", "B"]}
    )  # fmt: skip
    intake.load(LOCAL, workspace, rows, "carriers", as_of="2024-05-01")
    analyst = signed_in("analyst")
    addresses = re.findall(r'href="(/parks/\w+/units/\w+)"', analyst.get("/parks/to-let?status=let").text)
    for address, day in zip(sorted(set(addresses)), ("2024-07-01", "2024-09-01"), strict=True):
        analyst.post(address, data=unit_form(analyst, address) | {"tenant": "C", "as_of": day})
        work(workspace, HANDLERS, once=True)
        days = dict(workspace.scan("carriers").select("id", "as_of").collect().iter_rows())
        assert unit_edits.lay(workspace) is None
        assert dict(workspace.scan("carriers").select("id", "as_of").collect().iter_rows()) == days
    assert sorted(map(str, days.values())) == ["2024-05-01", "2024-07-01", "2024-09-01"]


def test_another_tenant_loses_the_code_and_titles_of_the_one_before(workspace, signed_in):
    code = "91350100M000100Y43"
    rows = {
        "name": ["Park", "1"], "kind": ["park", "unit"], "parent": [None, "Park"], "area_m2": [None, 80.0], "let_m2": [None, 60.0],
        "status": [None, "let"], "tenant": [None, "Old"], "tenant_uscc": [None, code], "tenant_titles": [None, "high-tech"],
    }  # fmt: skip
    intake.load(LOCAL, workspace, pl.DataFrame(rows), "carriers", as_of="2024-05-01")
    analyst = signed_in("analyst")
    (address,) = re.findall(r'href="(/parks/\w+/units/\w+)"', analyst.get("/parks/to-let?status=let").text)
    park = address.split("/")[2]
    assert analyst.get(f"/parks/{park}/units/{park}").status_code == 404
    assert unit_form(analyst, address)["tenant_uscc"] == code
    analyst.post(address, data=unit_form(analyst, address) | {"tenant": "New"})
    assert work(workspace, HANDLERS, once=True) == 1
    row = workspace.scan("carriers").filter(pl.col("name") == "1").collect().row(0, named=True)
    assert [row[name] for name in ("tenant", "tenant_uscc", "tenant_titles", "let_m2")] == ["New", None, None, None]


@pytest.mark.parametrize(
    ("typed", "field", "code"),
    [
        ({"rent_cny_m2_month": "-1"}, "rent_cny_m2_month", "JQ-DATA-"),
        ({"rent_cny_m2_month": "a lot"}, "rent_cny_m2_month", "JQ-DATA-"),
        ({"let_from": "2024-02-31"}, "let_from", "JQ-DATA-"),
        ({"as_of": "2090-01-01"}, "as_of", "JQ-DATA-011"),
        ({"status": "empty <b>"}, "status", "JQ-DATA-"),
        ({"tenant_uscc": "123"}, "tenant_uscc", "JQ-DATA-"),
        ({"tenant": "Somebody"}, "tenant", "JQ-ASSESS-129"),
        ({"let_from": "2024-05-02", "let_to": "2024-05-01"}, "let_to", "JQ-ASSESS-129"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_a_unit_cannot_be_is_told_at_its_entry(parks, signed_in, typed, field, code, language):
    analyst = signed_in("analyst")
    address = vacant_unit(analyst)
    before = parks.snapshot("carriers").id
    answer = analyst.post(f"{address}?lang={language}", data=unit_form(analyst, address) | typed)
    assert answer.status_code == 422
    assert code in answer.text
    assert f'href="#f-{field}"' in answer.text
    assert f'id="e-{field}"' in answer.text
    assert "<b>" not in answer.text
    assert not work(parks, HANDLERS, once=True)
    assert parks.snapshot("carriers").id == before


def test_units_are_edited_by_who_may_and_read_by_auditors(parks, signed_in, client):
    address = vacant_unit(signed_in("operator"))
    auditor = signed_in("auditor")
    page = auditor.get(address)
    assert page.status_code == 200
    assert 'name="tenant"' not in page.text
    token = re.search(r'name="csrf" value="([^"]+)"', auditor.get("/help").text)[1]
    assert auditor.post(address, data={"csrf": token, "key": new_key(), "seen": "x"}).status_code == 403
    assert signed_in("member").get(address).status_code == 403
    assert client.get(address).status_code in {303, 401}
    assert "/units/" not in signed_in("member").get("/parks/to-let").text
    assert signed_in("operator").get(f"{address}9").status_code == 404


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("en", "dark")])
def test_the_form_of_a_unit_is_accessible_and_works_without_scripts(live, chrome, parks, people, language, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    from jiqun.accounts import sessions  # noqa: PLC0415
    from jiqun.web.visitor import SESSION  # noqa: PLC0415

    secret = sessions.open_session(parks, people["analyst"].id).secret
    for scripts in (True, False):
        context = chrome.new_context(
            viewport={"width": 380, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
        )
        context.add_cookies([{"name": SESSION, "value": secret, "url": live}])
        tab = context.new_page()
        tab.goto(f"{live}/parks/to-let?lang={language}")
        tab.click("main td a[aria-label]")
        tab.fill("#f-tenant", "Somebody")
        tab.click("main form button")
        assert tab.locator("#e-tenant").is_visible()
        if scripts:
            found = Axe().run(tab).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= 380
        else:
            tab.select_option("#f-status", "reserved")
            tab.click("main form button")
            assert tab.url.endswith("?done=edited")
        context.close()
