"""Surveys through their pages: a round from template to publication, forms by link without an account, nobody else's."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import polars as pl
import pytest
from test_web_pages import check_harmless
from web_people import HOSTILE

from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key
from jiqun.store.journal import Journal
from jiqun.store.worker import work
from jiqun.survey import links, records, respond, room, rounds
from jiqun.survey.questions import templates
from jiqun.survey.records import Roster
from jiqun.survey.rounds import Spec

FIGURES = {"a-revenue": "350", "a-revenue_digital": "200", "a-revenue_other": "150", "a-employees": "12"}
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
BASE = re.compile(r'name="base" value="(\d+)"')


def form_of(browser, path, **fields):
    page = browser.get(path).text
    base = BASE.search(page)
    made = {"csrf": TOKEN.search(page)[1], "key": new_key()} | ({"base": base[1]} if base else {})
    return made | fields


def a_round(workspace, kind="indicators", **more):
    template = templates()["quarterly-figures" if kind == "indicators" else "roster-links"]
    today = workspace.clock().date()
    values = {
        "kind": kind, "title_zh": template.zh, "title_en": template.en, "year": today.year, "quarter": None,
        "questions": template.question, "opens_on": today, "closes_on": today + timedelta(days=9),
        "roster": Roster(scope="all"), "note_zh": "保密", "note_en": "in confidence",
    }  # fmt: skip
    made = rounds.new(LOCAL, workspace, Spec(**values | more), key=new_key())
    return rounds.open_round(LOCAL, workspace, made.id, tell=False, key=new_key()).id


@pytest.fixture
def firm(people):
    """The member's organisation, of a hostile name."""
    return people["member"].organisation


@pytest.fixture
def link(workspace, firm):
    """A function that makes an open round and the path of a firm's form in it."""

    def make(kind="indicators", organisation=None, **more):
        survey = a_round(workspace, kind, **more)
        (made,) = links.make(LOCAL, workspace, survey, [organisation or firm], key=new_key())
        return survey, made.path

    return make


def other_firm(workspace, firm):
    return workspace.scan("organisations").filter(pl.col("id") != firm).select("id").head(1).collect().item()


def test_a_round_goes_from_a_template_to_the_table_of_indicators(signed_in, workspace, client):
    operator = signed_in("operator")
    page = operator.get("/surveys/new?template=quarterly-figures").text
    fields = dict(re.findall(r'<input(?![^>]*checkbox)[^>]*? name="([\w-]+)" value="([^"]*)"', page))
    fields |= {name: unescape(text) for name, text in re.findall(r'<textarea[^>]*name="([\w-]+)"[^>]*>([^<]*)<', page)}
    fields |= dict.fromkeys(re.findall(r'type="checkbox" name="(q-\d+-\w+)" value="yes" checked', page), "yes")
    for name, options in re.findall(r'<select id="[\w-]+" name="([\w-]+)">(.*?)</select>', page, re.S):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected', options)
        fields[name] = chosen[1] if chosen else ""
    fields = {name: unescape(value) for name, value in fields.items()}
    token = {"csrf": TOKEN.search(page)[1], "key": new_key()}
    fields |= {"scope": "all", "do": "save", **token}
    answer = operator.post("/surveys/new", data=fields)
    assert answer.status_code == 303, re.search(r'class="problem".*?</p>', answer.text, re.S)[0]
    survey = answer.headers["location"].split("/")[2].partition("?")[0]
    for kept, wanted in zip(
        records.find(workspace, survey).questions, templates()["quarterly-figures"].question, strict=True
    ):
        assert kept == wanted
    path = f"/surveys/{survey}"
    for step in ("open", "lock", "publish"):
        assert operator.post(f"{path}/{step}", data=form_of(operator, path)).status_code == 303
        if step == "open":
            made = operator.post(f"{path}/links.csv", data=form_of(operator, path)).text
            first = made.splitlines()[1].rsplit(",", 1)[1].replace("http://localhost", "")
            client.post(first, data=form_of(client, first, do="submit", **FIGURES))
    work(workspace, room.HANDLERS, once=True, threads=1)
    assert "survey-indicators" in operator.get(path).text
    values = dict(workspace.scan("indicators").select("indicator", "value").collect().iter_rows())
    assert values["revenue"] == 3_500_000.0
    assert workspace.snapshot("indicators").summary["response"]["answered"] == 1


@pytest.mark.parametrize("do", ["add", "drop:0", "up:1", "preview", "drop:99", "up:x"])
def test_the_editor_works_without_scripts_and_loses_nothing(signed_in, do):
    analyst = signed_in("analyst")
    fields = {"title_zh": "我的一轮", "kind": "indicators", "do": do}
    for place, code in enumerate(("alpha", "beta")):
        fields |= {
            f"q-{place}-code": code,
            f"q-{place}-zh": f"题{place}",
            f"q-{place}-en": code,
            f"q-{place}-type": "number",
        }
    answer = analyst.post("/surveys/new", data=form_of(analyst, "/surveys/new", **fields))
    if do in {"up:x", "drop:99"}:
        assert answer.status_code == 200
        assert "alpha" in answer.text
    assert "我的一轮" in answer.text
    codes = re.findall(r'name="q-\d+-code" value="(\w*)"', answer.text)
    expected = {"add": ["alpha", "beta", ""], "drop:0": ["beta"], "up:1": ["beta", "alpha"]}
    assert codes == expected.get(do, ["alpha", "beta"])
    assert ('id="preview"' in answer.text) == (do == "preview")


@pytest.mark.parametrize("count", [600, 20_000])
def test_a_list_of_organisations_is_kept_whole(signed_in, workspace, count):
    analyst = signed_in("analyst")
    listed = tuple(f"o{number:07}" for number in range(count))
    today = workspace.clock().date()
    fields = {
        "kind": "indicators", "title_zh": "收入", "title_en": "Revenue", "year": str(today.year), "scope": "list", "do": "save",
        "opens_on": today.isoformat(), "closes_on": today.isoformat(), "organisations": "\n".join(listed),
        "q-0-code": "revenue", "q-0-zh": "收入", "q-0-en": "Revenue", "q-0-type": "number", "q-0-unit": "万元",
    }  # fmt: skip
    answer = analyst.post("/surveys/new", data=form_of(analyst, "/surveys/new", **fields))
    assert answer.status_code == 303, answer.text
    made = answer.headers["location"].partition("?")[0].rpartition("/")[2]
    assert records.find(workspace, made).roster.organisations == listed
    again = analyst.post(
        f"/surveys/{made}/edit", data=form_of(analyst, f"/surveys/{made}/edit", **fields | {"do": "add:"})
    )
    assert again.text.count(listed[-1]) == 1


def test_a_draft_that_cannot_be_is_shown_again_with_what_is_wrong(signed_in):
    analyst = signed_in("analyst")
    fields = {
        "title_zh": "轮",
        "title_en": "Round",
        "q-0-code": "Bad Code",
        "q-0-zh": "题",
        "q-0-en": "q",
        "q-0-type": "number",
    }
    answer = analyst.post("/surveys/new", data=form_of(analyst, "/surveys/new", **fields, do="save"))
    assert answer.status_code == 422
    assert 'value="Bad Code"' in answer.text
    assert 'class="problem"' in answer.text


def test_a_form_is_filled_in_without_an_account_or_scripts(link, client, workspace, firm):
    survey, path = link()
    page = client.get(path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert "in confidence" in page.text
    saved = client.post(path, data=form_of(client, path, do="save", **FIGURES))
    assert saved.headers["location"] == f"{path}?done=saved"
    assert 'value="350"' in client.get(path).text
    wrong = client.post(path, data=form_of(client, path, do="submit", **FIGURES | {"a-revenue": "400"}))
    assert wrong.status_code == 422
    assert 'href="#q-revenue"' in wrong.text
    done = client.post(path, data=form_of(client, path, do="submit", by="王工", **FIGURES))
    assert done.headers["location"] == f"{path}/receipt"
    receipt = client.get(f"{path}/receipt").text
    assert "王工" in receipt
    assert client.get(f"{path}/receipt.json").status_code == 409
    Journal(workspace).tick()
    proof = client.get(f"{path}/receipt.json")
    assert proof.headers["content-disposition"] == 'attachment; filename="receipt.json"'
    assert proof.json()["leaves"][0]["request"]["given"]["revenue"] == "350"
    assert [one.organisation for one in records.handed_in(workspace, survey)] == [firm]


def test_a_field_is_checked_while_it_is_typed_and_its_total_with_it(link, client):
    _, path = link()
    told = client.post(
        f"{path}/check?q=revenue_other", data=form_of(client, path, **FIGURES | {"a-revenue_other": "99"})
    )
    assert 'id="s-revenue_other"' in told.text
    assert re.search(r'id="s-revenue" hx-swap-oob="true"[^>]*>\s*<p class="error"', told.text)
    assert "<html" not in told.text


def test_organisations_are_found_chosen_written_and_taken_out_without_scripts(link, client, workspace, firm):
    survey, path = link("links")
    found = client.post(path, data=form_of(client, path, do="find:suppliers", **{"n-suppliers": "Maker 7"}))
    assert found.status_code == 200
    button = re.search(r'value="(pick:suppliers:[\w]+)"[^>]*>Maker 7\b', found.text)[1]
    chosen = client.post(path, data=form_of(client, path, do=button, **{"n-suppliers": "Maker 7"}))
    assert chosen.headers["location"] == f"{path}#q-suppliers"
    stem = {"t-suppliers-0-name": "Maker 7", "t-suppliers-0-id": button.split(":")[2], "t-suppliers-0-strength": "3"}
    client.post(path, data=form_of(client, path, do="write:suppliers", **stem, **{"n-suppliers": "外部 <b>公司</b>"}))
    page = client.get(path).text
    assert "外部 &lt;b&gt;公司&lt;/b&gt;" in page
    assert re.search(r'<option value="3" selected>', page)
    stem |= {"t-suppliers-1-name": "外部 <b>公司</b>", "t-suppliers-1-id": ""}
    client.post(path, data=form_of(client, path, do="drop:suppliers:0", **stem))
    form = respond.form(workspace, respond.Respondent(survey, firm, LOCAL))
    assert form.given["suppliers"] == [{"name": "外部 <b>公司</b>"}]
    fragment = client.post(f"{path}/search?q=suppliers", data=form_of(client, path, **{"n-suppliers": "<img src=x"}))
    assert "&lt;img src=x" in fragment.text
    assert "<img" not in fragment.text


def test_of_two_at_once_the_second_sees_both_and_can_go_on(link, browse):
    _, path = link()
    one, two = browse(), browse()
    first, second = (
        form_of(one, path, do="save", **FIGURES),
        form_of(two, path, do="save", **FIGURES | {"a-employees": "99"}),
    )
    assert one.post(path, data=first).status_code == 303
    told = two.post(path, data=second)
    assert told.status_code == 409
    assert 'name="a-employees" inputmode="decimal" autocomplete="off" maxlength="60" value="99"' in told.text
    assert "<strong>12</strong>" in told.text
    again = {"csrf": TOKEN.search(told.text)[1], "key": new_key(), "base": BASE.search(told.text)[1]}
    assert two.post(path, data=again | {"do": "submit", **FIGURES, "a-employees": "99"}).status_code == 303


def test_who_goes_back_and_sends_again_is_not_refused(link, client):
    _, path = link()
    first = form_of(client, path, do="save", **FIGURES)
    assert client.post(path, data=first).status_code == 303
    assert client.post(path, data=first).status_code == 303
    assert client.post(path, data=first | {"a-employees": "13"}).status_code == 409


@pytest.mark.parametrize("end", ["", "/receipt", "/receipt.json", "/stop"])
def test_a_link_that_is_none_opens_nothing_and_guessing_is_slowed_down(client, workspace, end):
    a_round(workspace)
    statuses = [client.get(f"/forms/jqf_guess{n}{end}").status_code for n in range(25)]
    assert set(statuses[:20]) == {404}
    assert set(statuses[20:]) == {429}


def test_a_good_link_opens_while_others_guess(client, link):
    _, path = link()
    for n in range(30):
        client.get(f"/forms/jqf_guess{n}")
    assert client.get(path).status_code == 200


def test_a_link_that_was_taken_back_opens_nothing(client, link, workspace, firm):
    survey, path = link()
    links.revoke(LOCAL, workspace, survey, firm, key=new_key())
    assert client.get(path).status_code == 404
    assert client.post(path, data={"key": new_key()}).status_code in {403, 404}


@pytest.mark.parametrize("end", ["", "/check?q=revenue", "/search?q=suppliers", "/decline", "/stop"])
@pytest.mark.parametrize("token", [{}, {"csrf": "forged"}])
def test_a_form_of_another_site_changes_nothing(client, link, workspace, end, token):
    survey, path = link()
    client.get(path)
    fields = {"key": new_key(), "base": "0", "do": "submit", "why": "unwilling", **FIGURES, **token}
    assert client.post(path + end, data=fields).status_code == 403
    assert not records.handed_in(workspace, survey)
    assert {one.state for one in records.roster(workspace, survey)} == {"silent"}


def test_declining_needs_a_reason_and_is_told(client, link, workspace, firm):
    survey, path = link()
    assert client.post(f"{path}/decline", data=form_of(client, path)).status_code == 422
    done = client.post(f"{path}/decline", data=form_of(client, path, why="not_applicable", words="<script>x</script>"))
    assert done.status_code == 303
    due = next(one for one in records.roster(workspace, survey) if one.organisation == firm)
    assert (due.state, due.decline) == ("declined", "not_applicable")
    check_harmless(client.get(path).text, path)


def test_what_firms_write_stays_text_on_every_page(client, link, signed_in, workspace, firm):
    survey, path = link(readers=("analyst",))
    for name in HOSTILE:
        client.post(
            path, data=form_of(client, path, do="save", by=name, **FIGURES | {"a-remark": name, "a-revenue": name})
        )
        check_harmless(client.get(path).text, path)
    answer = client.post(
        path, data=form_of(client, path, do="submit", by=HOSTILE[1], **FIGURES | {"a-remark": HOSTILE[0]})
    )
    assert answer.status_code == 303
    check_harmless(client.get(f"{path}/receipt").text, path)
    for role in ("operator", "analyst", "auditor"):
        browser = signed_in(role)
        for page in (f"/surveys/{survey}", f"/surveys/{survey}/firms/{firm}", "/surveys"):
            shown = browser.get(page)
            assert shown.status_code == 200, page
            check_harmless(shown.text, page)


def test_sheets_of_answers_and_links_hold_no_formula(client, link, signed_in):
    survey, path = link()
    client.post(path, data=form_of(client, path, do="submit", **FIGURES | {"a-remark": "@SUM(A1)"}))
    operator = signed_in("operator")
    answers = operator.get(f"/surveys/{survey}/answers.csv").text
    assert "'@SUM(A1)" in answers
    made = operator.post(f"/surveys/{survey}/links.csv", data=form_of(operator, f"/surveys/{survey}")).text
    assert not [cell for line in made.splitlines() for cell in line.split(",") if cell[:1] in {"=", "+", "-", "@"}]


ROLES = ("out", "operator", "analyst", "member", "auditor")
PAGES = {
    "/surveys": (303, 200, 200, 403, 200),
    "/surveys/new": (303, 200, 200, 403, 403),
    "/surveys/{survey}": (303, 200, 200, 403, 200),
    "/surveys/{survey}/rates.csv": (303, 200, 200, 403, 200),
    "/surveys/{survey}/answers.csv": (303, 200, 403, 403, 403),
    "/surveys/{survey}/firms/{firm}": (303, 200, 200, 403, 200),
    "/surveys/templates/tenders": (303, 200, 200, 403, 200),
    "/mine/forms/{survey}": (303, 403, 403, 200, 403),
    "/mine/forms/{survey}/receipt": (303, 403, 403, 404, 403),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_finds_its_pages_of_surveys(client, signed_in, workspace, firm, role):
    survey = a_round(workspace)
    client.app.state.settings = type(client.app.state.settings)(public=False)
    browser = client if role == "out" else signed_in(role)
    found = {path: browser.get(path.format(survey=survey, firm=firm)).status_code for path in PAGES}
    assert found == {path: statuses[ROLES.index(role)] for path, statuses in PAGES.items()}


@pytest.mark.parametrize("role", ["analyst", "auditor", "member"])
def test_contacts_and_links_are_seen_by_operators_only(signed_in, workspace, firm, role):
    survey = a_round(workspace)
    operator, other = signed_in("operator"), signed_in(role)
    page = f"/surveys/{survey}/firms/{firm}"
    done = operator.post(f"{page}/contact", data=form_of(operator, page, address="liaison@example.org"))
    assert done.status_code == 303
    assert "liaison@example.org" in operator.get(page).text
    assert "liaison@example.org" not in other.get(page).text
    assert "liaison@example.org" not in operator.get(f"/surveys/{survey}/answers.csv").text
    assert (
        other.post(f"{page}/link", data=form_of(other, "/help" if role == "member" else "/surveys")).status_code == 403
    )
    entries = operator.get("/journal").text
    assert "liaison" not in entries


def test_a_member_finds_its_form_at_home_until_it_answered(signed_in, workspace):
    survey = a_round(workspace)
    member = signed_in("member")
    assert f"/mine/forms/{survey}" in member.get("/").text
    path = f"/mine/forms/{survey}"
    done = member.post(path, data=form_of(member, path, do="submit", **FIGURES))
    assert done.headers["location"] == f"{path}/receipt"
    assert f"/mine/forms/{survey}" not in member.get("/").text
    assert member.get(f"{path}/receipt").status_code == 200


def test_a_member_who_is_not_asked_has_no_form(signed_in, workspace, firm):
    survey = a_round(workspace, roster=Roster(scope="list", organisations=(other_firm(workspace, firm),)))
    assert signed_in("member").get(f"/mine/forms/{survey}").status_code == 404


def test_stopping_reminders_takes_more_than_looking(client, link):
    _, path = link()
    page = client.get(f"{path}/stop")
    assert page.status_code == 200
    assert "This link was not mailed by us" in page.text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_both_languages_are_said_all_the_way(client, link, signed_in, language):
    survey, path = link()
    for browser, page in (
        (client, path),
        (signed_in("operator"), f"/surveys/{survey}"),
        (signed_in("analyst"), "/surveys/new"),
    ):
        text = browser.get(f"{page}?lang={language}").text
        assert ("填写人" in text or "应答" in text or "新的一轮" in text) == (language == "zh"), page
