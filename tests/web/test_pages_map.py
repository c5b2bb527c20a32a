"""The map page: layers, filters, moves and files, by address alone and within its weight."""

from __future__ import annotations

import gzip
import json
import re

import pytest

MOST_SENT = 150_000
ADDRESSES = [
    "/map",
    "/map?view=china",
    "/map?layer=firms&view=world",
    "/map?layer=firms&view=china",
    "/map?layer=regions&view=world",
    "/map?layer=regions&view=china",
    "/map?layer=regions&view=china&measure=lq&min_firms=3",
    "/map?bbox=-106,39,-104,41",
    "/map?layer=firms&view=world&bbox=170,-20,-170,20",
    "/map?country=US&min_firms=10",
    "/map?region=US.CO",
]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_view_has_a_page_with_a_table_and_files(client, address, language):
    answer = client.get(address, headers={"accept-language": language})
    assert answer.status_code == 200
    assert len(gzip.compress(answer.content, 4)) <= MOST_SENT
    html = answer.text
    assert html.count("<h1") == 1
    assert "<svg" in html
    assert "map-table" in html
    for form in ("csv", "json", "geojson", "pdf"):
        assert f"/map.{form}" in html
    assert "/method/maps" in html
    assert " style=" not in html
    assert "<script>alert" not in html


@pytest.mark.parametrize("address", ["/map", "/map?layer=firms&view=world", "/map?layer=regions&view=china"])
def test_the_files_hold_what_the_map_shows(client, address):
    path, _, query = address.partition("?")
    csv = client.get(f"{path}.csv?{query}")
    assert csv.status_code == 200
    assert csv.headers["content-type"].startswith("text/csv")
    rows = client.get(f"{path}.json?{query}").json()
    assert rows
    found = json.loads(client.get(f"{path}.geojson?{query}").content)
    assert found["type"] == "FeatureCollection"
    assert all("firms" in feature["properties"] for feature in found["features"])


def test_a_part_can_be_moved_by_plain_links(client):
    html = client.get("/map?bbox=-106,39,-104,41").text
    targets = re.findall(r'href="(/map\?[^"]*bbox=[^"]*)"', html)
    assert len(targets) >= 6
    for target in dict.fromkeys(targets):
        assert client.get(target.replace("&amp;", "&")).status_code == 200


@pytest.mark.parametrize("bad", ["bbox=1,2", "bbox=1,5,3,2", "bbox=a,b,c,d", "bbox=999,0,1,1", "layer=x", "country=usa", "view=moon", "bbox=1,1,1,2", "region=%3Cscript%3E"])  # fmt: skip
def test_what_is_no_view_is_refused_in_words(client, bad):
    answer = client.get(f"/map?{bad}")
    assert answer.status_code in (400, 422)
    assert "<script>" not in answer.text


def test_the_api_tells_the_same_marks(client, signed_in):
    answer = signed_in("analyst").get("/api/v1/atlas/map?layer=clusters&view=world")
    assert answer.status_code == 200
    told = answer.json()
    assert told["layer"] == "clusters"
    assert told["base"] == "world"
    assert {"Boulder", "Cambridge"} <= {feature["name_en"] for feature in told["features"]}


def test_exact_places_of_firms_are_not_for_everybody(client, signed_in):
    """Dots for those who may see more of a firm; for others cells, and no view so narrow that a cell is a house."""
    address = "/map?layer=firms&view=world&bbox=-105.28,40.005,-105.26,40.015"
    inside = signed_in("analyst").get(address).text
    assert 'class="dots"' in inside
    outside = client.get(address).text
    assert 'class="dots"' not in outside
    assert 'class="cells' in outside


def test_an_official_map_that_is_broken_is_told(client, workspace):
    folder = workspace.path / "basemap"
    folder.mkdir()
    (folder / "china.geojson").write_text("{", encoding="utf-8")
    (folder / "basemap.toml").write_text("", encoding="utf-8")
    answer = client.get("/map?view=china")
    assert answer.status_code < 600
    assert "JQ-MAP-001" in answer.text
    assert client.get("/map?view=world").status_code == 200
