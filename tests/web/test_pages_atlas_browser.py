"""The atlas's pages in a browser: nothing that axe finds, nothing wider than a phone, nothing in the console."""

from __future__ import annotations

import pytest

from jiqun.atlas.declared import ENTRIES
from jiqun.store.search import index_workspace

PAGES = (
    "/",
    "/map",
    "/map?layer=regions&view=china",
    "/map?layer=firms&view=world",
    "/clusters",
    "/clusters/c0001",
    "/clusters/c0001/members",
    "/regions",
    "/regions/US",
    "/compare?c=c0001&c=c0002",
    "/firms/{firm}",
    "/search?q=boulder",
    "/data",
    "/method",
    "/method/ratio",
)


@pytest.fixture
def firm(workspace):
    return workspace.scan("organisations").head(1).collect()["id"].item()


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh", 380, "light"), ("en", 1280, "dark")])
def test_pages_are_accessible_and_fit(live, chrome, firm, language, width, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where a browser is

    tab = chrome.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    for path in PAGES:
        address = path.format(firm=firm)
        tab.goto(f"{live}{address}{'&' if '?' in address else '?'}lang={language}")
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], path
        assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    assert said == []
    tab.close()


def test_search_answers_while_one_types_and_works_without_scripts(live, chrome, workspace):
    index_workspace(workspace, ENTRIES)
    tab = chrome.new_page()
    tab.goto(f"{live}/search?lang=en")
    tab.get_by_label("Firm, cluster, place, class or code").press_sequentially("boul", delay=20)
    tab.locator("#found mark").first.wait_for()
    assert "q=boul" in tab.url
    tab.close()
    plain = chrome.new_context(java_script_enabled=False)
    tab = plain.new_page()
    tab.goto(f"{live}/search?lang=en")
    tab.get_by_label("Firm, cluster, place, class or code").fill("boul")
    tab.get_by_label("Firm, cluster, place, class or code").press("Enter")
    assert tab.locator("#found mark").first.inner_text() == "Boul"
    tab.get_by_role("link", name="Boulder").first.click()
    assert "/clusters/c0001" in tab.url
    assert tab.locator("h1").inner_text().startswith("Boulder")
    plain.close()
