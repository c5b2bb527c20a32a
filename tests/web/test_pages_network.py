"""The network's pages: empty, full, for every role, in both languages; twins, files, hostile names, a new analysis."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
from web_people import HOSTILE

from jiqun.atlas import network_desk
from jiqun.atlas.declared import HANDLERS
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace
from jiqun.store.worker import work


@pytest.fixture
def linked(workspace: Workspace) -> Workspace:
    """Ties among the firms of Boulder, some with hostile names; synthetic."""
    firms = workspace.scan("organisations").select("id", "name").head(24).collect()["id"].to_list()
    pairs = [(a, b) for team in (firms[:12], firms[12:]) for a in team for b in team if a != b]
    pairs += [(firms[0], firms[23]), ("</script><b>outsider", firms[1])]
    frame = pl.DataFrame(pairs, schema=["source", "target"], orient="row")
    with workspace.new_snapshot("links", as_of="2024-05-01", source="made up <b>") as writer:
        writer.write(
            frame.with_columns(id=pl.format("l{}", pl.int_range(pl.len())), kind=pl.lit("supply"), weight=pl.lit(1.0))
        )
    return workspace


@pytest.fixture
def visit(browse, signed_in):
    """A new browser of a role; the public is not signed in."""
    return lambda role: browse() if role == "public" else signed_in(role)


def analysed(workspace: Workspace) -> None:
    network_desk.run(LOCAL, workspace, network_desk.Analysis(nulls=19, draws=19))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_empty_says_what_to_do(visit, language):
    page = visit("analyst").get(f"/network?lang={language}").text
    assert 'href="/imports"' in page
    assert 'href="/surveys"' in page
    assert ("还没有装载企业之间的关联" if language == "zh" else "No links between firms are loaded yet") in page
    assert 'href="/imports"' not in visit("public").get("/network").text.partition("<main")[2]


def test_pages_of_every_role(visit, linked):
    assert 'href="/network/new"' in visit("operator").get("/network").text
    analysed(linked)
    for role in ("operator", "analyst", "member", "auditor", "public"):
        browser = visit(role)
        for language in ("zh", "en"):
            answer = browser.get(f"/network?lang={language}")
            assert answer.status_code == 200, role
            assert "<script>alert" not in answer.text
            assert "</script><b>" not in answer.text
            assert "made up <b>" not in answer.text
            seen = role in {"operator", "analyst", "auditor"}
            assert ('class="network"' in answer.text) == seen, role
        refused = 303 if role == "public" else 403  # who is not signed in is asked to
        status = 200 if seen else refused
        for address in (
            "/network/positions",
            "/network/positions.csv",
            "/network/positions?sort=constraint&cluster_id=n0001",
        ):
            assert browser.get(address).status_code == status, (role, address)
        assert browser.get("/network/new").status_code == (200 if role in {"operator", "analyst"} else refused)


def test_a_network_cluster_has_a_page_whose_members_only_some_may_see(visit, linked):
    """Its type with the reason and both scores, evidence and leaders for all; who belongs to it for who may see ties."""
    analysed(linked)
    assert 'href="/network/clusters/n0001"' in visit("public").get("/network").text
    members = set(linked.result("network").table("nodes").filter(cluster_id="n0001").drop_nulls("id")["id"])
    leaders = linked.result("network").table("leaders").filter(cluster_id="n0001", scope="network", rank=1)["id"]
    assert members > set(leaders)
    for role in ("operator", "analyst", "member", "auditor", "public"):
        browser = visit(role)
        full = role in {"operator", "analyst", "auditor"}
        for language in ("zh", "en"):
            answer = browser.get(f"/network/clusters/n0001?lang={language}")
            assert answer.status_code == 200, role
            for told in ("network-cluster-type", "network-cluster-evidence", "network-cluster-leaders"):
                assert told in answer.text
            named = {firm for firm in members if f'href="/firms/{firm}"' in answer.text}
            assert named == (members if full else set(leaders)), role
            assert ("network-cluster-members-table" in answer.text) == full, role
            assert ("network-picture-table" in answer.text) == full, role
            assert "<script>alert" not in answer.text
            assert "</script><b>" not in answer.text
        refused = 303 if role == "public" else 403
        assert browser.get("/network/clusters/n0001.csv").status_code == (200 if full else refused), role
        rows = browser.get("/network/clusters/n0001/network-cluster-members-table.json")
        assert rows.status_code == (200 if full else 404), role
        assert browser.get("/network/clusters/n0099").status_code == 404
    told = json.loads(browser.get("/network/clusters/n0001.json").text)
    assert told["reason_en"]
    assert told["reason_zh"]
    assert {"core", "core_low", "core_high", "space", "p", "expected"} <= set(told)
    english = visit("analyst").get("/network/clusters/n0001?lang=en").text
    assert told["reason_en"] in english
    words = re.sub(r"<[^>]*>", " ", english.partition("<main")[2])
    assert not re.search(r"[\u4e00-\u9fff]", re.sub("|".join(map(re.escape, HOSTILE)), "", words))
    assert visit("analyst").get("/network/clusters/n0001.docx").status_code == 200


def test_the_words_are_in_the_language_asked_for(visit, linked):
    analysed(linked)
    browser = visit("analyst")
    for address in ("/network", "/network/positions", "/network/new"):
        english = re.sub(r"<[^>]*>", " ", browser.get(f"{address}?lang=en").text.partition("<main")[2])
        assert not re.search(r"[\u4e00-\u9fff]", re.sub("|".join(map(re.escape, HOSTILE)), "", english)), address


def test_twins_and_files(visit, linked):
    analysed(linked)
    browser = visit("analyst")
    told = json.loads(browser.get("/network.json").text)
    assert told["values"]["clusters"] == 2
    assert "n0001" in browser.get("/network.csv").text
    rows = json.loads(browser.get("/network/positions.json").text)
    assert len(rows) == told["values"]["nodes"]
    assert "network-kinds-table" in browser.get("/network").text
    assert json.loads(browser.get("/network/network-clusters-table.json").text)
    assert browser.get("/network/nothing.csv").status_code == 404
    for ending in ("docx", "xlsx", "html"):
        assert browser.get(f"/network.{ending}").status_code == 200
    page = browser.get("/clusters/c0001?lang=en").text
    assert "c0001-linkage" in page
    assert "Chain leaders" in page


def test_a_new_analysis_from_the_form(visit, linked):
    browser = visit("analyst")
    form = browser.get("/network/new").text
    said = {name: re.search(rf'name="{name}" value="([^"]*)"', form)[1] for name in ("csrf", "key")}
    answer = browser.post("/network/new", data={**said, "kinds": ["supply"], "eps_km": "50"}, follow_redirects=False)
    assert answer.status_code == 303
    work(linked, HANDLERS, once=True)
    assert json.loads(browser.get("/network.json").text)["values"]["clusters"] == 2
    refused = browser.post("/network/new", data={**said, "eps_km": "far"}, follow_redirects=False)
    assert refused.status_code == 422
