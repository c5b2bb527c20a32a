"""The import conversation in a real browser: by keyboard only, in both languages, on a phone, and without a fault."""

from __future__ import annotations

import threading

import pytest
from import_samples import workbook

from jiqun.accounts import sessions
from jiqun.core.actor import LOCAL
from jiqun.intake import desk, import_records, imports, room
from jiqun.store.commands import new_key
from jiqun.store.worker import work
from jiqun.web.visitor import SESSION

MOST_TABS = 150


@pytest.fixture
def worker(workspace):
    """A worker beside the console."""
    stop = threading.Event()
    thread = threading.Thread(
        target=work, args=(workspace, room.HANDLERS), kwargs={"stop": stop, "threads": 1}, daemon=True
    )
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def context(chrome, live, workspace, people):
    """A browser signed in as an analyst; what its pages complain about is collected."""
    opened = []

    def make(*, role="analyst", **options):
        made = chrome.new_context(base_url=live, **options)
        secret = sessions.open_session(workspace, people[role].id).secret
        made.add_cookies([{"name": SESSION, "value": secret, "url": live}])
        made.faults = []
        made.on("console", lambda message: made.faults.append(message.text) if message.type == "error" else None)
        made.on("dialog", lambda dialog: (made.faults.append(dialog.message), dialog.dismiss()))
        made.on("weberror", lambda error: made.faults.append(str(error.error)))
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()


def tab_to(page, selector):
    """Press Tab until an element has the focus, as someone without a mouse must."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"the focus on {selector} cannot be seen"
            return
    raise AssertionError(f"{selector} is not reached by keyboard on {page.url}")


def press(page, selector, key="Enter"):
    tab_to(page, selector)
    page.keyboard.press(key)


def test_a_broken_workbook_is_imported_by_keyboard(context, worker, workspace, tmp_path):
    file = tmp_path / "企业名单.xlsx"
    file.write_bytes(workbook())
    browser = context(locale="zh-CN")
    page = browser.new_page()
    page.goto("/imports?lang=en")
    press(page, "a[href='/imports/new']")
    page.wait_for_url("**/imports/new")
    with page.expect_file_chooser() as chooser:
        press(page, "input[type=file]")
    chooser.value.set_files(file)
    press(page, "form.upload button")
    page.wait_for_selector("table.mapping")  # the page goes on by itself once the file is read
    press(page, "select[name=column-0]")
    page.keyboard.press("Escape")
    tab_to(page, "button[value=check]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problems")
    press(page, "#problems a.button")
    page.wait_for_selector("table.mend")
    press(page, "form.replace button")  # takes the suggestion: did you mean 6513?
    page.wait_for_selector("#fixes")
    tab_to(page, "input[aria-invalid][value='']")
    page.keyboard.type("新公司")
    press(page, "button[value=check]")
    page.wait_for_selector("#load input[type=checkbox]")
    press(page, "#load input[type=checkbox]", "Space")
    press(page, "#load button")
    page.wait_for_selector("text=no longer listed")
    names = workspace.scan("organisations").select("name", "industry_code").collect()
    assert names.row(5) == ("新公司", "6513")
    assert names["industry_code"].unique().to_list() == ["6513"]
    press(page, "form[action$='/undo'] button")
    page.wait_for_selector("h1:text('Undone')")
    assert browser.faults == []


@pytest.mark.parametrize(
    "options",
    [
        {"locale": "zh-CN", "viewport": {"width": 380, "height": 800}},
        {"locale": "en-GB", "viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    ],
)
def test_every_step_is_accessible_and_fits(context, worker, tmp_path, options):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    file = tmp_path / "企业名单.xlsx"
    file.write_bytes(workbook())
    browser = context(**options)
    page = browser.new_page()

    def look():
        found = Axe().run(page).response["violations"]
        assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, page.url
        assert page.locator("h1").count() == 1

    page.goto("/imports/new")
    look()
    page.set_input_files("#file", file)
    page.click("form.upload button")
    look()
    page.wait_for_selector("table.mapping")
    look()
    page.click("button[value=check]")
    look()
    page.wait_for_selector("#problems")
    look()
    page.click("#problems a.button")
    look()
    page.locator("form.replace button").first.click()
    page.wait_for_selector("#fixes")
    look()
    page.click("button[value=check]")
    page.wait_for_selector("#load input[type=checkbox]")
    page.check("#load input[type=checkbox]")
    page.click("#load button")
    page.wait_for_selector("form[action$='/undo']")
    look()
    page.click("form[action$='/undo'] button")
    page.wait_for_selector("form[action$='/again']")
    look()
    page.goto("/imports")
    look()
    assert browser.faults == []


@pytest.mark.parametrize("width", [380, 1366])
def test_changes_and_offers_are_accessible_and_fit(context, worker, workspace, tmp_path, width):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    firms = "企业名称,行业代码,城市\n" + "".join(f"企业{k},65O3,深圳\n" for k in range(9))
    for content, fix in ((firms, True), (firms + "新企业,65O3,广州\n", False)):
        found = imports.receive(
            LOCAL, workspace, [content.encode()], filename="名单.csv", table_name="organisations", key=new_key()
        )
        settled(workspace, found.id, "read")
        if fix:
            rule = room.Fix(row=0, column="行业代码", found="65O3", value="6513")
            room.fix(LOCAL, workspace, room.FixRequest(id=found.id, fixes=(rule,)), key=new_key())
        room.check(LOCAL, workspace, room.One(id=found.id), key=new_key())
        settled(workspace, found.id, "checked")
        room.load(LOCAL, workspace, room.LoadRequest(id=found.id, replace=True), key=new_key())
        settled(workspace, found.id, "loaded")
    again = room.again(LOCAL, workspace, room.One(id=found.id), key=new_key())
    settled(workspace, again.id, "read")
    room.check(LOCAL, workspace, room.One(id=again.id), key=new_key())
    settled(workspace, again.id, "checked")
    browser = context(role="operator", locale="zh-CN", viewport={"width": width, "height": 900})
    page = browser.new_page()
    for address, there in (
        ("/imports/changes", "table.changes"),
        ("/imports/changes?kind=changed&q=6513", "h2"),
        (f"/imports/{again.id}/rows", "#recalled"),
        (f"/imports/{again.id}/check", "a[href$='#recalled']"),
    ):
        page.goto(address)
        page.wait_for_selector(there)
        found_wrong = Axe().run(page).response["violations"]
        assert not found_wrong, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found_wrong]
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert browser.faults == []


def settled(workspace, import_id, state):
    """Wait for the worker."""
    found = import_records.find(LOCAL, workspace, import_id)
    assert workspace.database.jobs.wait(found.job, 120).over
    assert import_records.find(LOCAL, workspace, import_id).state == state


def test_by_keyboard_two_loads_are_compared(context, worker, workspace):
    rows = workspace.scan("organisations").select("name", "city", "region", "country").collect()
    desk.load(LOCAL, workspace, rows[2:], "organisations", as_of="2024-08-01")
    browser = context(viewport={"width": 380, "height": 800})
    page = browser.new_page()
    page.goto("/imports/changes")
    tab_to(page, "form[method=post][action='/imports/changes'] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.changes")
    assert "0 new, 2 no longer listed" in page.inner_text("h1")
    tab_to(page, "a[href*='kind=gone']")
    page.keyboard.press("Enter")
    page.wait_for_url("**kind=gone**")
    assert page.locator("table.changes tbody tr").count() == 2
    assert browser.faults == []


def test_without_scripts_the_page_reloads_until_the_work_is_done(context, worker, tmp_path):
    file = tmp_path / "firms.csv"
    file.write_text("name,city\nA,Berlin\n", encoding="utf-8")
    page = context(java_script_enabled=False).new_page()
    page.goto("/imports/new")
    page.set_input_files("#file", file)
    page.click("form.upload button")
    page.wait_for_selector("table.mapping")
