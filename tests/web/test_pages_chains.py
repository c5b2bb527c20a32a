"""Pages of chains and core industries: seen by role, edited without scripts, hostile names shown as what they are."""

from __future__ import annotations

import io
import re
import zipfile

import polars as pl
import pytest
from web_people import HOSTILE

from jiqun.atlas import chain_desk, core_desk
from jiqun.atlas.chain_data import Chain, to_toml
from jiqun.core.actor import LOCAL

BAD = HOSTILE[0]
OWN = Chain.model_validate(
    {
        "id": "devices", "zh": f"设备{BAD}", "en": f"Devices {BAD}", "version": "=1+1",
        "nodes": [
            {"id": "parts", "zh": "部件", "en": "Parts", "stage": "upstream", "words_en": ["never said"], "status": "draft", "source": BAD},
            {"id": "makers", "zh": f"制造{BAD}", "en": f"Makers {BAD}", "stage": "downstream", "words_en": ["Maker"], "status": "draft"},
        ],
        "edges": [{"start": "parts", "end": "makers", "zh": BAD, "en": BAD}],
    }
)  # fmt: skip


@pytest.fixture
def devices(workspace):
    """A chain of the workspace's own, with hostile words, on which the firms were placed by their names."""
    (workspace.path / "chains").mkdir()
    (workspace.path / "chains" / "devices.toml").write_text(to_toml(OWN), encoding="utf-8")
    chain_desk.place(LOCAL, workspace, "devices")
    core_desk.judge(LOCAL, workspace)
    return workspace


def form_of(browser, path: str, **fields: str) -> dict[str, str]:
    """The hidden fields of a page's form, with others."""
    page = browser.get(path).text
    hidden = dict(re.findall(r'<input type="hidden" name="(csrf|key|base)" value="([^"]*)"', page))
    return hidden | fields


def safe(text: str) -> None:
    """Nothing of a hostile name is markup."""
    assert BAD not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_chain_is_drawn_with_links_a_list_and_tables_and_runs_nothing(devices, client, language):
    for cluster in ("", "&cluster=c0001"):
        page = client.get(f"/chains/devices?lang={language}{cluster}")
        assert page.status_code == 200
        safe(page.text)
        assert 'class="layers"' in page.text
        assert 'class="layers-list"' in page.text
        assert re.search(r'<a href="/chains/devices/nodes/makers[^"]*" aria-label=', page.text)
        assert f'lang="{"zh-Hans" if language == "zh" else "en"}"' in page.text
        for address in re.findall(r'href="(/chains/devices/[\w-]+\.(?:csv|json)[^"]*)"', page.text):
            assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_a_node_leads_to_its_firms_and_candidates_only_for_who_may_seek(devices, client, signed_in):
    path = "/chains/devices/nodes/makers?cluster=c0001"
    public = client.get(path)
    assert public.status_code == 200
    assert 'href="/firms/' in public.text
    assert "elsewhere" not in public.text
    for role in ("analyst", "member", "auditor", "operator"):
        assert "elsewhere that could fill it" in signed_in(role).get(path).text
    assert client.get("/chains/devices/nodes/makers/candidates.csv?cluster=c0001").status_code in {303, 401}
    assert client.get("/chains/devices/nodes/nowhere").status_code == 404


def test_a_shortlist_holds_what_was_picked_and_runs_nothing(devices, signed_in):
    analyst = signed_in("analyst")
    base = "/chains/devices/nodes/makers/candidates"
    whole = analyst.get(f"{base}.json?cluster=c0001").json()
    assert whole
    picked = [row["id"] for row in whole[:2]]
    query = "&".join(f"pick={one}" for one in picked)
    csv = analyst.get(f"{base}.csv?cluster=c0001&{query}")
    assert csv.headers["content-disposition"].endswith("devices-makers-candidates.csv")
    lines = csv.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("rank,id,name,city,by,evidence,capability,links,relatedness,size,distance_km")
    content = analyst.get(f"{base}.xlsx?cluster=c0001").content
    rows = pl.read_excel(io.BytesIO(content))
    assert rows.height == len(whole)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_files_hold_the_report_and_the_chain(devices, client):
    for ending in ("docx", "xlsx", "html", "csv", "json", "toml"):
        assert client.get(f"/chains/devices.{ending}").status_code == 200
    assert client.get("/chains/devices.toml").text == to_toml(OWN)
    assert client.get("/chains/devices.json").json()["members"] > 50
    assert client.get("/chains/nothing").status_code == 404
    assert client.get("/chains/devices?cluster=c9999").status_code == 404
    assert client.get("/chains/devices?cluster=zzz").status_code == 422


def test_before_anything_was_placed_pages_say_what_to_do(client, signed_in):
    public = client.get("/chains/integrated-circuits")
    assert "have not been placed" in public.text
    assert "<form" not in public.text.split("<main")[1]
    assert client.get("/chains/integrated-circuits.docx").status_code == 409
    analyst = signed_in("analyst")
    path = "/chains/integrated-circuits"
    sent = analyst.post(f"{path}/place", data=form_of(analyst, path))
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/jobs/")
    auditor = signed_in("auditor")
    assert auditor.post(f"{path}/place", data=form_of(auditor, "/account")).status_code in {403, 422}


def test_the_editor_adds_checks_and_saves_without_scripts(signed_in, client):
    analyst = signed_in("analyst")
    fields = {
        "id": "robots", "zh": "机器人", "en": "Robots", "version": "1", "layered": "yes",
        "n-0-id": "drives", "n-0-zh": "驱动", "n-0-en": "Drives", "n-0-stage": "upstream", "n-0-status": "grounded",
        "n-0-gbt": "3812; 3813*", "n-0-source": "GB/T 4754-2017:3812",
        "n-1-id": "robots", "n-1-zh": "整机", "n-1-en": "Robots", "n-1-stage": "midstream", "n-1-status": "draft",
        "n-1-words_zh": "工业机器人；协作机器人", "edges": "drives -> robot | 驱动 | drives",
    }  # fmt: skip
    more = analyst.post("/chains/new", data=form_of(analyst, "/chains/new", **fields, do="add"))
    assert 'name="n-2-id"' in more.text
    assert 'value="3812; 3813*"' in more.text
    wrong = analyst.post("/chains/new", data=form_of(analyst, "/chains/new", **fields, do="save"))
    assert wrong.status_code == 422
    assert "there is no node" in wrong.text
    fields["edges"] = "drives → robots | 驱动"
    fine = analyst.post("/chains/new", data=form_of(analyst, "/chains/new", **fields, do="check"))
    assert "not saved yet" in fine.text
    saved = analyst.post("/chains/new", data=form_of(analyst, "/chains/new", **fields, do="save"))
    assert saved.headers["location"] == "/chains/robots?done=saved"
    assert "GB/T 4754-2017:3812 电动机制造" in client.get("/chains/robots?lang=zh").text
    edit = analyst.get("/chains/robots/edit")
    assert "drives -&gt; robots | 驱动" in edit.text
    toml = analyst.get("/chains/robots/edit?toml=true")
    assert "[[node]]" in toml.text
    body = client.get("/chains/robots.toml").text.replace('version = "1"', 'version = "2"')
    again = analyst.post("/chains/robots/edit", data=form_of(analyst, "/chains/robots/edit", toml=body, do="save"))
    assert again.headers["location"] == "/chains/robots?done=saved"
    stale = form_of(analyst, "/chains/robots/edit", toml=body, do="save") | {"base": "1"}
    late = analyst.post("/chains/robots/edit", data=stale)
    assert late.status_code == 422
    assert "someone else" in late.text
    back = analyst.post("/chains/robots/back", data=form_of(analyst, "/chains/robots"))
    assert back.status_code == 303
    assert client.get("/chains/robots").status_code == 404


@pytest.mark.parametrize("role", ["member", "auditor", None])
def test_only_operators_and_analysts_edit(role, signed_in, client):
    browser = signed_in(role) if role else client
    for path in ("/chains/new", "/chains/integrated-circuits/edit"):
        assert browser.get(path).status_code in {303, 403}
    assert "Edit the chain" not in browser.get("/chains/integrated-circuits").text


def test_broken_toml_is_shown_again_with_what_is_wrong(signed_in):
    analyst = signed_in("analyst")
    answer = analyst.post("/chains/new", data=form_of(analyst, "/chains/new?toml=true", toml=f"id = [{BAD}", do="save"))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    safe(answer.text)


def test_core_shares_stand_apart_from_quoted_ones(devices, client, signed_in):
    page = client.get("/core-share?lang=en")
    assert page.status_code == 200
    assert "narrow (01–04)" in page.text
    assert "broad (01–05)" in page.text
    assert 'id="quoted"' in page.text
    assert client.get("/core-share/quoted.csv").status_code == 200
    assert client.get("/core-share.json").json()["rows"]
    for ending in ("docx", "xlsx", "html", "csv"):
        assert client.get(f"/core-share.{ending}").status_code == 200
    analyst = signed_in("analyst")
    assert analyst.post("/core-share/count", data=form_of(analyst, "/core-share")).status_code == 303


def test_before_the_firms_were_judged_the_quoted_figures_are_there_all_the_same(client):
    page = client.get("/core-share?lang=en")
    assert "have not been judged" in page.text
    assert "15 of 80" in page.text
    cluster = client.get("/clusters/c0001?lang=en").text
    assert "Its chain and gaps: not known" in cluster
    assert "Share of the core industries: not known" in cluster


def test_a_cluster_page_follows_what_was_placed(client, devices):
    page = client.get("/clusters/c0001?lang=en").text
    assert "Its chain and gaps: not known" not in page
    assert 'class="layers"' in page
    safe(page)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_list_of_clusters_is_judged_by_names_under_both_definitions(client, language):
    path = f"/core-share/list?lang={language}"
    names = f"甲市集成电路产业集群\n乙市白酒产业集群\n\n丙市产业集群 {BAD}"
    told = client.post(path, data=form_of(client, path, names=names))
    assert told.status_code == 200
    safe(told.text)
    narrow, broad = re.findall(r'<h2 id="list-\d">([^<]*)</h2>', told.text)
    assert ("50%(33%–67%)" if language == "zh" else "50\xa0% (33\xa0%–67\xa0%)") in narrow
    assert ("33% 至 100%" if language == "zh" else "33\xa0% to 100\xa0%") in broad
    assert told.text.count("<tbody><tr>") == 2
    for wrong in ("", "\n".join(f"集群{i}" for i in range(201)), "长" * 121):
        refused = client.post(path, data=form_of(client, path, names=wrong))
        assert refused.status_code == 422
        assert 'role="alert"' in refused.text


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_chains_and_core_shares_have_no_accessibility_findings(chrome, live, devices, language, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    context = chrome.new_context(color_scheme=scheme, viewport={"width": 380, "height": 800})
    tab, found = context.new_page(), {}
    node = "/chains/devices/nodes/makers"
    for path in ("/chains", "/chains/devices", "/chains/integrated-circuits", node, "/core-share", "/core-share/list"):
        tab.goto(f"{live}{path}?lang={language}")
        violations = Axe().run(tab).response["violations"]
        if violations:
            found[path] = [(one["id"], one["nodes"][0]["html"][:200]) for one in violations]
        assert tab.evaluate("document.documentElement.scrollWidth") <= 380, path
    tab.fill("#names", "甲市集成电路产业集群\n乙市产业集群")
    tab.click("main button")
    assert tab.locator("main h2").count() == 2
    if violations := Axe().run(tab).response["violations"]:
        found["list judged"] = [(one["id"], one["nodes"][0]["html"][:200]) for one in violations]
    context.close()
    assert not found


@pytest.mark.parametrize("language", ["zh", "en"])
def test_tables_of_two_chains_on_a_clusters_page_are_told_apart(chrome, live, devices, language):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    second = OWN.model_copy(update={"id": "tools", "zh": "工具", "en": "Tools", "version": "1"})
    (devices.path / "chains" / "tools.toml").write_text(to_toml(second), encoding="utf-8")
    chain_desk.place(LOCAL, devices, "tools")
    context = chrome.new_context(viewport={"width": 380, "height": 800})
    tab = context.new_page()
    tab.goto(f"{live}/clusters/c0001?lang={language}")
    named = tab.locator("[id^=c0001-chain-] [role=region]").evaluate_all(
        "all => all.map(one => document.getElementById(one.getAttribute('aria-labelledby')).textContent)"
    )
    assert len(named) == len(set(named)) >= 2
    assert sum(name.startswith("工具：" if language == "zh" else "Tools: ") for name in named) * 2 == len(named)
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380
    context.close()
