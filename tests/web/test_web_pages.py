"""The shell's own pages: each role finds its own and no other's, nothing hostile acts, both languages, no axe findings."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from web_people import HOSTILE, NAMES, routes

from jiqun.accounts import desk
from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key
from jiqun.store.journal import Journal
from jiqun.web.rooms import UPLOADS
from jiqun.web.visitor import SESSION

OPEN, TO_SIGN_IN, REFUSED = 200, 303, 403
EVERYONE = ("out", "operator", "analyst", "member", "auditor")
PAGES = {
    "/": (200, 200, 200, 200, 200),
    "/help": (200, 200, 200, 200, 200),
    "/sign-in": (200, 303, 303, 303, 303),
    "/journal": (200, 200, 200, 200, 200),
    "/journal/check.py": (200, 200, 200, 200, 200),
    "/jobs": (303, 200, 200, 200, 200),
    "/account": (303, 200, 200, 200, 200),
    "/notices": (303, 200, 200, 200, 200),
    "/accounts": (303, 200, 403, 403, 200),
    "/assess": (200, 200, 200, 200, 200),
    "/assess/frameworks": (200, 200, 200, 200, 200),
    "/assess/frontier": (303, 200, 200, 403, 200),
    "/assess/green": (303, 200, 200, 403, 200),
    "/mine": (303, 403, 403, 200, 403),
    "/mine/export.json": (303, 403, 403, 200, 403),
}
MINE = [path for path in PAGES if "." not in path and path != "/"]
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


class Page(HTMLParser):
    """What a page holds that could act: elements by name, attributes by name."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.script = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.attributes += attrs

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] in {"script", "style"}:
            self.script += data.strip()


def form(browser, path, **fields):
    page = browser.get("/help").text
    return {"csrf": TOKEN.search(page)[1], "key": new_key(), **fields} if TOKEN.search(page) else fields


@pytest.fixture
def anyone(client, signed_in):
    def browser(role):
        return client if role == "out" else signed_in(role)

    return browser


@pytest.mark.parametrize("role", EVERYONE)
def test_each_role_finds_its_pages_and_no_others(anyone, role):
    browser = anyone(role)
    found = {path: browser.get(path).status_code for path in PAGES}
    assert found == {path: statuses[EVERYONE.index(role)] for path, statuses in PAGES.items()}


def test_who_is_signed_out_is_sent_to_sign_in_and_back(client):
    answer = client.get("/accounts?cursor=x")
    assert answer.headers["location"] == "/sign-in?next=/accounts%3Fcursor%3Dx"
    assert 'name="next" value="/accounts?cursor=x"' in client.get(answer.headers["location"]).text


def test_a_closed_console_shows_nothing_to_who_is_signed_out(app, client):
    from jiqun.web.settings import WebSettings  # noqa: PLC0415

    app.state.settings = WebSettings(public=False)
    for path in ("/", "/clusters", "/search?q=a", "/journal", "/data", "/regions"):
        assert client.get(path).status_code == 303, path
    assert client.get("/api/v1/atlas/clusters").status_code == 401
    assert client.get("/sign-in").status_code == 200


@pytest.mark.parametrize("role", EVERYONE)
def test_no_route_breaks_or_lets_names_act(app, anyone, role):
    """Every GET route with every path parameter made up: no 5xx, and hostile names stay text."""
    browser = anyone(role)
    paths = routes(app, "GET")
    assert len(paths) > 60
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code < 500, path
        if answer.headers.get("content-type", "").startswith("text/html"):
            check_harmless(answer.text, path)


def check_harmless(text, path):
    page = Page(text)
    assert not page.script, path
    for tag, attributes in page.elements:
        assert tag not in {"style", "iframe", "object", "embed", "base"}, (path, tag)
        if tag == "script":
            assert attributes["src"].startswith("/static/"), path
        for name, value in attributes.items():
            assert not name.startswith("on"), (path, name)
            assert name != "style", (path, tag)
            if name in {"href", "src", "action"}:
                assert not re.match(r"\s*(javascript|data|vbscript):", value or "", re.I), (path, value)
                assert not re.match(r"(https?:)?//", value or ""), (path, value)


@pytest.mark.parametrize("role", list(NAMES))
def test_names_of_accounts_and_firms_stay_text(signed_in, workspace, role):
    browser = signed_in(role)
    operator = signed_in("operator")
    for name in HOSTILE[:6]:
        answer = operator.post("/accounts/invite", data=form(operator, "/accounts", role="analyst", note=name))
        assert answer.status_code == 200
    for path in MINE:
        answer = browser.get(path)
        if answer.status_code == OPEN:
            check_harmless(answer.text, path)
            assert "49" not in re.findall(r"<td>(49)</td>", answer.text)


def test_names_of_a_register_stay_text_wherever_they_are_shown(signed_in, people):
    browser, firm = signed_in("analyst"), people["member"].organisation
    shown = 0
    for path in (
        "/",
        "/clusters",
        "/clusters/c0001",
        "/clusters/c0001/members",
        f"/firms/{firm}",
        "/search?q=script",
        "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
        "/search?q=onerror",
        "/regions",
        "/compare?ids=c0001&ids=c0002",
        "/data",
    ):
        answer = browser.get(path)
        assert answer.status_code < 400, path
        check_harmless(answer.text, path)
        shown += "&lt;script&gt;" in answer.text
    assert shown >= 3


def test_every_form_is_refused_without_its_token(app, signed_in, people):
    """Walks the routes that change something: without the token none does."""
    for role in NAMES:
        browser = signed_in(role)
        paths = [path for path in routes(app, "POST") if not path.startswith("/api/")]
        assert len(paths) > 15
        streamed = {path for router in UPLOADS for path in routes(router, "POST")}  # look at the form as it comes
        for path in paths:
            for given in ({}, {"csrf": "0" * 43}):
                expected = {403, 404, 422} if path in streamed else {403}
                assert browser.post(path, data=given).status_code in expected, path
            assert browser.post(path, headers={"sec-fetch-site": "cross-site"}).status_code == 403, path


def test_an_invitation_opens_an_account_once(browse, signed_in, people, password):
    operator, firm = signed_in("operator"), people["member"].organisation
    asked = form(operator, "/accounts", role="member", organisation=firm, note="=1+1")
    page = operator.post("/accounts/invite", data=asked)
    assert page.headers["cache-control"] == "no-store"
    link = re.search(r"http://localhost(/invitations/\S+?)<", page.text)[1]
    assert operator.post("/accounts/invite", data=asked).status_code == 303  # a repetition shows no secret

    guest = browse()
    shown = guest.get(link)
    assert "&lt;script&gt;" in shown.text
    given = {"csrf": TOKEN.search(shown.text)[1], "key": new_key(), "login": "new@example.org", "name": "新成员"}
    assert "JQ-ACCOUNTS" not in guest.post(link, data=given | {"password": "short"}).text
    again = guest.post(link, data=given | {"password": "short"})
    assert (again.status_code, 'value="new@example.org"' in again.text) == (422, True)
    done = guest.post(link, data=given | {"password": "a sentence is long"})
    assert (done.status_code, done.headers["location"]) == (303, "/?done=opened")
    assert guest.get("/mine").status_code == OPEN
    assert browse().get(link).status_code == 422


def test_a_new_password_ends_other_sessions_and_keeps_this_one(signed_in, browse, people, password):
    here, elsewhere = signed_in("analyst"), signed_in("analyst")
    before = here.cookies.get(SESSION)
    assert here.post("/account/password", data=form(here, "", old="wrong", new="another long one")).status_code == 422
    answer = here.post("/account/password", data=form(here, "", old=password, new="another long one"))
    assert answer.status_code == 303
    assert here.cookies.get(SESSION) != before
    assert here.get("/account").status_code == OPEN
    assert elsewhere.get("/account").status_code == TO_SIGN_IN


def test_a_token_is_shown_once_and_does_what_it_was_made_for(signed_in, browse):
    analyst = signed_in("analyst")
    asked = form(analyst, "", name='<i>script</i>"', days="30", scope="read")
    page = analyst.post("/account/tokens", data=asked)
    secret = re.search(r"jqt_[\w-]+", page.text)[0]
    assert secret not in analyst.get("/account").text
    program = browse(authorization=f"Bearer {secret}")
    assert program.get("/api/v1/accounts/me").json()["role"] == "analyst"
    command = program.post("/api/v1/store/cancel_job", json={"job": "x"}, headers={"Idempotency-Key": new_key()})
    assert (command.status_code, command.json()["code"]) == (403, "JQ-WEB-013")
    assert browse(authorization=f"Bearer {secret}x").get("/api/v1/accounts/me").status_code == 401
    token = re.search(r"/account/tokens/(\w+)/revoke", analyst.get("/account").text)[1]
    assert analyst.post(f"/account/tokens/{token}/revoke", data=form(analyst, "")).status_code == 303
    assert program.get("/api/v1/accounts/me").status_code == 401


def test_a_browsers_session_cannot_give_commands_through_the_api(signed_in):
    answer = signed_in("operator").post(
        "/api/v1/accounts/invite", json={"role": "operator"}, headers={"Idempotency-Key": new_key()}
    )
    assert answer.status_code == 401


def test_a_member_states_sees_exports_and_takes_back(signed_in, people, workspace):
    member = signed_in("member")
    name = HOSTILE[0]
    assert "&lt;script&gt;" in member.get("/mine").text
    stated = member.post("/mine", data=form(member, "", main_business="<b>芯片</b>", employees="1.2万"))
    assert (stated.status_code, stated.headers["location"]) == (303, "/mine?done=stated")
    page = member.get("/mine").text
    assert "&lt;b&gt;芯片&lt;/b&gt;" in page
    assert 'value="12000"' in page
    wrong = member.post("/mine", data=form(member, "", employees="many"))
    assert (wrong.status_code, 'value="many"' in wrong.text) == (422, True)
    said = member.post("/mine?lang=en", data=form(member, "", employees="many")).text
    assert "column employees" not in said
    assert "in people" in member.get("/mine?lang=en").text
    assert member.post("/mine", data=form(member, "")).headers["location"] == "/mine?done=same"
    export = member.get("/mine/export.json").json()
    assert export["register"]["name"] == name
    assert member.post("/mine", data=form(member, "", main_business="")).status_code == 303
    assert "芯片" not in member.get("/mine").text
    asked = member.post("/mine/withdraw", data=form(member, "", what="publication", reason="<i>why</i>"))
    assert asked.status_code == 303
    operator = signed_in("operator")
    assert "/accounts#withdrawals" in operator.get("/").text
    waiting = operator.get("/accounts").text
    assert "&lt;i&gt;why&lt;/i&gt;" in waiting
    path = re.search(r"/accounts/withdrawals/\w+", waiting)[0]
    assert operator.post(path, data=form(operator, "", agreed="false", words="公开名录")).status_code == 303
    assert "公开名录" in member.get("/notices").text
    assert member.post("/mine/withdraw", data=form(member, "", what="account")).headers["location"] == "/"
    assert member.get("/mine").status_code == TO_SIGN_IN


def test_the_language_of_the_account_is_kept(signed_in):
    analyst = signed_in("analyst")
    assert analyst.post("/account/language", data=form(analyst, "", chosen="zh")).status_code == 303
    assert '<html lang="zh-Hans">' in analyst.get("/help", headers={"accept-language": "en"}).text


def test_a_proof_downloaded_from_the_page_is_checked_by_the_checker_alone(signed_in, workspace, tmp_path):
    Journal(workspace).sequence()
    auditor = signed_in("auditor")
    page = auditor.get("/journal").text
    proof = auditor.get(re.search(r"/journal/proof/\d+\.json", page)[0])
    (tmp_path / "proof.json").write_bytes(proof.content)
    (tmp_path / "check.py").write_bytes(auditor.get("/journal/check.py").content)
    done = subprocess.run(
        [sys.executable, "-I", "check.py", "proof.json"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"BEGIN PUBLIC KEY" in auditor.get("/journal/key.pem").content
    assert auditor.get("/journal/head.json").json()["size"] > 0
    assert signed_in("member").get(re.search(r"/journal/proof/\d+\.json", page)[0]).status_code == 403


def test_lists_stay_small(signed_in):
    for role in NAMES:
        browser = signed_in(role)
        for path in MINE:
            answer = browser.get(path, headers={"accept-encoding": "gzip"})
            assert int(answer.headers["content-length"]) <= 60_000, path


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_no_accessibility_findings_and_no_outside_request(chrome, live, workspace, people, language, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    invited = desk.invite(LOCAL, workspace, "member", note="x" * 60, key=new_key())
    job = workspace.database.command(LOCAL, new_key(), "queue", lambda tx: tx.job("atlas.run", None))
    walked = {
        None: ["/nowhere", *MINE, f"/invitations/{invited.secret}"],
        "operator": ["/", "/nowhere", *MINE, "/clusters/new", f"/jobs/{job}"],
        "member": ["/", "/nowhere", *MINE],
    }
    found, seen = {}, []
    for role in (None, *NAMES):
        context = chrome.new_context(color_scheme=scheme, viewport={"width": 380, "height": 800})
        if role:
            secret = desk.open_session(workspace, people[role].id).secret
            context.add_cookies([{"name": SESSION, "value": secret, "url": live}])
        tab = context.new_page()
        tab.on("request", lambda request: seen.append(request.url))
        for path in walked.get(role, ["/", "/account"]):
            tab.goto(f"{live}{path}?lang={language}")
            violations = Axe().run(tab).response["violations"]
            if violations:
                found[role, path] = [(one["id"], one["nodes"][0]["html"][:200]) for one in violations]
            wide = tab.evaluate("document.documentElement.scrollWidth")
            assert wide <= 380, (role, path, wide)
        context.close()
    assert not found
    assert not [url for url in seen if not url.startswith(live)]


def test_signing_in_with_the_keyboard_alone_and_finding_the_search(chrome, live, people, password):
    context = chrome.new_context(locale="en")
    tab = context.new_page()
    tab.goto(f"{live}/help?lang=en")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "search"
    tab.goto(f"{live}/sign-in?next=/account")
    tab.focus("#f-login")
    tab.keyboard.type(people["analyst"].login)
    tab.keyboard.press("Tab")
    tab.keyboard.type(password)
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{live}/account")
    for _ in range(3):
        tab.keyboard.press("Tab")
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    context.close()


def test_everything_is_there_without_scripts(chrome, live, people, password):
    context = chrome.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{live}/sign-in?lang=zh")
    tab.fill("#f-login", people["operator"].login)
    tab.fill("#f-password", password)
    tab.click("form.narrow-form button")
    assert "待处理" in tab.inner_text("h1") or "待办" in tab.inner_text("h1")
    tab.goto(f"{live}/accounts")
    tab.select_option("#f-role", "analyst")
    tab.click("#invite button")
    assert "/invitations/" in tab.inner_text(".secret")
    tab.click("text=退出")
    assert tab.locator("text=登录").count()
    context.close()
