"""Pages of what is given to the diagnosis: who sees and writes, what is refused and kept, versions, a browser."""

from __future__ import annotations

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from jiqun.assess import desk
from jiqun.assess.declared import HANDLERS
from jiqun.assess.diagnosis import DiagnoseRequest, diagnose
from jiqun.assess.given_records import newest, revisions, rows_of
from jiqun.assess.given_tables import MOST_BYTES, NAMES
from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key
from jiqun.store.worker import work

BASE = "/assess/diagnosis/given"
PAGES = (BASE, *(f"{BASE}/{name}" for name in NAMES))
PLANS = "region,text\nA,发展集成电路\nB,发展人工智能\nC,发展集成电路和人工智能\n"
TAGS = "code,tag\n01,traditional\n0105,emerging\n"
SCORES = "unit,score,low,high\nc0001,0.4,0.3,0.5\n"
TEXTS = {"plans": PLANS, "tags": TAGS, "frontier": SCORES}
EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><b>x</b>",
    "@SUM(1)",
    "-2+3",
    "{{ 7*7 }}",
)


def token(browser):
    """The token of a browser's forms."""
    return re.search(r'name="csrf" value="([^"]+)"', browser.get(f"{BASE}/plans").text)[1]


def post(browser, path, *, file=None, csrf=None, **fields):
    """Send a form with a file, as browsers do: also where none was chosen."""
    sent = {"csrf": csrf or token(browser), "key": new_key(), **{name: str(value) for name, value in fields.items()}}
    return browser.post(f"{BASE}/{path}", data=sent, files={"file": file or ("", b"", "application/octet-stream")})


def give_all(browser):
    """All three tables, by paste."""
    for name, text in TEXTS.items():
        assert post(browser, name, rows=text, base=0).status_code == 303


@pytest.mark.parametrize("language", ["zh", "en"])
def test_texts_and_tags_are_for_all_and_scores_and_who_gave_them_are_not(signed_in, client, workspace, language):
    give_all(signed_in("analyst"))
    for browser, sees in (
        (client, False),
        *((signed_in(role), role != "member") for role in ("member", "operator", "auditor")),
    ):
        for path in PAGES:
            answer = browser.get(f"{path}?lang={language}")
            public = path.endswith(("plans", "tags"))
            assert answer.status_code == 200 if sees or public else answer.status_code in {303, 403}, path
            if answer.status_code == 200:
                assert ("acc_" in answer.text) == sees, path
                assert answer.text.count("<h1>") == 1
                assert "None" not in answer.text
        for twin in ("plans.csv", "tags.json"):
            assert browser.get(f"{BASE}/{twin}").status_code == 200
        assert (browser.get(f"{BASE}/frontier.csv").status_code == 200) == sees
        assert (browser.get(f"{BASE}/tables.json").status_code == 200) == sees
    writes = "f-rows" in signed_in("operator").get(f"{BASE}/tags").text
    assert writes
    assert "f-rows" not in signed_in("auditor").get(f"{BASE}/tags").text


def test_nobody_else_writes_and_a_forged_form_is_refused(signed_in, workspace):
    analyst = signed_in("analyst")
    for role in ("member", "auditor"):
        browser = signed_in(role)
        page = browser.get("/account").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        for path, fields in (
            ("tags", {"rows": TAGS}), ("tags/check", {"rows": TAGS}), ("plans/add", {"region": "A", "text": "b"}),
        ):  # fmt: skip
            assert post(browser, path, csrf=csrf, **fields).status_code == 403
        for path, fields in (("tags/back", {"revision": 0, "base": 0}), ("frontier/take", {"name": "x", "base": 0})):
            sent = {"csrf": csrf, "key": new_key(), **fields}
            assert browser.post(f"{BASE}/{path}", data=sent).status_code == 403
        assert browser.get(f"{BASE}/tags/template.csv").status_code == 403
    assert post(analyst, "tags", csrf="forged", rows=TAGS).status_code == 403
    assert not newest(workspace)
    assert analyst.get(f"{BASE}/organisations").status_code == 404
    assert analyst.get(f"{BASE}/tags?revision=5").status_code == 404


@pytest.mark.parametrize("language", ["zh", "en"])
def test_bad_rows_are_all_told_and_what_was_typed_stays(signed_in, workspace, language):
    analyst = signed_in("analyst")
    analyst.get(f"{BASE}?lang={language}")
    typed = "code,tag\n9999,future\n01,</textarea><b>x</b>\n02,future\n"
    for path in ("tags", "tags/check"):
        answer = post(analyst, path, rows=typed, base=0)
        assert answer.status_code == 422
        page = answer.text
        assert "JQ-ASSESS-140" in page
        assert page.count("JQ-ASSESS-142") == 2
        assert "9999" in page
        assert "</textarea>&lt;" not in page
        assert "&lt;/textarea&gt;&lt;b&gt;x&lt;/b&gt;" in page
        assert "02,future\n</textarea>" in page
    bad = post(analyst, "tags", file=("标签.csv", "代码,标签\n9999,未来\n".encode("gb18030"), "text/csv"), base=0)
    assert bad.status_code == 422
    assert 'id="e-file"' in bad.text
    one = post(analyst, "plans/add", region="", text="<b>做强</b>")
    assert one.status_code == 422
    assert 'href="#f-region"' in one.text
    assert "&lt;b&gt;做强&lt;/b&gt;</textarea>" in one.text
    fine = post(analyst, "tags/check", rows=TAGS, base=0)
    assert fine.status_code == 200
    assert 'class="done"' in fine.text
    assert TAGS.rstrip("\n") in fine.text
    assert not newest(workspace)


def test_files_in_any_encoding_and_workbooks_are_taken(signed_in, workspace):
    analyst = signed_in("analyst")
    wide = "地区\t文本\n湖北\t做强光电子信息\n".encode("gb18030")
    assert post(analyst, "plans", file=("规划.txt", wide, "text/plain"), base=0).status_code == 303
    assert newest(workspace)["plans"].source == "规划.txt"
    assert rows_of(workspace, "plans").rows() == [("湖北", "做强光电子信息")]
    book = analyst.get(f"{BASE}/tags/template.xlsx?lang=en").content
    filled = io.BytesIO()
    frame = pl.read_excel(io.BytesIO(book), engine="calamine").with_columns(tag=pl.lit("future"))
    frame.write_excel(filled)
    assert post(analyst, "tags", file=("tags.xlsx", filled.getvalue(), "x"), base=0).status_code == 303
    assert newest(workspace)["tags"].rows == 156
    both = post(analyst, "tags", rows=TAGS, file=("tags.csv", TAGS.encode(), "text/csv"), base=1)
    assert (both.status_code, "JQ-ASSESS-032" in both.text) == (422, True)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "JQ-ASSESS-149"),
        (b"\xef\xbb\xbf", "JQ-FILE-002"),
        (b"code,tag\n", "JQ-FILE-003"),
        (b"\x89PNG\r\n", "JQ-FILE-012"),
        (b"region,text\nA," + b"x" * (MOST_BYTES * 2), "JQ-ASSESS-144"),
    ],
)
def test_a_file_that_cannot_be_is_refused_on_the_form(signed_in, workspace, content, code):
    answer = post(signed_in("analyst"), "plans", file=("x.csv" if content else "", content, "text/csv"), base=0)
    assert answer.status_code == 422
    assert code in answer.text
    assert 'id="f-rows"' in answer.text
    assert not newest(workspace)


def test_five_megabytes_of_text_are_refused_and_said_to_be_too_large(signed_in, workspace):
    analyst = signed_in("analyst")
    for path, fields in (
        ("plans/add", {"region": "A", "text": "长" * 1_700_000}),
        ("plans", {"rows": "x" * 5_000_000}),
    ):
        answer = post(analyst, path, **fields)
        assert answer.status_code == 422
        assert "5.1 MB" in answer.text or "5.0 MB" in answer.text
        assert len(answer.text) < 100_000
    assert post(analyst, "plans", rows="x" * 21_000_000).status_code == 413
    assert not newest(workspace)


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_names_are_shown_as_they_are_and_run_nowhere(signed_in, workspace, evil):
    analyst = signed_in("analyst")
    assert post(analyst, "plans/add", region=evil, text=evil).status_code == 303
    row = f'"{evil.replace(chr(34), chr(34) * 2)}",0.5,0.4,0.6'
    assert post(analyst, "frontier", rows=f"unit,score,low,high\n{row}\n", base=0).status_code == 303
    for name in ("plans", "frontier"):
        page = analyst.get(f"{BASE}/{name}?lang=en").text
        for run in ("<script>alert", "<img src=x", "<b>x</b>"):
            assert run not in page
        sheet = analyst.get(f"{BASE}/{name}.csv").content.decode("utf-8-sig")
        if evil[0] in "@-":
            assert f"'{evil}" in sheet
        stored = json.loads(analyst.get(f"{BASE}/{name}.json").content)
        assert evil in json.dumps(stored, ensure_ascii=False).replace('\\"', '"')
    overview = analyst.get(f"{BASE}?lang=en").text
    assert "<script>alert" not in overview


def test_a_diagnosis_reads_what_is_given_and_tells_when_that_has_changed(signed_in, workspace):
    analyst = signed_in("analyst")
    give_all(analyst)
    said = {"csrf": token(analyst), "key": new_key(), "class": ""}
    assert analyst.post("/assess/diagnosis", data=said).status_code == 303
    assert work(workspace, HANDLERS, once=True) >= 1
    stored = workspace.result("diagnosis")
    read = {one.name: one.digest for one in stored.lineage.inputs}
    assert {name: one.digest for name, one in newest(workspace).items()} == {n: read[f"given-{n}"] for n in NAMES}
    page = analyst.get("/assess/diagnosis?lang=en").text
    for name, one in newest(workspace).items():
        assert f'href="{BASE}/{name}?revision=1"' in page
        assert one.version in page
    assert "Given tables have changed since" not in page
    assert "The last diagnosis read this version." in analyst.get(f"{BASE}/tags?lang=en").text
    assert post(analyst, "tags", rows="code,tag\n01,future\n", base=1).status_code == 303
    for path in ("/assess/diagnosis", BASE, f"{BASE}/tags"):
        assert "Given tables have changed since" in analyst.get(f"{path}?lang=en").text, path
        assert "诊断用表此后有变" in analyst.get(f"{path}?lang=zh").text, path
    assert analyst.get("/api/v1/assess/given").json()["changed"] == ["tags"]
    back = {"csrf": token(analyst), "key": new_key(), "revision": "1", "base": "2"}
    assert analyst.post(f"{BASE}/tags/back", data=back).status_code == 303
    assert "Given tables have changed since" not in analyst.get("/assess/diagnosis?lang=en").text


def test_where_a_finding_is_unknown_for_want_of_a_table_a_link_leads_to_it(signed_in, workspace):
    diagnose(LOCAL, workspace, DiagnoseRequest(throws=99))
    analyst = signed_in("analyst")
    page = analyst.get("/assess/diagnosis?lang=en").text
    assert f'href="{BASE}/plans"' in page
    assert f'href="{BASE}/tags"' in page
    assert f'href="{BASE}/tags">Give it' in analyst.get("/assess/diagnosis/units/c0001?lang=en").text
    assert (
        f'href="{BASE}/tags">See what is given'
        in signed_in("auditor").get("/assess/diagnosis/units/c0001?lang=en").text
    )


def test_versions_are_shown_taken_away_and_put_back(signed_in, workspace):
    analyst = signed_in("analyst")
    post(analyst, "tags", rows=TAGS, base=0)
    post(analyst, "tags", rows="code,tag\n01,future\n", base=1)
    old = analyst.get(f"{BASE}/tags?revision=1&lang=en").text
    assert "Not the latest" in old
    assert f"{BASE}/tags.csv?revision=1" in old
    assert "0105" in analyst.get(f"{BASE}/tags.csv?revision=1").text
    csrf = token(analyst)
    for revision, base, status in ((0, 2, 303), (2, 2, 409), (2, 3, 303), (9, 4, 404)):
        sent = {"csrf": csrf, "key": new_key(), "revision": str(revision), "base": str(base)}
        answer = analyst.post(f"{BASE}/tags/back", data=sent)
        assert answer.status_code == (422 if status == 409 else status)
        assert ("JQ-ASSESS-145" in answer.text) == (status == 409)
    assert [one.act for one in revisions(workspace, "tags")] == ["back", "removed", "given", "given"]
    names = (
        {leaf.operation for leaf in workspace.database.journal.leaves()}
        if hasattr(workspace.database, "journal")
        else set()
    )
    assert not names or "assess.give" in names


def test_two_who_give_at_once_do_not_overwrite_each_other_unseen(signed_in, workspace):
    first, second = signed_in("analyst"), signed_in("operator")
    csrfs = [token(first), token(second)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(
                lambda one: post(one[0], "tags", csrf=one[1], rows=f"code,tag\n0{one[2]},future\n", base=0),
                zip((first, second), csrfs, (1, 2), strict=True),
            )
        )
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    (late,) = (answer for answer in answers if answer.status_code == 422)
    assert "JQ-ASSESS-145" in late.text
    assert 'name="base" value="1"' in late.text  # having seen it, they may give theirs
    assert ",future\n</textarea>" in late.text
    assert len(revisions(workspace, "tags")) == 1
    with ThreadPoolExecutor(4) as pool:
        added = list(
            pool.map(lambda k: post(first, "plans/add", csrf=csrfs[0], region=f"R{k}", text="发展集成电路"), range(8))
        )
    assert {answer.status_code for answer in added} == {303}
    assert rows_of(workspace, "plans").height == 8


def test_the_scores_of_a_stored_frontier_are_taken_with_a_button(signed_in, workspace):
    analyst = signed_in("analyst")
    assert "No frontier with intervals is stored" in analyst.get(f"{BASE}/frontier?lang=en").text
    rows = [
        (f"u{k}", code, 2024, float(v)) for k in range(8) for code, v in (("in", 1 + k % 4), ("out", 1 + (k * 3) % 5))
    ]
    frame = pl.DataFrame(rows, schema=["unit", "indicator", "year", "value"], orient="row")
    with workspace.new_snapshot("indicators", as_of="2024-12-31", source="made up for a test") as writer:
        writer.write(frame.with_columns(id=pl.format("i{}", pl.int_range(pl.len()))))
    desk.run_frontier(LOCAL, workspace, desk.FrontierChoice("sure", ("in",), ("out",), bootstrap=100))
    assert '<option value="sure"' in analyst.get(f"{BASE}/frontier").text
    sent = {"csrf": token(analyst), "key": new_key(), "name": "none", "base": "0"}
    assert analyst.post(f"{BASE}/frontier/take", data=sent).status_code == 422
    assert analyst.post(f"{BASE}/frontier/take", data={**sent, "name": "sure", "key": new_key()}).status_code == 303
    assert newest(workspace)["frontier"].source == "sure"


def test_a_region_is_called_as_the_plans_call_it_already(signed_in, workspace, monkeypatch):
    from jiqun.core.document import Text  # noqa: PLC0415

    monkeypatch.setattr("jiqun.web.pages.given.regions_to_choose", lambda _: [("CN.30", Text("广东", "Guangdong"))])
    analyst = signed_in("analyst")
    for region in ("广东", "Guangdong", "CN.30", "湖北"):
        assert post(analyst, "plans/add", region=region, text=f"发展{region}集成电路").status_code == 303
    assert rows_of(workspace, "plans")["region"].to_list() == ["广东", "广东", "广东", "湖北"]
    assert analyst.get(f"{BASE}/plans?lang=en").text.count("<option value=") == 3


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh", 380, "light"), ("en", 1280, "dark")])
def test_pages_are_accessible_and_fit(live, chrome, workspace, people, signed_in, language, width, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    from jiqun.accounts import sessions  # noqa: PLC0415
    from jiqun.web.visitor import SESSION  # noqa: PLC0415

    give_all(signed_in("analyst"))
    context = chrome.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    secret = sessions.open_session(workspace, people["analyst"].id).secret
    context.add_cookies([{"name": SESSION, "value": secret, "url": live}])
    tab, said = context.new_page(), []
    tab.on("pageerror", lambda error: said.append(str(error)))
    for path in PAGES:
        tab.goto(f"{live}{path}?lang={language}")
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], path
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    tab.goto(f"{live}{BASE}/tags?lang={language}")
    tab.fill("#f-rows", "code,tag\n9999,future\n01,<b>x</b>\n")
    tab.click("form.editor button:not(.quiet)")
    assert tab.input_value("#f-rows").startswith("code,tag\n9999")
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    tab.fill("#f-rows", "code,tag\n0301,future\n")
    tab.click("form.editor button.quiet")
    assert tab.locator("p.done").count() == 1
    tab.click("form.editor button:not(.quiet)")
    tab.wait_for_url("**/tags?done=given")
    assert newest(workspace)["tags"].revision == 2
    assert said == []
    context.close()
