"""Forms of surveys in a real browser: on a phone, with and without scripts, in both languages, without a fault."""

from __future__ import annotations

import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from test_pages_surveys import a_round

from jiqun.accounts import sessions
from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import links, records, room
from jiqun.web.visitor import SESSION

PHONE = {"width": 380, "height": 800}


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
    """A browser, perhaps signed in; what its pages complain about is collected."""
    opened = []

    def make(role=None, **options):
        made = chrome.new_context(base_url=live, **options)
        if role:
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


def form(workspace, people, kind):
    survey = a_round(workspace, kind)
    (made,) = links.make(LOCAL, workspace, survey, [people["member"].organisation], key=new_key())
    return survey, made.path


def fits(page):
    """No page is wider than the phone, and axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert Axe().run(page).response["violations"] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_figures_are_checked_while_typing_and_handed_in_on_a_phone(context, workspace, people, language):
    survey, path = form(workspace, people, "indicators")
    browser = context(viewport=PHONE)
    page = browser.new_page()
    page.goto(f"{path}?lang={language}")
    fits(page)
    page.fill("#a-revenue", "400")
    page.fill("#a-revenue_digital", "200")
    page.fill("#a-revenue_other", "150")
    page.press("#a-revenue_other", "Tab")
    page.wait_for_selector("#s-revenue .error")  # the total is told though another field was left
    page.fill("#a-revenue", "350")
    page.press("#a-revenue", "Tab")
    page.wait_for_selector("#s-revenue .error", state="detached")
    page.fill("#a-employees", "12")
    fits(page)
    page.click("button[value=submit]")
    page.wait_for_url("**/receipt")
    fits(page)
    (answer,) = records.handed_in(workspace, survey)
    assert answer.kept["revenue"] == 3_500_000.0
    assert browser.faults == []


def test_partners_are_found_while_typing(context, workspace, people):
    survey, path = form(workspace, people, "links")
    browser = context(viewport=PHONE)
    page = browser.new_page()
    page.goto(f"{path}?lang=en")
    page.fill("#n-suppliers", "Maker 1")
    page.click("#f-suppliers .hit >> nth=0")
    page.wait_for_selector("#q-suppliers .ties select")
    page.select_option("#q-suppliers .ties select", "3")
    fits(page)
    page.click("button[value=submit]")
    page.wait_for_url("**/receipt")
    (answer,) = records.handed_in(workspace, survey)
    (tie,) = answer.kept["suppliers"]
    assert tie["strength"] == 3
    assert tie["id"]
    assert browser.faults == []


@pytest.mark.parametrize("kind", ["indicators", "links"])
def test_a_form_works_without_scripts(context, workspace, people, kind):
    survey, path = form(workspace, people, kind)
    page = context(viewport=PHONE, java_script_enabled=False).new_page()
    page.goto(f"{path}?lang=zh")
    if kind == "indicators":
        page.fill("#a-revenue", "1.2亿")
        page.click("button[value=submit]")
        page.wait_for_selector("a[href='#q-employees']")  # what is missing is linked
        page.fill("#a-employees", "80")
    else:
        page.fill("#n-customers", "名单外大学")
        page.click("button[value='find:customers']")
        page.click("button[value='write:customers']")
        page.wait_for_selector("text=名单外大学")
    page.click("button[value=submit]")
    page.wait_for_url("**/receipt")
    assert len(records.handed_in(workspace, survey)) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_operator_sees_who_is_silent_and_publishes(context, worker, workspace, people, language):
    survey, _ = form(workspace, people, "indicators")
    browser = context("operator", viewport=PHONE)
    page = browser.new_page()
    for path in ("/surveys", "/surveys/new?template=roster-links", f"/surveys/{survey}"):
        page.goto(f"{path}{'&' if '?' in path else '?'}lang={language}")
        fits(page)
    page.goto(f"/surveys/{survey}?state=silent")
    assert page.locator("#roster tbody tr").count() > 20
    page.click("form[action$='/lock'] button")
    page.click("form[action$='/publish'] button")
    page.wait_for_selector("#act .facts")
    fits(page)
    assert records.find(workspace, survey).state == "published"
    assert browser.faults == []
