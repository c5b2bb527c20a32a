"""Pages of parks: the list, a park, units by filters; hostile names stay text, tenants are not for everybody."""

import re

import polars as pl
import pytest
from test_pages_imports import begun, form, opened, send, worked
from web_people import HOSTILE

from jiqun.assess import parks_desk as desk
from jiqun.core.actor import LOCAL
from jiqun.intake import desk as intake
from jiqun.store.commands import new_key

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
