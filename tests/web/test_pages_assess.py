"""Assess's pages: empty, full, for every role, in both languages; other weights, traces, twins, files, hostile names."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from urllib.parse import quote

import polars as pl
import pytest
from test_web_pages import check_harmless, form
from web_people import HOSTILE, NAMES

from jiqun.assess import desk, own_frameworks
from jiqun.assess.declared import HANDLERS
from jiqun.assess.framework import framework_of, shipped_text
from jiqun.assess.questionnaire import questionnaire
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import links, records, respond, rounds
from jiqun.survey.records import Roster
from jiqun.survey.rounds import Spec
from jiqun.web.visitor import SESSION

ROLES = ("public", *NAMES)
FRAMEWORK = "competitiveness"


def load(workspace: Workspace, units: list[str], evidence: str = "made up <b>") -> None:
    """A few indicators of each unit; synthetic."""
    rows = []
    for k, unit in enumerate(units):
        rows += [
            (unit, "core_gdp_share", 4.0 + k, "%"),
            (unit, "standards", 3.0 + (5 * k) % 4, "项"),
            (unit, "market_share", 9.0 - (k * k) % 5, "%"),
            (unit, "employees", 100.0 + 10 * k, "人"),
            (unit, "revenue", 500.0 + 90 * ((3 * k) % 7), "万元"),
        ]
    frame = pl.DataFrame(rows, schema=["unit", "indicator", "value", "measure"], orient="row").with_columns(
        id=pl.format("i{}", pl.int_range(pl.len())), year=pl.lit(2023), evidence=pl.lit(evidence)
    )
    with workspace.new_snapshot("indicators", as_of="2023-12-31", source=evidence) as writer:
        writer.write(frame)


@pytest.fixture
def rated(workspace):
    """Units with hostile names, rated, with intervals and a frontier."""
    load(workspace, [*HOSTILE[:6], "a/b", "成都"])
    desk.run_index(LOCAL, workspace, desk.IndexChoice(FRAMEWORK, basis="table"))
    desk.run_uncertainty(LOCAL, workspace, desk.SureChoice(FRAMEWORK, runs=100, sensitivity=8))
    desk.run_frontier(LOCAL, workspace, desk.FrontierChoice("firms", ("employees",), ("revenue",)))
    return workspace


@pytest.fixture
def visit(browse, signed_in):
    """A new browser of a role; the public is not signed in."""
    return lambda role: browse() if role == "public" else signed_in(role)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_empty_says_what_to_do(visit, language):
    page = visit("analyst").get(f"/assess?lang={language}").text
    assert 'href="/assess/frameworks"' in page
    assert ("尚未评价" if language == "zh" else "Nothing has been rated yet") in page
    public = visit("public").get(f"/assess?lang={language}").text
    assert ("尚未发布指数" if language == "zh" else "No index is published yet") in public
    assert visit("analyst").get(f"/assess/index/{FRAMEWORK}").status_code == 404
    assert visit("analyst").get("/assess/index/nix").status_code == 404
    assert visit("analyst").get("/assess/frameworks/nix").status_code == 404


@pytest.mark.parametrize("role", ROLES)
def test_pages_of_every_role(visit, rated, role):
    desk.publish_index(LOCAL, rated, FRAMEWORK)
    browser = visit(role)
    for language in ("zh", "en"):
        for path in (
            "/assess",
            "/assess/frameworks",
            f"/assess/frameworks/{FRAMEWORK}",
            f"/assess/index/{FRAMEWORK}",
            f"/assess/index/{FRAMEWORK}?w_value=9&w_innovation=1",
            f"/assess/index/{FRAMEWORK}/units/{quote(HOSTILE[0], safe='')}",
            f"/assess/index/{FRAMEWORK}/units/{quote('a/b', safe='')}",
        ):
            answer = browser.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
            assert answer.status_code == 200, (role, path)
            check_harmless(answer.text, path)
            assert "made up <b>" not in answer.text
    runs = role in {"operator", "analyst"}
    assert (
        f'action="/assess/frameworks/{FRAMEWORK}/index"' in browser.get(f"/assess/frameworks/{FRAMEWORK}").text
    ) == runs
    shown = browser.get(f"/assess/index/{FRAMEWORK}").text
    assert (f'action="/assess/index/{FRAMEWORK}/uncertainty"' in shown) == runs
    assert (f'action="/assess/index/{FRAMEWORK}/publish"' in shown) == (role == "operator")
    refused = 303 if role == "public" else 403
    seen = role in {"operator", "analyst", "auditor"}
    for path in (
        "/assess/frontier",
        "/assess/frontier/firms",
        "/assess/frontier/firms.csv",
        "/assess/frontier/firms/peers.json",
    ):
        assert browser.get(path).status_code == (200 if seen else refused), (role, path)
    for path in ("/assess/frameworks/new", f"/assess/frameworks/{FRAMEWORK}/edit"):
        assert browser.get(path).status_code == (200 if runs else refused), (role, path)


def test_the_public_sees_nothing_before_it_is_published(visit, rated):
    public, analyst = visit("public"), visit("analyst")
    paths = (
        f"/assess/index/{FRAMEWORK}", f"/assess/index/{FRAMEWORK}.csv", f"/assess/index/{FRAMEWORK}/scores.json",
        f"/assess/index/{FRAMEWORK}/units/a%2Fb", f"/assess/index/{FRAMEWORK}/trace.json?unit=a/b",
        f"/assess/index/{FRAMEWORK}/reweighted.csv?w_value=1",
    )  # fmt: skip
    for path in paths:
        assert public.get(path).status_code == 404, path
        assert analyst.get(path).status_code == 200, path
    assert "成都" not in public.get("/assess").text
    operator = visit("operator")
    given = form(operator, "/help", show="yes")
    assert operator.post(f"/assess/index/{FRAMEWORK}/publish", data=given).status_code == 303
    for path in paths:
        assert public.get(path).status_code == 200, path
    given = form(operator, "/help", show="no")
    operator.post(f"/assess/index/{FRAMEWORK}/publish", data=given)
    assert public.get(paths[0]).status_code == 404
    assert (
        analyst.post(f"/assess/index/{FRAMEWORK}/publish", data=form(analyst, "/help", show="yes")).status_code == 403
    )


def test_publishing_opens_values_but_not_the_notes_on_them(visit, workspace):
    load(workspace, ["A", "B", "成都"], evidence="told in confidence by Oak Ltd")
    desk.run_index(LOCAL, workspace, desk.IndexChoice(FRAMEWORK, basis="table"))
    desk.publish_index(LOCAL, workspace, FRAMEWORK)
    base = f"/assess/index/{FRAMEWORK}"
    for role in ROLES:
        browser = visit(role)
        seen = role in {"operator", "analyst", "auditor"}
        for path in ("/units/A?lang=en", "/trace.json?unit=A", "/trace/cells.csv?unit=A", "/trace/cells.json?unit=A"):
            answer = browser.get(f"{base}{path}")
            assert answer.status_code == 200, path
            assert ("told in confidence" in answer.text) == seen, (role, path)
        assert "market_share" in browser.get(f"{base}/trace.json?unit=A").text


def test_other_weights_are_tried_without_scripts_and_told(visit, rated):
    browser = visit("auditor")
    plain = browser.get(f"/assess/index/{FRAMEWORK}?lang=en").text
    assert 'name="w_value" value="' in plain
    assert "Ranks under these weights" not in plain
    tried = browser.get(f"/assess/index/{FRAMEWORK}?w_innovation=100&w_value=0&lang=en").text
    assert "Ranks under these weights" in tried
    assert re.search(r"ranks? moves?, by up to \d+", tried)
    assert 'name="w_innovation" value="100"' in tried
    rows = list(
        csv.DictReader(
            io.StringIO(
                browser.get(f"/assess/index/{FRAMEWORK}/reweighted.csv?w_innovation=100&w_value=0").text.lstrip(
                    "\ufeff"
                )
            )
        )
    )
    assert len(rows) == 8
    for odd in (
        "w_innovation=nan&w_value=-4",
        "w_innovation=&w_value=",
        "w_innovation=0&w_value=0",
        "w_other=3",
        "w_value=1e999",
    ):
        assert browser.get(f"/assess/index/{FRAMEWORK}?{odd}").status_code == 200, odd


def test_twins_and_files_hold_what_the_page_shows(visit, rated):
    browser = visit("analyst")
    told = browser.get(f"/assess/index/{FRAMEWORK}.json").json()
    assert (told["rated"], told["indicators"], len(told["units"])) == (3, 26, 8)
    assert [unit["rank"] for unit in told["units"]] == sorted(unit["rank"] for unit in told["units"])
    assert all(unit["low"] <= unit["high"] for unit in told["units"])
    page = browser.get(f"/assess/index/{FRAMEWORK}").text
    twins = set(re.findall(rf'href="(/assess/index/{FRAMEWORK}/[\w-]+\.(?:csv|json))"', page))
    assert len(twins) > 6
    for twin in twins:
        assert browser.get(twin).status_code == 200, twin
    unit = browser.get(f"/assess/index/{FRAMEWORK}/units/{quote(HOSTILE[0], safe='')}").text
    for twin in set(re.findall(rf'href="(/assess/index/{FRAMEWORK}/trace[^"]+\.(?:csv|json)\?[^"]+)"', unit)):
        assert browser.get(twin.replace("&amp;", "&")).status_code == 200, twin
    for ending, start in (("docx", b"PK"), ("xlsx", b"PK"), ("pdf", b"%PDF"), ("html", b"<!doctype")):
        for path in (
            f"/assess/index/{FRAMEWORK}.{ending}",
            f"/assess/report.{ending}",
            f"/assess/frontier/firms.{ending}",
        ):
            answer = browser.get(path)
            assert answer.status_code == 200, path
            assert answer.content[:9].lower().startswith(start.lower()), path
    assert browser.get(f"/assess/frameworks/{FRAMEWORK}.toml").text == shipped_text(FRAMEWORK)
    assert len(list(csv.DictReader(io.StringIO(browser.get(f"/assess/frameworks/{FRAMEWORK}.csv").text)))) == 26


def test_the_forms_queue_jobs_that_end_in_pages(visit, workspace):
    load(workspace, ["Boulder", "Cambridge"])
    browser = visit("analyst")
    page = browser.get(f"/assess/frameworks/{FRAMEWORK}?lang=en").text
    assert "Not known yet" in page
    answer = browser.post(
        f"/assess/frameworks/{FRAMEWORK}/index", data=form(browser, "/help", basis="table", year="2023")
    )
    assert answer.headers["location"].startswith("/jobs/")
    work(workspace, HANDLERS, once=True, threads=1)
    assert "/assess" in browser.get(answer.headers["location"]).text
    assert "used" in browser.get(f"/assess/frameworks/{FRAMEWORK}?lang=en").text
    answer = browser.post(f"/assess/index/{FRAMEWORK}/uncertainty", data=form(browser, "/help"))
    assert answer.status_code == 303
    frontier = form(browser, "/help", name="firms", inputs="employees", outputs="revenue")
    assert browser.post("/assess/frontier", data=frontier).status_code == 303
    assert (
        browser.post("/assess/frontier", data=form(browser, "/help", name="No Name!", inputs="employees")).status_code
        == 422
    )
    assert (
        browser.post(f"/assess/frameworks/{FRAMEWORK}/index", data=form(browser, "/help", basis="nonsense")).status_code
        == 422
    )
    work(workspace, HANDLERS, once=True, threads=1)
    assert desk.latest(workspace, desk.SURE, FRAMEWORK).values["units"] == 2


def test_a_job_that_cannot_rate_says_why_and_the_page_names_what_is_missing(visit, workspace):
    browser = visit("operator")
    answer = browser.post("/assess/frameworks/green/index", data=form(browser, "/help"))
    work(workspace, HANDLERS, once=True, threads=1)
    told = browser.get(f"{answer.headers['location']}?lang=en").text
    assert "None of the 12 indicators of green has values here" in told
    assert "No table of indicators is loaded." in browser.get("/assess/frameworks/green?lang=en").text


def test_a_framework_of_ones_own_is_checked_saved_and_taken_away(visit, workspace):
    browser = visit("analyst")
    text = shipped_text("green").replace('zh = "绿色"', 'zh = "<b>绿</b>"', 1).replace('version = "1"', 'version = "9"')
    checked = browser.post("/assess/frameworks/new", data=form(browser, "/help", text=text, do="check"))
    assert checked.status_code == 200
    assert not own_frameworks.own_files(workspace)[0]
    wrong = browser.post(
        "/assess/frameworks/new?lang=en", data=form(browser, "/help", text=text.replace("parent", "parrot"))
    )
    assert wrong.status_code == 422
    assert "problems" in wrong.text
    saved = browser.post("/assess/frameworks/new", data=form(browser, "/help", text=text.replace("\n", "\r\n")))
    assert saved.headers["location"].startswith("/assess/frameworks/green")
    page = browser.get("/assess/frameworks/green")
    check_harmless(page.text, "green")
    assert browser.get("/assess/frameworks/green.toml").text == text
    assert browser.post("/assess/frameworks/green/drop", data=form(browser, "/help")).status_code == 303
    assert browser.get("/assess/frameworks/green.toml").text == shipped_text("green")
    assert browser.post("/assess/frameworks/green/drop", data=form(browser, "/help")).status_code == 409
    member = visit("member")
    assert member.post("/assess/frameworks/new", data=form(member, "/help", text=text)).status_code == 403


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_no_accessibility_findings_at_380_pixels(chrome, live, rated, people, language, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    from jiqun.accounts import sessions  # noqa: PLC0415

    context = chrome.new_context(color_scheme=scheme, viewport={"width": 380, "height": 800})
    secret = sessions.open_session(rated, people["operator"].id).secret
    context.add_cookies([{"name": SESSION, "value": secret, "url": live}])
    tab = context.new_page()
    found = {}
    for path in (
        "/assess", "/assess/frameworks", f"/assess/frameworks/{FRAMEWORK}", "/assess/frameworks/new",
        f"/assess/index/{FRAMEWORK}?w_value=9", f"/assess/index/{FRAMEWORK}/units/a%2Fb", "/assess/frontier",
        "/assess/frontier/firms",
    ):  # fmt: skip
        tab.goto(f"{live}{path}{'&' if '?' in path else '?'}lang={language}")
        tab.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        violations = Axe().run(tab).response["violations"]
        if violations:
            found[path] = [(one["id"], one["nodes"][0]["html"][:200]) for one in violations]
        assert tab.evaluate("document.documentElement.scrollWidth") <= 380, path
    assert not found
    tab.goto(f"{live}/assess/index/{FRAMEWORK}?lang=en")
    tab.fill("#w-value", "0")
    tab.wait_for_selector("#reweighted table")
    assert "w_value=0" in tab.url
    context.close()


def test_a_repeated_form_queues_one_job(visit, workspace):
    load(workspace, ["a", "b"])
    browser = visit("operator")
    given = form(browser, "/help") | {"key": new_key()}
    first = browser.post(f"/assess/frameworks/{FRAMEWORK}/index", data=given).headers["location"]
    assert browser.post(f"/assess/frameworks/{FRAMEWORK}/index", data=given).headers["location"] == first


def test_a_clusters_page_says_how_it_stands_to_whom_may_know(visit, workspace):
    load(workspace, ["Boulder", "Cambridge"])
    desk.run_index(LOCAL, workspace, desk.IndexChoice(FRAMEWORK, basis="clusters"))
    path = "/clusters/c0001?lang=en"
    assert "how sure that is was not computed" in visit("analyst").get(path).text
    assert "how sure that is" not in visit("member").get(path).text
    desk.run_uncertainty(LOCAL, workspace, desk.SureChoice(FRAMEWORK, runs=100, sensitivity=0))
    desk.publish_index(LOCAL, workspace, FRAMEWORK)
    page = visit("member").get(path).text
    assert re.search(r"rank \d of 2, between \d and \d under other choices", page)
    assert f'href="/assess/index/{FRAMEWORK}/units/c0001"' in page
    assert visit("public").get("/api/v1/assess/standing?cluster_id=c0001").json()["rows"][0]["units"] == 2
    assert visit("public").get("/api/v1/assess/standing?cluster_id=c9999").json()["rows"] == []


# From a framework to a round and back


@pytest.fixture
def asked(workspace):
    """A round that its framework drafted, of the members of both clusters, closed: two of Cambridge answered."""
    told = framework_of("green")
    members = workspace.result("clusters").table("members").select("cluster_id", "id", "place_name").unique("id")
    today = workspace.clock().date()
    spec = Spec(
        kind="indicators", title_zh="节能问卷 <b>", title_en="Energy <b>", year=2024, questions=questionnaire(told),
        opens_on=today, closes_on=today, roster=Roster(scope="cluster"),
    )  # fmt: skip
    made = rounds.open_round(
        LOCAL, workspace, rounds.new(LOCAL, workspace, spec, key=new_key()).id, tell=False, key=new_key()
    )
    some = {place: frame["id"].sort().to_list() for (place,), frame in members.group_by("place_name")}
    few = min(some, key=lambda place: len(some[place]))
    for place, ids in some.items():
        for k, one in enumerate(ids[: 2 if place == few else 6]):
            (link,) = links.make(LOCAL, workspace, made.id, [one], key=new_key())
            given = {"energy_management": "yes" if k % 2 else "no", "employees": "9"}
            who = respond.through_link(workspace, link.secret)
            respond.save(workspace, who, given, base=0, submit=True, confirmed=True, key=new_key())
    rounds.lock(LOCAL, workspace, made.id, key=new_key())
    return made.id


class Filled(HTMLParser):
    """The fields of the editor as a browser would send them."""

    def __init__(self):
        super().__init__()
        self.fields, self.select, self.area = {}, None, None

    @classmethod
    def of(cls, page):
        made = cls()
        made.feed(page[page.index('class="editor"') :])
        return made.fields

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "input" and told.get("name") and (told.get("type") != "checkbox" or "checked" in told):
            self.fields[told["name"]] = told.get("value") or ""
        elif tag == "select":
            self.select = told["name"]
        elif tag == "option" and self.select and (self.select not in self.fields or "selected" in told):
            self.fields[self.select] = told.get("value") or ""
        elif tag == "textarea":
            self.area = told["name"]
            self.fields[self.area] = ""

    def handle_endtag(self, tag):
        if tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None

    def handle_data(self, data):
        if self.area:
            self.fields[self.area] += data


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_framework_drafts_a_round_with_nothing_typed(visit, workspace, language):
    analyst = visit("analyst")
    page = analyst.get(f"/assess/frameworks/nqpf?lang={language}").text
    link = re.search(r'href="(/surveys/new\?framework=nqpf)"', page)[1]
    editor = analyst.get(f"{link}&lang={language}").text
    for code in ("employees", "digital_skills", "training", "connected_equipment", "data_sharing", "conversion"):
        assert f'value="{code}"' in editor
    saved = analyst.post("/surveys/new", data=Filled.of(editor) | {"do": "save"})
    assert saved.status_code == 303, saved.text
    survey = saved.headers["location"].split("/")[-1].partition("?")[0]
    made = records.find(workspace, survey)
    assert made.questions == questionnaire(framework_of("nqpf"))
    assert made.roster == Roster(scope="cluster")
    rounds.open_round(LOCAL, workspace, survey, tell=False, key=new_key())
    inside = set(workspace.result("clusters").table("members")["id"])
    assert {one.organisation for one in records.roster(workspace, survey)} == inside
    page = analyst.get(f"/assess/frameworks/nqpf?lang={language}").text
    assert page.count(f'href="/surveys/{survey}"') == 5
    assert ("尚未截止" if language == "zh" else "not closed yet") in page


def test_who_may_not_draft_finds_no_button_and_what_asks_nothing_is_told(visit, workspace):
    for role in ("public", "member", "auditor"):
        assert "framework=nqpf" not in visit(role).get("/assess/frameworks/nqpf").text
    assert visit("public").get("/surveys/new?framework=nqpf").status_code == 303
    assert visit("member").get("/surveys/new?framework=nqpf").status_code == 403
    assert visit("analyst").get("/surveys/new?framework=nothing").status_code == 404
    own = shipped_text("green").replace('code = "green"\nzh', 'code = "mine"\nzh', 1)
    own = re.sub(r"(?m)^(question|aggregate|option) = .*\n", "", own)
    own_frameworks.save(LOCAL, workspace, own, key=new_key())
    assert "framework=mine" not in visit("analyst").get("/assess/frameworks/mine").text
    refused = visit("analyst").get("/surveys/new?framework=mine&lang=en")
    assert refused.status_code == 400
    assert "JQ-ASSESS-102" in refused.text


@pytest.mark.parametrize("role", ROLES)
def test_of_few_answers_every_role_but_those_inside_sees_nothing(visit, workspace, asked, role):
    text = shipped_text("green").replace('code = "green"\nzh', 'code = "mine"\nzh', 1)
    text = text.replace('option = "yes"', 'option = "yes"\nlow = 0\nhigh = 100', 1).replace(
        "screen = 0.6", "screen = 0"
    )
    text += """
[[indicator]]
code = "beyond_chance"
parent = "energy"
zh = "超出随机"
en = "Beyond chance"
unit = "ratio"
origin = "atlas"
source = "atlas"
"""
    own_frameworks.save(LOCAL, workspace, text, key=new_key())
    stored = desk.run_index(LOCAL, workspace, desk.IndexChoice("mine"))
    desk.publish_index(LOCAL, workspace, "mine")
    rows = stored.table("response")
    assert sorted(rows["state"]) == ["few", "shown"]
    few = rows.filter(state="few")["unit"].item()
    browser, inside = visit(role), role in {"operator", "analyst", "auditor"}
    unit = browser.get(f"/assess/index/mine/units/{few}?lang=en").text
    assert ("too few answers" in unit) == inside
    csv_ = browser.get("/assess/index/mine/response.csv?lang=en").text
    assert ("too few answers" in csv_) == inside
    assert len(csv_.strip().splitlines()) == 1 + (2 if inside else 1)
    told = browser.get(f"/assess/index/mine/trace.json?unit={few}").json()
    line = next(one for one in told["rows"] if one["indicator"] == "energy_management")
    assert [line[name] for name in ("raw", "answered", "asked", "evidence")] == [None] * 4
    answer = browser.get("/assess/index/mine.json").json()
    assert (answer["outdated"] is not None) == inside
    page = browser.get("/assess/index/mine?lang=en").text
    assert ("too few answers" in page) == inside  # kept fragments are not shared between those inside and others
    check_harmless(page, "/assess/index/mine")
    other = rows.filter(state="shown")["unit"].item()
    shown = browser.get(f"/assess/index/mine/units/{other}?lang=en").text
    assert (f'href="/surveys/{asked}"' in shown) == inside
    assert f"6/{rows.filter(state='shown')['asked'].item()}" in shown
    framework = browser.get("/assess/frameworks/mine?lang=en").text
    assert (f'href="/surveys/{asked}"' in framework) == inside
    assert "fills it" in framework or not inside


def test_a_round_opened_again_makes_the_index_out_of_date(visit, workspace, asked):
    test = shipped_text("green").replace('code = "green"\nzh', 'code = "mine"\nzh', 1)
    own_frameworks.save(LOCAL, workspace, test, key=new_key())
    rounds.reopen(
        LOCAL, workspace, asked, closes_on=workspace.clock().date(), reason="more from Cambridge", key=new_key()
    )
    cambridge = [one.organisation for one in records.roster(workspace, asked) if one.state == "silent"]
    for k, one in enumerate(cambridge[::3]):
        (link,) = links.make(LOCAL, workspace, asked, [one], key=new_key())
        who = respond.through_link(workspace, link.secret)
        given = {"energy_management": "no" if k else "yes", "employees": "9"}
        respond.save(workspace, who, given, base=0, submit=True, confirmed=True, key=new_key())
    rounds.lock(LOCAL, workspace, asked, key=new_key())
    desk.run_index(LOCAL, workspace, desk.IndexChoice("mine", basis="clusters"))
    analyst = visit("analyst")
    assert "Out of date" not in analyst.get("/assess/index/mine?lang=en").text
    rounds.reopen(LOCAL, workspace, asked, closes_on=workspace.clock().date(), reason="again", key=new_key())
    page = analyst.get("/assess/index/mine?lang=en").text
    assert "Out of date" in page
    assert "Energy &lt;b&gt; 2024" in page
    told = analyst.get("/assess/index/mine.json").json()["outdated"]
    assert told == [{"zh": "调查轮次“节能问卷 <b> 2024”", "en": "the survey round “Energy <b> 2024”"}]
