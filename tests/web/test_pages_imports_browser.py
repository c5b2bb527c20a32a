"""The import conversation in a real browser: by keyboard only, in both languages, on a phone, and without a fault."""

from __future__ import annotations

import threading

import pytest
from import_samples import workbook

from jiqun.accounts import sessions
from jiqun.intake import room
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

    def make(**options):
        made = chrome.new_context(base_url=live, **options)
        secret = sessions.open_session(workspace, people["analyst"].id).secret
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


def test_without_scripts_the_page_reloads_until_the_work_is_done(context, worker, tmp_path):
    file = tmp_path / "firms.csv"
    file.write_text("name,city\nA,Berlin\n", encoding="utf-8")
    page = context(java_script_enabled=False).new_page()
    page.goto("/imports/new")
    page.set_input_files("#file", file)
    page.click("form.upload button")
    page.wait_for_selector("table.mapping")
