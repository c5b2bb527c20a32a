"""Pages of belts and of the benchmark: every twin answers, hostile names stay text, looking anew is for some."""

import re

import pytest
from web_people import HOSTILE

from jiqun.assess import belts_room as room
from jiqun.atlas import chain_desk
from jiqun.atlas.chain_data import Chain, to_toml
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, WorkspaceError
from jiqun.store.commands import new_key

BAD = HOSTILE[0]
CHAIN = Chain.model_validate(
    {
        "id": "devices", "zh": f"设备{BAD}", "en": f"Devices {BAD}", "version": "1",
        "nodes": [
            {"id": "few", "zh": "少", "en": f"Few {BAD}", "stage": "upstream", "words_en": ["Maker 1"], "status": "draft"},
            {"id": "all", "zh": "多", "en": "All", "stage": "downstream", "words_en": ["Maker"], "status": "draft"},
        ],
        "edges": [],
    }
)  # fmt: skip


@pytest.fixture
def devices(workspace):
    """Two clusters of which both make devices and one has what the other may lack."""
    (workspace.path / "chains").mkdir()
    (workspace.path / "chains" / "devices.toml").write_text(to_toml(CHAIN), encoding="utf-8")
    chain_desk.place(LOCAL, workspace, "devices")
    return workspace


def twins(browser, text, path):
    for address in sorted(set(re.findall(rf'href="({path}[^"]*\.(?:csv|json)[^"]*)"', text))):
        assert browser.get(address.replace("&amp;", "&")).status_code == 200, address


def test_before_any_search_there_is_nothing_and_it_says_what_to_do(workspace, client):
    with pytest.raises(WorkspaceError):
        room.belts_(LOCAL, workspace, room.BeltsRequest())
    with pytest.raises(InputError) as refused:
        room.find(LOCAL, workspace)
    assert refused.value.code == "JQ-ASSESS-124"
    assert 'href="/chains"' in client.get("/assess/belts").text
    assert client.get("/assess/belts.json").status_code == 404


@pytest.mark.parametrize("language", ["zh", "en"])
def test_belts_are_shown_with_twins_and_run_nothing(devices, client, language):
    first = room.find(LOCAL, devices, max_km=20_000)
    assert room.find(LOCAL, devices, max_km=20_000).id == first.id
    page = client.get(f"/assess/belts?lang={language}")
    assert page.status_code == 200
    assert BAD not in page.text
    twins(client, page.text, "/assess/belts")
    told = client.get("/assess/belts.json").json()
    assert told["total"] == first.table("pairs").height == 1
    assert told["pairs"][0]["score"] == len(told["pairs"][0]["adds"])


def test_looking_for_belts_is_a_job_of_who_may(devices, signed_in):
    browser = signed_in("analyst")
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/assess/belts").text)[1]
    sent = browser.post("/assess/belts", data={"csrf": token, "key": new_key(), "max_km": "500"})
    assert sent.headers["location"].startswith("/jobs/")
    assert browser.post("/assess/belts", data={"csrf": token, "key": new_key(), "max_km": "-1"}).status_code == 422
    assert '<form class="filters" method="post"' not in signed_in("member").get("/assess/belts").text


def test_the_benchmark_stands_beside_a_cluster_and_ranks_nothing(workspace, client):
    for path in ("/assess/benchmark", "/assess/benchmark?cluster=c0001"):
        page = client.get(path)
        assert page.status_code == 200
        twins(client, page.text, "/assess/benchmark")
    rows = client.get("/assess/benchmark.json?cluster=c0001").json()["rows"]
    assert {row["indicator"] for row in rows} == {"firms"}
    assert all("year" in row["differs"] for row in rows)
    assert client.get("/assess/benchmark?cluster=c9999").status_code == 404
