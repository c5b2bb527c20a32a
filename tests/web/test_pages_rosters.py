"""Pages of rosters: what waits, deciding, merging, exports, history and corrections; every role; hostile names."""

from __future__ import annotations

import io
import re
import zipfile

import polars as pl
import pytest
from web_people import HOSTILE

from jiqun.core.actor import LOCAL
from jiqun.roster import desk, records
from jiqun.roster.derive import derive

KEY = {"key": "a-key-of-this-test"}


@pytest.fixture
def roster(workspace):
    """A roster whose first row is in the register, whose second is in doubt, whose third is not there."""
    rows = pl.DataFrame(
        {
            "name": ["Maker 1", HOSTILE[0], "Nobody of this name", "Maker 12345678"],
            "city": ["Boulder", "Hamburg", None, None],
            "country": ["US", "DE", None, None],
            "size": [7, None, None, None],
        }
    )
    return desk.match(LOCAL, workspace, rows, name="<i>members</i>", as_of="2025-01-01", accept=0.9)


def token(page):
    return re.search(r'name="csrf" value="([^"]+)"', page.text)[1]


def post(browser, path, page, **fields):
    return browser.post(path, data={"csrf": token(page), **KEY, **fields})


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_shows_in_both_languages_and_escapes_names(signed_in, roster, language):
    browser = signed_in("operator")
    for path in ("/rosters", f"/rosters/{roster.id}", f"/rosters/{roster.id}/rows/1", "/firms/o0000001/history"):
        page = browser.get(path, params={"lang": language})
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text
        assert "<i>members" not in page.text
        assert f'lang="{"zh-Hans" if language == "zh" else "en"}"' in page.text


@pytest.mark.parametrize(("role", "told"), [("operator", True), ("analyst", True), ("member", False)])
def test_who_is_to_decide_is_told_at_home(signed_in, roster, role, told):
    page = signed_in(role).get("/", params={"lang": "en"}).text
    assert (f'href="/rosters/{roster.id}"' in page) is told
    assert ("The roster &lt;i&gt;members&lt;/i&gt; is matched and not merged" in page) is told


def test_who_may_see_rosters(signed_in, client, roster):
    path = f"/rosters/{roster.id}"
    assert {role: signed_in(role).get(path).status_code for role in ("operator", "analyst", "auditor", "member")} == {
        "operator": 200,
        "analyst": 200,
        "auditor": 200,
        "member": 403,
    }
    assert client.get(path).status_code in {303, 403}


def test_an_auditor_looks_and_changes_nothing(signed_in, roster):
    browser = signed_in("auditor")
    page = browser.get(f"/rosters/{roster.id}/rows/1")
    assert 'name="verdict"' not in page.text
    other = signed_in("operator").get(f"/rosters/{roster.id}")
    assert browser.post(f"/rosters/{roster.id}/apply", data={"csrf": token(other), **KEY}).status_code == 403


def test_a_pair_is_decided_and_the_next_one_comes(signed_in, workspace, roster):
    browser = signed_in("analyst")
    page = browser.get(f"/rosters/{roster.id}/rows/1")
    assert 'data-key="s"' in page.text
    assert "differs" in page.text
    organisation = re.search(r'name="organisation" value="([^"]+)"', page.text)[1]
    done = post(browser, f"/rosters/{roster.id}/rows/1", page, organisation=organisation, verdict="same")
    assert done.status_code == 303
    after = browser.get(f"/rosters/{roster.id}/rows/1")
    assert "Decided: the same as" in after.text
    decision = re.search(r'name="decision" value="([^"]+)"', after.text)[1]
    assert (
        post(browser, f"/rosters/{roster.id}/undo", after, decision=decision, row="1", key="another-key").status_code
        == 303
    )
    assert "Decided" not in browser.get(f"/rosters/{roster.id}/rows/1").text


@pytest.mark.parametrize(
    "fields", [{"organisation": "o0000001", "verdict": "maybe"}, {"organisation": "", "verdict": "same"}]
)
def test_a_verdict_that_cannot_be_is_refused(signed_in, roster, fields):
    browser = signed_in("operator")
    page = browser.get(f"/rosters/{roster.id}/rows/1")
    assert post(browser, f"/rosters/{roster.id}/rows/1", page, **fields).status_code == 422


def test_a_form_without_its_token_changes_nothing(signed_in, roster):
    browser = signed_in("operator")
    assert browser.post(f"/rosters/{roster.id}/apply", data=KEY).status_code == 403


def test_a_roster_is_merged_by_a_job_and_taken_out(signed_in, workspace, roster):
    browser = signed_in("operator")
    page = browser.get(f"/rosters/{roster.id}")
    assert post(browser, f"/rosters/{roster.id}/apply", page).status_code == 303
    assert [job.kind for job in workspace.database.jobs.list(kind="roster.derive")] == ["roster.derive"]
    derive(workspace)
    page = browser.get("/firms/r000000001")
    assert page.status_code == 200
    again = browser.get(f"/rosters/{roster.id}")
    assert post(browser, f"/rosters/{roster.id}/withdraw", again, key="another-key").status_code == 303
    derive(workspace)
    assert browser.get("/firms/r000000001").status_code == 404


def test_files_hold_every_row_and_run_no_formula(signed_in, workspace):
    rows = pl.DataFrame({"name": ["@SUM(1+1)", "Maker 1"]})
    made = desk.match(LOCAL, workspace, rows, name="sheet")
    browser = signed_in("auditor")
    sheet = browser.get(f"/rosters/{made.id}.csv")
    assert "'@SUM(1+1)" in sheet.text
    told = browser.get(f"/rosters/{made.id}.json").json()
    assert "@SUM(1+1)" in str(told)
    book = browser.get(f"/rosters/{made.id}.xlsx")
    with zipfile.ZipFile(io.BytesIO(book.content)) as files:
        assert not any(b"<f>" in files.read(name) for name in files.namelist())
    assert len(browser.get(f"/rosters/{made.id}.csv", params={"decision": "unmatched"}).text.splitlines()) < len(
        sheet.text.splitlines()
    )


def test_a_field_is_corrected_on_the_firms_page_and_taken_back(signed_in, workspace):
    browser = signed_in("analyst")
    firm = browser.get("/firms/o0000002")
    assert "/firms/o0000002/history" in firm.text
    page = browser.get("/firms/o0000002/history")
    assert post(browser, "/firms/o0000002/history", page, attribute="employees", value="<b>").status_code == 422
    done = post(
        browser,
        "/firms/o0000002/history",
        page,
        attribute="employees",
        value="12",
        reason="<u>phone</u>",
        key="good-key-1",
    )
    assert done.status_code == 303
    derive(workspace)
    after = browser.get("/firms/o0000002/history")
    assert "<u>phone" not in after.text
    assert "a correction" in browser.get("/firms/o0000002").text
    assert "shown" in after.text
    assert browser.get("/firms/o0000002/history.json").json()
    back = post(browser, "/firms/o0000002/history", after, attribute="employees", then="back", key="good-key-2")
    assert back.status_code == 303
    assert "taken back" in browser.get("/firms/o0000002/history").text


def test_a_member_sees_the_history_of_its_own_firm_only_and_not_who(signed_in, workspace, people):
    own = people["member"].organisation
    operator = signed_in("operator")
    page = operator.get(f"/firms/{own}/history")
    done = post(operator, f"/firms/{own}/history", page, attribute="employees", value="12")
    assert done.status_code == 303
    browser = signed_in("member")
    told = browser.get(f"/firms/{own}/history.json")
    assert told.status_code == 200
    assert {one["who"] for one in told.json()} == {None}
    assert 'name="attribute"' not in browser.get(f"/firms/{own}/history").text
    assert browser.get("/firms/o0000040/history").status_code == 403


def test_a_firm_outside_the_candidates_is_searched_and_chosen(signed_in, workspace, roster):
    browser = signed_in("analyst")
    path = f"/rosters/{roster.id}/rows/2"
    page = browser.get(path, params={"q": "Maker 7", "lang": "en"})
    organisation = re.search(r'name="organisation" value="([^"]+)"', page.text)[1]
    assert post(browser, path, page, organisation=organisation, verdict="same").status_code == 303
    assert records.now(workspace, roster)["organisation"][2] == organisation
    nothing = browser.get(f"/rosters/{roster.id}/rows/3", params={"q": "zzzzzz", "lang": "en"})
    assert "Nothing else is called so" in nothing.text
    assert 'name="q"' not in signed_in("auditor").get(path).text.partition("<main")[2]


def test_the_page_of_a_row_that_was_matched_leads_to_its_organisation(signed_in, workspace, roster):
    desk.apply(LOCAL, workspace, roster.id, key="apply")
    derive(workspace)
    desk.decide(LOCAL, workspace, roster.id, 1, "o0000003", "same", key="same")
    derive(workspace)
    browser = signed_in("analyst")
    for path in ("/firms/r000000001", "/firms/r000000001/history"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, path.replace("r000000001", "o0000003"))


@pytest.mark.parametrize("path", ["/rosters/ros_none", "/rosters/ros_none/rows/1", "/firms/o9999999/history"])
def test_what_is_not_there_is_said_so(signed_in, path):
    assert signed_in("operator").get(path).status_code == 404


def test_a_row_that_is_not_there_is_said_so(signed_in, roster):
    assert signed_in("operator").get(f"/rosters/{roster.id}/rows/99").status_code == 404


def test_keys_decide_in_a_browser_and_the_page_fits_a_phone(live, chrome, signed_in, roster):
    session = signed_in("operator")
    with chrome.new_context(viewport={"width": 380, "height": 800}) as context:
        context.add_cookies([{"name": name, "value": value, "url": live} for name, value in session.cookies.items()])
        page = context.new_page()
        page.goto(f"{live}/rosters/{roster.id}/rows/1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        page.keyboard.press("d")
        page.wait_for_load_state()
        page.wait_for_url("**done=different")
        page.goto(f"{live}/rosters/{roster.id}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_the_firms_of_a_merged_roster_can_be_asked_in_a_survey_round(signed_in, workspace, roster):
    browser = signed_in("operator")
    assert "/surveys/new?roster=" not in browser.get(f"/rosters/{roster.id}").text
    desk.apply(LOCAL, workspace, roster.id, key="merge")
    derive(workspace)
    link = re.search(r'href="(/surveys/new\?roster=[^"]+)"', browser.get(f"/rosters/{roster.id}").text)[1]
    page = browser.get(link).text
    assert '<option value="list" selected>' in page
    listed = re.search(r'<textarea id="organisations"[^>]*>([^<]*)</textarea>', page)[1].split()
    assert tuple(listed) == records.firms(workspace, records.find(workspace, roster.id))
    assert len(listed) > 1
    desk.withdraw(LOCAL, workspace, roster.id, key="withdraw")
    derive(workspace)
    left = records.firms(workspace, records.find(workspace, roster.id))
    assert left == tuple(one for one in listed if not one.startswith("r"))
    assert signed_in("member").get(link).status_code == 403
    assert browser.get("/surveys/new?roster=nothing").status_code == 404
