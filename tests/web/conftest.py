"""A small workspace with clusters and hostile names, its console, and browsers signed in as every role."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import polars as pl
import pytest
import uvicorn
from starlette.testclient import TestClient
from web_people import HOSTILE, NAMES, PASSWORD

from jiqun.accounts import people as accounts
from jiqun.accounts import sessions
from jiqun.accounts.recorder import flush
from jiqun.atlas import desk as atlas
from jiqun.core.actor import LOCAL
from jiqun.intake import desk as intake
from jiqun.store import Workspace
from jiqun.web.app import make_app
from jiqun.web.settings import WebSettings
from jiqun.web.visitor import SESSION


@pytest.fixture(scope="session")
def template(tmp_path_factory, places):
    """Clusters at Boulder and Cambridge; some of their firms have hostile names. Copied, never written to."""
    folder = tmp_path_factory.mktemp("console") / "workspace"
    workspace = Workspace.init(folder)
    shutil.copytree(places, workspace.cache, dirs_exist_ok=True)
    at = ["Boulder,CO,US"] * 30 + ["Cambridge,,GB"] * 20 + ["Hamburg,,DE", "Berlin,,DE", "Paris,,FR"] * 3
    names = [*(name for name in HOSTILE if not name.startswith("=")), *(f"Maker {i}" for i in range(len(at)))]
    firms = pl.DataFrame(
        [
            {"name": name, "city": city, "province": province or None, "country": country, "size": 3}
            for name, (city, province, country) in zip(names, (place.split(",") for place in at), strict=False)
        ]
    )
    file = folder.parent / "firms.csv"
    firms.rename({"name": "企业名称", "city": "城市", "province": "省份", "country": "国家", "size": "规模"}).write_csv(
        file
    )
    intake.load(LOCAL, workspace, file, "organisations", as_of="2024-05-01")
    atlas.run(LOCAL, workspace, atlas.Search(coverage="world", eps_km=20.0, size="size"))
    firm = workspace.scan("organisations").filter(pl.col("name") == HOSTILE[0]).select("id").collect().item()
    for role, name in NAMES.items():
        accounts.add(
            LOCAL,
            workspace,
            login=f"{role}@example.org",
            name=name,
            role=role,
            organisation=firm if role == "member" else None,
            password=PASSWORD,
            key=f"first-{role}",
        )
    workspace.database.close()
    return folder


@pytest.fixture
def workspace(template, tmp_path):
    """A workspace of the test's own."""
    shutil.copytree(template, tmp_path / "workspace", symlinks=True)
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    flush(opened)
    opened.database.close()


@pytest.fixture
def password():
    """The password of every account."""
    return PASSWORD


@pytest.fixture
def people(workspace):
    """The accounts by role."""
    return {role: accounts.find(workspace, f"{role}@example.org") for role in NAMES}


@pytest.fixture
def app(workspace):
    """The console of that workspace, open to visitors who are signed out, who may ask faster than people do."""
    return make_app(workspace, WebSettings(public=True, requests_per_second=10_000.0))


@pytest.fixture
def browse(app):
    """A new browser: its own cookies, not signed in. It does not follow where it is sent."""

    def open_browser(base_url="http://localhost", **headers):
        return TestClient(
            app, base_url=base_url, headers=headers, follow_redirects=False, raise_server_exceptions=False
        )

    return open_browser


@pytest.fixture
def client(browse):
    """A browser that is not signed in."""
    return browse()


@pytest.fixture
def signed_in(browse, workspace, people):
    """A new browser, signed in as a role without the form."""

    def open_browser(role):
        browser = browse()
        browser.cookies.set(SESSION, sessions.open_session(workspace, people[role].id).secret, domain="localhost.local")
        return browser

    return open_browser


@pytest.fixture
def live(app):
    """The console on a port of this machine, for a real browser."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def chrome(chromium):
    """A headless Chromium for the whole run."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only where a browser is

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()
