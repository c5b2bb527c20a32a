"""The import pages without scripts: a messy workbook from upload to undo, and those who would break it."""

from __future__ import annotations

import csv
import io
import re
import threading
from html import unescape
from html.parser import HTMLParser

import pytest
from import_samples import HOSTILE_HEADERS, workbook

from jiqun.accounts import tokens
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.schema import schemas
from jiqun.core.sheets import FORMULA_START
from jiqun.intake import import_records, room
from jiqun.intake.columns import recognise
from jiqun.store.commands import new_key
from jiqun.store.worker import work
from jiqun.web.multipart import Form
from jiqun.web.pages.import_files import AT_ONCE


def form(text, action, **changes):
    """The fields of the form that goes to `action`, as a browser without scripts sends them."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*method="post"[^>]*>(.*?)</form>', text, re.DOTALL)
    assert found, (action, re.findall(r'action="([^"]*)"', text))
    fields = {}
    for tag in re.findall(r"<input[^>]*>", found[1]):
        name, value = (re.search(rf'\b{part}="([^"]*)"', tag) for part in ("name", "value"))
        if name and not re.search(r'type="(checkbox|file)"', tag):
            fields[unescape(name[1])] = unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', found[1], re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        fields[name] = unescape(chosen[1])
    return fields | changes


def send(browser, page, action, **changes):
    """Fill in a form of a page and send it; the answer must be a redirect, whose page is returned."""
    answer = browser.post(action, data=form(page, action, **changes))
    assert answer.status_code == 303, answer.text
    return opened(browser, answer.headers["location"])


class Elements(HTMLParser):
    """The elements of a page that none of ours could be."""

    def __init__(self) -> None:
        super().__init__()
        self.hostile: list[tuple[str, object]] = []

    @classmethod
    def of(cls, page):
        found = cls()
        found.feed(page)
        return found

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        ours = tag not in {"img", "svg", "iframe", "style"} and not any(name.startswith("on") for name in given)
        if not ours or (tag == "script" and not (given.get("src") or "").startswith("/static/")):
            self.hostile.append((tag, attrs))


def opened(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def upload(browser, content, name="firms.csv", **fields):
    page = opened(browser, "/imports/new")
    data = form(page, "/imports/new", **fields)
    return browser.post("/imports/new", data=data, files={"file": (name, content)})


def worked(workspace):
    work(workspace, room.HANDLERS, once=True, threads=1)


def begun(browser, workspace, content, **options):
    """The path of an import whose file is read."""
    answer = upload(browser, content, **options)
    assert answer.status_code == 303, answer.text
    worked(workspace)
    return answer.headers["location"].removesuffix("/columns")


@pytest.fixture
def analyst(signed_in):
    return signed_in("analyst")


def test_a_messy_workbook_is_imported_without_scripts(analyst, workspace):
    answer = upload(analyst, workbook(), name="企业名单.xlsx")
    base = answer.headers["location"].removesuffix("/columns")
    waiting = opened(analyst, f"{base}/columns")
    assert '<noscript><meta http-equiv="refresh"' in waiting
    worked(workspace)
    page = opened(analyst, base + "/columns")
    assert "refresh" not in page
    assert "3 sheets; read is “企业名单”." in page
    assert "JQ-" not in page
    fields = form(page, f"{base}/columns")
    chosen = {fields[name] for name in fields if name.startswith("column-")}
    assert chosen == {"name", "uscc", "industry_code", "city", "-"}
    # the user knows better what the first column is
    page = send(analyst, page, f"{base}/columns", **{"column-0": "source_id", "then": "stay"})
    assert "as you chose" in page
    page = send(analyst, page, f"{base}/columns", then="check")
    assert "Checking every row" in page
    worked(workspace)
    assert "rows need you" in opened(analyst, f"{base}/check")
    page = opened(analyst, f"{base}/rows")
    page = send(analyst, page, f"{base}/replace", value="6513")
    assert "check again to see what is left" in page
    cells = form(page, f"{base}/rows")
    empty = next(name for name, value in cells.items() if name.startswith("cell-") and not value)
    assert send(analyst, page, f"{base}/rows", **{empty: "=新公司", "then": "stay"})
    page = opened(analyst, f"{base}/rows")
    assert "2 corrections" in page
    page = send(analyst, page, f"{base}/unfix", row=empty.split("-")[1], column="企业名称", found="")
    assert "1 correction<" in page
    page = send(analyst, page, f"{base}/rows", **{empty: "新公司", "then": "check"})
    worked(workspace)
    page = opened(analyst, f"{base}/check")
    assert "JQ-DATA-014" not in page
    refused = analyst.post(f"{base}/load", data=form(page, f"{base}/load"))
    assert (refused.status_code, "no longer" in refused.text or "would drop" in refused.text) == (409, True)
    before = workspace.snapshot("organisations").id
    page = send(analyst, page, f"{base}/load", replace="yes")
    assert "Loading" in page
    worked(workspace)
    page = opened(analyst, f"{base}/load")
    assert re.search(r"<h1>\d+ new, 0 moved, \d+ no longer listed</h1>", page), page
    names = set(workspace.scan("organisations").select("name").collect()["name"])
    assert {"新公司", '<script>alert("jq")</script>'} <= names
    queued = analyst.post(f"{base}/search", data=form(page, f"{base}/search"))
    assert re.fullmatch(r"/jobs/job_\w+", queued.headers["location"])
    page = send(analyst, page, f"{base}/undo")
    assert "The table is as it was before this load." in page
    assert workspace.snapshot("organisations").id == before
    page = send(analyst, page, f"{base}/again")
    assert "The same file was uploaded before" in page
    assert opened(analyst, "/imports").count("企业名单.xlsx</a>") == 2


def test_every_page_says_it_in_chinese_too(analyst, workspace):
    base = begun(analyst, workspace, workbook(), name="a.xlsx")
    for step, heading in (("columns", "各列的含义对吗？"), ("check", "尚未检查")):
        assert heading in opened(analyst, f"{base}/{step}?lang=zh")
    page = opened(analyst, f"{base}/columns")
    send(analyst, page, f"{base}/columns", then="check")
    worked(workspace)
    page = opened(analyst, f"{base}/check")
    assert "行需要您处理" in page
    assert re.search(r"查看、更正有问题的 \d+ 行", page)  # findings of every kind: more than those that need someone
    assert "待查看" in opened(analyst, f"{base}/rows")
    assert '<html lang="zh' in opened(analyst, "/imports")


def test_nothing_imported_is_ever_markup_or_formula(analyst, workspace):
    """Every header and cell is hostile; so is the file's name."""
    rows = [["", "<b>x", *HOSTILE_HEADERS]] * 3
    text = io.StringIO()
    csv.writer(text).writerows([["企业名称", "行业代码", *HOSTILE_HEADERS], *rows])
    base = begun(analyst, workspace, text.getvalue().encode(), name='"><img src=x onerror=alert(1)>.csv')
    pages = [opened(analyst, f"{base}/columns"), opened(analyst, "/imports")]
    send(analyst, pages[0], f"{base}/columns", then="check")
    worked(workspace)
    pages += [opened(analyst, f"{base}/check"), opened(analyst, f"{base}/rows")]
    send(analyst, pages[-1], f"{base}/replace", value="<svg onload=alert(1)>")
    pages += [opened(analyst, f"{base}/rows"), opened(analyst, f"{base}/rows?code=<script>&start=-5")]
    for page in pages:
        assert not Elements.of(page).hostile
    for suffix in ("csv", "xlsx"):
        answer = analyst.get(f"{base}/findings.{suffix}")
        assert answer.headers["content-disposition"] == f'attachment; filename="findings.{suffix}"'
    cells = [cell for row in csv.reader(io.StringIO(analyst.get(f"{base}/findings.csv").text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(FORMULA_START)]


def test_templates_come_back_recognised(analyst, tmp_path):
    for table, described in schemas().items():
        for suffix in ("xlsx", "csv"):
            answer = analyst.get(f"/imports/template/{table}.{suffix}")
            assert answer.status_code == 200
            (tmp_path / f"{table}.{suffix}").write_bytes(answer.content)
        header = (tmp_path / f"{table}.csv").read_text("utf-8-sig").strip().split(",")
        assert {column.target for column in recognise(header, described)} == set(described.names)
    assert analyst.get("/imports/template/accounts.xlsx").status_code == 404
    assert analyst.get("/imports/template/organisations.exe").status_code == 400


def test_imports_are_their_uploaders_and_the_operators(analyst, signed_in, workspace, browse):
    base = begun(analyst, workspace, b"name,city\nA,Berlin\n")
    operator, member, auditor, nobody = signed_in("operator"), signed_in("member"), signed_in("auditor"), browse()
    assert base in opened(operator, "/imports")
    pages = ("/imports", "/imports/new", base, f"{base}/columns", f"{base}/check", f"{base}/findings.csv")
    for address in pages:
        assert member.get(address).status_code == auditor.get(address).status_code == 403
        assert nobody.get(address).status_code == 303
    other = begun(operator, workspace, b"name,city\nB,Berlin\n")
    assert analyst.get(f"{other}/columns").status_code == 404
    assert other not in opened(analyst, "/imports")
    assert analyst.get("/imports/imp_nothing/check").status_code == 404
    csrf = form(opened(analyst, "/imports/new"), "/imports/new")
    for step in ("check", "discard", "load", "undo", "again", "retry", "unfix", "rows", "replace", "search"):
        assert analyst.post(f"{other}/{step}", data=csrf).status_code == 404


def test_few_files_come_in_at_once_so_that_pages_have_threads_left(analyst, workspace, app):
    assert upload(analyst, b"").status_code == 422  # gives its place back
    for _ in range(AT_ONCE):
        assert app.state.uploads.acquire(blocking=False)
    answer = upload(analyst, b"name\nA\n")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert opened(analyst, "/imports")
    app.state.uploads.release()
    assert [upload(analyst, b"name\nA\n").status_code for _ in range(2)] == [303, 303]


def test_a_place_where_a_cell_is_must_be_one(analyst, workspace):
    base = begun(analyst, workspace, b"name\nA\n")
    data = form(opened(analyst, "/imports/new"), "/imports/new") | {f"cell-{'9' * 5000}-0": "x"}
    assert analyst.post(f"{base}/rows", data=data).status_code == 303
    del data[f"cell-{'9' * 5000}-0"]
    assert analyst.post(f"{base}/unfix", data=data | {"row": "1", "column": ""}).status_code == 422


def test_an_upload_without_the_forms_token_is_refused_before_it_is_kept(analyst, workspace):
    for fields in ({"csrf": ""}, {"csrf": "x" * 43}):
        assert upload(analyst, b"name\nA\n", **fields).status_code == 403
    answer = analyst.post("/imports/new", files={"file": ("a.csv", b"name\nA\n")}, data={"key": "k" * 20})
    assert answer.status_code == 403
    assert not (workspace.path / "uploads").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "No file came"), (None, "No file came")],
)
def test_an_empty_upload_says_so(analyst, content, said):
    answer = upload(analyst, content, name="a.csv") if content is not None else upload(analyst, b"x", name="")
    assert answer.status_code == 422
    assert said in answer.text


def test_a_form_sent_twice_makes_one_import(analyst, workspace):
    page = opened(analyst, "/imports/new")
    data = form(page, "/imports/new")
    places = {
        analyst.post("/imports/new", data=data, files={"file": ("a.csv", b"name\nA\n")}).headers["location"]
        for _ in range(2)
    }
    assert len(places) == 1
    other = analyst.post("/imports/new", data=data, files={"file": ("b.csv", b"name\nB\n")})
    assert other.status_code == 422  # another file under the same key


def test_two_browsers_at_once_get_one_import_each(signed_in, workspace):
    browsers = [signed_in("analyst") for _ in range(4)]
    answers = []

    def send_it(browser, name):
        answers.append(upload(browser, b"name,city\n" + name * 1000 + b",Berlin\n").headers.get("location"))

    threads = [threading.Thread(target=send_it, args=(b, bytes([65 + k]))) for k, b in enumerate(browsers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer for answer in answers if answer}) == 4


def test_an_old_page_does_not_overwrite_newer_columns(analyst, signed_in, workspace):
    base = begun(analyst, workspace, b"firm,where\nA,Berlin\n")
    boss = signed_in("operator")
    mine, theirs = opened(analyst, f"{base}/columns"), opened(boss, f"{base}/columns")
    send(boss, theirs, f"{base}/columns", **{"column-1": "city", "then": "stay"})
    answer = analyst.post(f"{base}/columns", data=form(mine, f"{base}/columns", **{"column-1": "region"}))
    assert answer.status_code == 409
    assert "has just been changed" in answer.text
    assert import_records.find(LOCAL, workspace, base.rpartition("/")[2]).pairs == (("where", "city"),)


def test_several_columns_may_mean_the_same(analyst, workspace):
    base = begun(analyst, workspace, "中文名,洋名\n甲,\n,Beta\n".encode())
    page = opened(analyst, f"{base}/columns")
    assert "A column is missing" in page
    refused = analyst.post(f"{base}/columns", data=form(page, f"{base}/columns", then="check"))
    assert refused.status_code == 409
    page = opened(analyst, f"{base}/columns")
    send(analyst, page, f"{base}/columns", **{"column-0": "name", "column-1": "name", "then": "check"})
    worked(workspace)
    assert "All 2 rows can be loaded" in opened(analyst, f"{base}/check")


def test_bad_forms_are_told(analyst, workspace):
    base = begun(analyst, workspace, b"name,city\nA,Berlin\n")
    page = opened(analyst, f"{base}/columns")
    for wrong in ({"as_of": "yesterday"}, {"version": "x"}, {"crs": "mars"}, {"column-0": "x" * 300}):
        answer = analyst.post(f"{base}/columns", data=form(page, f"{base}/columns", **wrong))
        assert answer.status_code == 409
        assert 'role="alert"' in answer.text
    assert analyst.get(f"{base}/rows").status_code == 400
    assert analyst.get(f"{base}/load").status_code == 303
    assert analyst.get(f"{base}/findings.exe").status_code == 400


def test_a_program_uploads_the_same_way(analyst, browse, workspace, people):
    """By token, streamed as the body; a session alone is not enough."""
    address = "/api/v1/intake/receive?file=a.csv"
    key = {"Idempotency-Key": "k" * 20}
    assert analyst.put(address, content=b"name\nA\n", headers=key).status_code == 401
    me = Actor(people["analyst"].id, frozenset({"analyst"}))

    def put(scope, content):
        secret = tokens.make(me, workspace, name=scope, scopes=[scope], days=1, key=new_key()).secret
        return browse().put(address, content=content, headers={**key, "Authorization": f"Bearer {secret}"})

    assert put("atlas.*", b"name\nA\n").status_code == 403
    answers = [put("intake.*", b"name\nA\n") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert put("intake.receive", b"").status_code == 422
    assert answers[0].json()["id"] in opened(analyst, "/imports")
    schema = analyst.get("/api/v1/openapi.json").json()
    assert "/api/v1/intake/receive" in schema["paths"]
    assert {"/api/v1/intake/fix", "/api/v1/intake/problems", "/api/v1/intake/load"} <= set(schema["paths"])


def test_a_script_that_waits_is_sent_on(analyst, workspace):
    answer = upload(analyst, b"name,city\nA,Berlin\n")
    at = answer.headers["location"]
    waiting = analyst.get(at, headers={"HX-Request": "true"})
    assert 'id="job"' in waiting.text
    worked(workspace)
    ready = analyst.get(at, headers={"HX-Request": "true"})
    assert (ready.headers["hx-refresh"], ready.text) == ("true", "")


def test_a_page_of_a_large_quarantine_stays_small(analyst, workspace):
    """Fifty rows to mend of fifty thousand bad ones, in less than 60 kB as sent."""
    text = "企业名称,行业代码,城市,备注\n" + "".join(f"企业{k},65O{k % 7},深圳,说明{k}\n" for k in range(50_000))
    base = begun(analyst, workspace, text.encode())
    send(analyst, opened(analyst, f"{base}/columns"), f"{base}/columns", then="check")
    worked(workspace)
    for address in (f"{base}/check", f"{base}/rows", f"{base}/rows?start=49950", f"{base}/rows?start=999999999"):
        answer = analyst.get(address)
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) < 60_000, address
    assert "49,951–50,000" in answer.text


def test_a_form_is_read_however_it_is_cut():
    boundary = "----b"
    body = (
        '------b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nsecret\r\n'
        '------b\r\nContent-Disposition: form-data; name="file"; filename="名%22单.csv"\r\n'
        "Content-Type: text/csv\r\n\r\nname\r\nA--\r\n------x\r\n------b--\r\n"
    ).encode()
    for size in (1, 2, 3, 7, 50, 10_000):
        pieces = (body[k : k + size] for k in range(0, len(body), size))
        read = Form(f"multipart/form-data; boundary={boundary}", pieces)
        assert (read.fields, read.filename) == ({"csrf": "secret"}, '名"单.csv')
        assert b"".join(read.file) == b"name\r\nA--\r\n------x"


def test_a_list_is_mended_in_excel_and_comes_back(analyst, workspace):
    base = begun(analyst, workspace, workbook(), name="a.xlsx")
    send(analyst, opened(analyst, f"{base}/columns"), f"{base}/columns", then="check")
    worked(workspace)
    page = opened(analyst, f"{base}/rows")
    listed = analyst.get(f"{base}/mend.xlsx")
    assert listed.headers["content-disposition"] == 'attachment; filename="mend.xlsx"'
    fields = form(page, f"{base}/mended")
    answer = analyst.post(f"{base}/mended", data=fields, files={"file": ("mend.xlsx", listed.content)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{base}/rows?done=fixed")
    for content in (b"", b"name\nA\n", workbook()):
        answer = analyst.post(f"{base}/mended", data=form(page, f"{base}/mended"), files={"file": ("x.xlsx", content)})
        assert answer.status_code == 409
        assert 'role="alert"' in answer.text
    forged = analyst.post(f"{base}/mended", data={"csrf": "x"}, files={"file": ("x.xlsx", b"x")})
    assert forged.status_code == 403


def test_corrections_of_the_last_file_are_offered_and_two_peoples_are_decided(analyst, signed_in, workspace):
    base = begun(analyst, workspace, workbook(), name="一季度.xlsx")
    send(analyst, opened(analyst, f"{base}/columns"), f"{base}/columns", then="check")
    worked(workspace)
    rows = opened(analyst, f"{base}/rows")
    assert "fits again" not in rows
    send(analyst, rows, f"{base}/replace", value="6513")
    # two people see the same row of the page, and correct it differently
    operator = signed_in("operator")
    pages = [opened(browser, f"{base}/rows") for browser in (analyst, operator)]
    name = next(n for n in form(pages[0], f"{base}/rows") if n.startswith("cell-8-"))
    first = send(analyst, pages[0], f"{base}/rows", **{name: "甲公司", "then": "stay"})
    assert "corrected twice" not in first
    second = send(operator, pages[1], f"{base}/rows", **{name: "乙公司", "then": "stay"})
    assert "1 cell was corrected twice, differently" in second
    assert "Some replace different ones by others" in second
    assert not Elements.of(second).hostile
    settled = send(analyst, opened(analyst, f"{base}/rows"), f"{base}/settle", restore="yes")
    assert "Decided." in settled
    assert 'value="甲公司"' in settled
    send(analyst, settled, f"{base}/check") if f'action="{base}/check"' in settled else analyst.post(
        f"{base}/check", data=form(opened(analyst, f"{base}/check"), f"{base}/check")
    )
    worked(workspace)
    send(analyst, opened(analyst, f"{base}/check"), f"{base}/load", replace="yes")
    worked(workspace)
    # the next quarter
    base = begun(analyst, workspace, workbook(60), name="二季度.xlsx")
    send(analyst, opened(analyst, f"{base}/columns"), f"{base}/columns", then="check")
    worked(workspace)
    assert "1 correction of an earlier file fits again." in opened(analyst, f"{base}/check")
    rows = opened(analyst, f"{base}/rows")
    assert "行业代码, 2 rows: “65O3” → “6513”" in rows
    again = send(analyst, rows, f"{base}/recall", which="all")
    assert "fits again" not in again
    assert "每" not in again
    answer = analyst.post(f"{base}/recall", data=form(rows, f"{base}/recall", which="one"))
    assert answer.status_code in {303, 400, 409}


FLAWED = {
    "mixed.csv": (
        "企业名称,城市\n".encode() + "甲一,深圳\n".encode("gb18030") + "乙二公司,深圳\n".encode() * 20,
        ("mixes encodings", "混有两种编码"),
    ),
    "persons.csv": (
        "企业名称,联系人,手机,城市\n甲,张三丰,13812345678,深圳\n,李四光,13912345678,深圳\n".encode(),
        ("look like personal data", "像是个人信息"),
    ),
    "cut.csv": ("企业名称,城市\n" + "甲,深圳\n" * 20).encode() + "乙".encode()[:2],
    "nul.csv": "企业名称,城市\n甲\0公司,深圳\n".encode(),
    "dates.csv": "企业名称,成立日期\n甲,5-Mar-24\n乙,民国113年3月5日\n丙,1/2/2024\n".encode(),
}


@pytest.mark.parametrize("name", list(FLAWED))
def test_flawed_files_are_told_on_the_pages_and_loaded_all_the_same(analyst, workspace, name):
    content, words = FLAWED[name] if isinstance(FLAWED[name], tuple) else (FLAWED[name], None)
    base = begun(analyst, workspace, content, name=name)
    pages = [opened(analyst, f"{base}/columns"), opened(analyst, f"{base}/columns?lang=zh")]
    assert opened(analyst, f"{base}/columns?lang=en")
    send(analyst, pages[0], f"{base}/columns", then="check")
    worked(workspace)
    checks = [opened(analyst, f"{base}/check?lang={language}") for language in ("en", "zh")]
    rows = [opened(analyst, f"{base}/rows?lang={language}") for language in ("zh", "en")]
    if words:
        assert all(word in page for word, page in zip(words, checks, strict=True))
        assert f"{name} mixes" in checks[0] or name == "persons.csv"
    for page in (*pages, *checks, *rows):
        assert not any(secret in page for secret in ("张三丰", "李四光", "13812345678", "13912345678"))
    book = analyst.get(f"{base}/findings.csv").text
    assert "张三丰" not in book
    assert "李四光" not in book
    send(analyst, checks[0], f"{base}/load", replace="yes")
    worked(workspace)
    assert import_records.find(LOCAL, workspace, base.rpartition("/")[2]).state == "loaded"


def test_links_of_other_sources_stay_unless_all_are_to_be_replaced(analyst, workspace):
    def loaded(name, content, **options):
        base = begun(analyst, workspace, content.encode(), name=name, table="links")
        page = opened(analyst, f"{base}/columns")
        assert 'name="source"' in page
        send(analyst, page, f"{base}/columns", then="check", **options)
        worked(workspace)
        page = opened(analyst, f"{base}/check")
        replace = {"replace": "yes"} if 'name="replace"' in page else {}
        send(analyst, page, f"{base}/load", **replace)
        worked(workspace)
        return page, opened(analyst, f"{base}/load")

    head = "起点,终点,类型\n"
    loaded("a.csv", f"{head}甲,乙,supply\n甲,丙,supply\n", source="tax office")
    checked, done = loaded("b.csv", f"{head}甲,丁,supply\n")
    assert "2 of other sources stay, 0 are replaced" in checked
    assert "The table now has 3 rows." in done
    checked, done = loaded("c.csv", f"{head}甲,戊,supply\n", source="tax office")
    assert "1 of other sources stay, 2 are replaced" in checked
    checked, done = loaded("d.csv", f"{head}甲,己,supply\n", replace_all="yes")
    assert "of other sources" not in checked
    assert "The table now has 1 row." in done
    assert workspace.scan("links").collect()["target"].to_list() == ["己"]
