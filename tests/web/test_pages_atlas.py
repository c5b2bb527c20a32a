"""The atlas's pages: whole, small and linked in both languages, for every role; hostile names act nowhere."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html import unescape
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient
from web_people import HOSTILE

from jiqun.accounts.recorder import flush
from jiqun.accounts.views import views
from jiqun.atlas import desk
from jiqun.atlas.declared import ENTRIES, HANDLERS
from jiqun.atlas.glossary import measures
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.search import index_workspace
from jiqun.store.worker import work
from jiqun.web.app import make_app
from jiqun.web.settings import WebSettings

PAGES = (
    "/",
    "/clusters",
    "/clusters?country=US&min_firms=5&sort=ratio",
    "/clusters?min_firms=999999",
    "/clusters/c0001",
    "/clusters/c0001/members",
    "/regions",
    "/regions?sort=lq",
    "/regions/US",
    "/regions/DE",
    "/compare",
    "/compare?of=regions",
    "/compare?c=c0001&c=c0002",
    "/compare?r=US&r=GB",
    "/firms/{firm}",
    "/search",
    "/search?q=boulder",
    "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
    "/search?q=maker&kind=firm",
    "/data",
    "/method",
    "/method/ratio",
    "/method/lq",
)
TWINS = (
    "/clusters.csv",
    "/clusters.json",
    "/clusters/c0001.csv",
    "/clusters/c0001.json",
    "/clusters/c0001/c0001-places.csv",
    "/clusters/c0001/c0001-history-table.json",
    "/regions.csv",
    "/regions.json",
    "/regions/US.csv",
    "/regions/US.json",
    "/regions/US/clusters-table.json",
    "/compare.csv?c=c0001&c=c0002",
    "/compare/measures.json?r=US&r=GB",
    "/firms/{firm}.csv",
    "/firms/{firm}.json",
    "/search.json?q=boulder",
    "/data.csv",
    "/data.json",
    "/method.csv",
    "/method.json",
)
LOST = (
    "/clusters/c9999",
    "/clusters/nothing",
    "/clusters/c0001/no-such-table.csv",
    "/clusters?as_of=1999-01-01",
    "/clusters?run=ffffffff",
    "/regions/us",
    "/firms/o9999999",
    "/method/nothing",
)
MOST_BYTES = 75_000


@pytest.fixture
def firm(workspace):
    """The firm whose name is a script."""
    rows = workspace.scan("organisations").collect()
    return rows.filter(rows["name"] == HOSTILE[0])["id"].item()


class Read(HTMLParser):
    """What a page says of itself: heads, links, what could act."""

    def __init__(self, text):
        super().__init__()
        self.heads, self.links, self.elements, self.acts = 0, [], [], []
        self.language = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.elements.append(tag)
        self.heads += tag == "h1"
        if tag == "html":
            self.language = told["lang"]
        if tag == "a":
            self.links.append(told.get("href", ""))
        self.acts += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag == "script" and "src" not in told:
            self.acts.append("script")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_small_and_harmless(client, firm, path, language):
    address = path.format(firm=firm)
    answer = client.get(f"{address}{'&' if '?' in address else '?'}lang={language}")
    assert answer.status_code == 200
    page = Read(answer.text)
    assert page.heads == 1
    assert page.language.startswith(language)
    assert not page.acts
    assert "img" not in page.elements
    assert not any(link.startswith(("javascript:", "data:", "//", "http")) for link in page.links)
    assert len(answer.content) < MOST_BYTES
    assert "None" not in re.sub(r"<code>.*?</code>", "", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(client, firm, path):
    known = {"/map", "/sign-in", "/imports", "/help", "/api/v1/openapi.json"}
    for link in set(Read(client.get(path.format(firm=firm)).text).links):
        target = link.partition("#")[0]
        if not target or target.partition("?")[0] in known or target.endswith((".docx", ".pdf", ".xlsx")):
            continue
        if re.search(r"\.(docx|pdf|xlsx|html)\?", target):
            continue
        assert client.get(target).status_code in {200, 303}, target


@pytest.mark.parametrize("path", TWINS)
def test_twins_are_what_they_say_and_carry_a_tag(client, firm, path):
    address = path.format(firm=firm)
    answer = client.get(address)
    assert answer.status_code == 200
    if ".json" in address:
        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.content)
    else:
        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert "attachment" in answer.headers["content-disposition"]
    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", LOST)
def test_what_is_not_there_is_said_to_be_missing(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert Read(answer.text).heads == 1


def test_a_filter_that_cannot_be_is_refused(client):
    for query in ("min_firms=many", "sort=secret", "country=usa", "limit=100000", "class=x"):
        assert client.get(f"/clusters?{query}").status_code == 422


def test_hostile_names_are_shown_as_what_they_are(client, workspace, firm):
    names = [name for name in HOSTILE if not name.startswith("=")]
    shown = client.get("/clusters/c0001/members").text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown
    assert "49" not in client.get("/search?q=7").text or "{{ 7 * 7 }}" in shown
    for path in (f"/firms/{firm}", "/search?q=script", "/clusters/c0001", "/"):
        page = Read(client.get(path).text)
        assert not page.acts
    sheet = client.get("/clusters/c0001.csv").content.decode("utf-8-sig")
    assert sum(name.replace('"', '""') in sheet or name in sheet for name in names) == len(names)


@pytest.mark.parametrize("form", ["docx", "xlsx", "html"])
def test_a_cluster_is_a_file_to_keep(client, form):
    answer = client.get(f"/clusters/c0001.{form}")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    if form == "html":
        assert "Boulder" in answer.text
    else:
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None


def test_a_cluster_leads_to_the_part_of_the_map_that_shows_it(client):
    (link,) = (link for link in Read(client.get("/clusters/c0001?lang=en").text).links if link.startswith("/map?"))
    assert "bbox=" in link
    shown = client.get(f"{link}&lang=en")
    assert shown.status_code == 200
    assert "/clusters/c0001" in shown.text
    assert "/clusters/c0002" not in shown.text  # Cambridge is far from Boulder


def test_other_pages_are_files_too(client, firm):
    for path in ("/atlas.xlsx", "/regions/US.xlsx", "/compare.xlsx?c=c0001&c=c0002", f"/firms/{firm}.xlsx"):
        assert client.get(path).status_code == 200


def test_lists_are_paged_and_their_pages_lead_on(client):
    first = client.get("/clusters?limit=1").text
    following = next(link for link in Read(first).links if "cursor=" in link)
    second = client.get(following).text
    assert "/clusters/c0001" in first
    assert "/clusters/c0002" in second
    assert "/clusters/c0001" not in second.partition("<main")[2].partition("</table>")[0]


def test_the_home_page_of_who_is_signed_out_says_what_was_found(client):
    page = client.get("/?lang=en").text
    assert re.search(r"<h1>2 places hold more .* than their population explains\.</h1>", page)
    assert "Boulder leads" in page
    for link in ("/imports", "/atlas.docx", "/clusters.csv", "/method"):
        assert any(found.startswith(link) for found in Read(page).links), link


def test_an_old_run_says_that_it_is_not_the_latest(client, workspace):
    rows = workspace.scan("organisations").collect()
    with workspace.new_snapshot("organisations", as_of="2025-05-01", source="a later load") as writer:
        writer.write(rows.head(rows.height - 1))
    old = workspace.result("clusters")
    desk.run(LOCAL, workspace, desk.Search(coverage="world", eps_km=20.0, size="size"))
    now, then = client.get("/clusters/c0001").text, client.get("/clusters/c0001?as_of=2024-05-01").text
    assert "2025-05-01" in now
    assert f"run={old.id[:12]}" not in now
    assert f"run={old.id[:12]}" in then
    assert 'class="caution"' in then.partition("<main")[2].partition("<div")[0]
    assert client.get(f"/clusters?run={old.id[:12]}").status_code == 200


def test_search_marks_what_matches_and_says_when_the_index_is_missing(client, workspace):
    assert 'class="caution"' in client.get("/search?q=boulder").text
    index_workspace(workspace, ENTRIES)
    page = client.get("/search?q=boul&lang=en").text
    assert 'class="caution"' not in page
    assert "<mark>Boul</mark>der" in page
    assert '<ul class="hits">' not in client.get("/search?q=zzzz").text
    more = next(link for link in Read(client.get("/search?q=maker").text).links if "kind=firm" in link)
    assert "Maker" in client.get(more).text
    assert client.get("/search?q=" + "x" * 201).status_code == 422


def test_a_look_at_a_firm_is_on_its_record(signed_in, people, workspace, firm):
    assert signed_in("analyst").get(f"/firms/{firm}").status_code == 200
    assert signed_in("member").get(f"/firms/{firm}").status_code == 200
    flush(workspace)
    assert [view.account for view in views(workspace, firm)] == [people["analyst"].id]


def token(page):
    return re.search(r'name="csrf" value="([^"]+)"', page)[1]


def test_following_a_cluster_and_no_longer(signed_in, client):
    assert "/follow" not in client.get("/clusters/c0001").text
    analyst = signed_in("analyst")
    for do in ("follow", "unfollow"):
        page = analyst.get("/clusters/c0001").text
        assert f'value="{do}"' in page
        fields = {"csrf": token(page), "key": new_key(), "kind": "cluster", "subject": "clusters/c0001", "do": do}
        done = analyst.post("/follow", data={**fields, "back": "/clusters/c0001"})
        assert (done.status_code, done.headers["location"]) == (303, "/clusters/c0001")
    elsewhere = analyst.post("/follow", data={**fields, "key": new_key(), "back": "https://example.org/"})
    assert elsewhere.headers["location"] == "/"


def test_an_analyst_starts_a_search_from_the_page(signed_in, workspace, client):
    assert client.get("/clusters/new").status_code == 303
    assert signed_in("member").get("/clusters/new").status_code == 403
    analyst = signed_in("analyst")
    page = analyst.get("/clusters/new").text
    fields = {"csrf": token(page), "key": new_key(), "class": "", "eps_km": "30", "floor": "8"}
    done = analyst.post("/clusters/new", data=fields)
    assert done.status_code == 303
    job = done.headers["location"].rpartition("/")[2]
    assert analyst.post("/clusters/new", data=fields).headers["location"] == done.headers["location"]
    work(workspace, {"notices.clusters": lambda *_: None, **HANDLERS}, once=True)
    assert workspace.database.jobs.find(job).state == "done"
    assert analyst.post("/clusters/new", data={**fields, "key": new_key(), "eps_km": "far"}).status_code == 422


def test_where_visitors_are_not_let_in_they_are_sent_to_sign_in(workspace):
    closed = TestClient(
        make_app(workspace, WebSettings(public=False)), base_url="http://localhost", follow_redirects=False
    )
    for path in (*PAGES, *TWINS, "/clusters/c0001.xlsx", "/atlas.xlsx"):
        answer = closed.get(path.format(firm="o0000001"))
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path


def test_an_empty_workspace_says_what_to_do(tmp_path, places):
    workspace = Workspace.init(tmp_path / "empty")
    browser = TestClient(make_app(workspace, WebSettings(public=True)), base_url="http://localhost")
    for path in ("/", "/clusters", "/regions", "/compare", "/search?q=x", "/data", "/method", "/method/ratio"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert Read(answer.text).heads == 1
    for path in ("/", "/clusters", "/data"):
        assert "/imports" in browser.get(path).text
    workspace.database.close()


def test_every_measure_has_its_page(client):
    for key, one in measures().items():
        assert one.meaning.en in unescape(client.get(f"/method/{key}?lang=en").text)


def test_key_figures_lead_to_what_they_mean(client):
    for path, topic in (("/clusters/c0001", "ratio"), ("/clusters/c0001", "p_adjusted")):
        assert f'href="/method/{topic}"' in client.get(path).text


def test_home_lists_what_is_followed_with_its_last_change_and_the_last_runs(signed_in, workspace):
    analyst = signed_in("analyst")
    name = workspace.result("clusters").table("clusters").row(0, named=True)["name_en"]
    before = analyst.get("/?lang=en").text
    assert "The last runs" in before
    csrf = re.search(r'name="csrf" value="([^"]+)"', before)[1]
    fields = {"csrf": csrf, "key": new_key(), "kind": "cluster", "subject": "clusters/c0001"}
    assert analyst.post("/follow", data=fields).status_code == 303
    after = analyst.get("/?lang=en").text
    assert "Clusters that I follow" in after
    assert f'<a href="/clusters/c0001">{name}</a>' in after
    assert f'<a href="/clusters/c0001">{name}</a>' in analyst.get("/account").text
