"""The atlas's commands, as typed."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest

from jiqun.store import Workspace


@pytest.fixture
def workspace(run, tmp_path, places, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "ws")[0] == 0
    shutil.copytree(places, Workspace.open("ws").cache, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "ws")
    at = ["Boulder,CO,US"] * 30 + ["Cambridge,,GB"] * 20 + ["Hamburg,,DE", "Berlin,,DE", "Paris,,FR"] * 3
    lines = [f'=HYPERLINK("{i}"),{place},3' if i == 0 else f"Maker {i},{place},3" for i, place in enumerate(at)]
    (tmp_path / "firms.csv").write_text("\n".join(["企业名称,城市,省份,国家,规模", *lines]), encoding="utf-8")
    code, _, err = run("load", "../firms.csv", "--as", "organisations", "--as-of", "2024-05-01")
    assert code == 0, err
    assert "JQ-DATA" in err  # the formula in the first name is refused and said
    return tmp_path / "ws"


def test_from_a_file_to_clusters_and_exports(run, workspace, tmp_path):
    code, out, err = run("atlas", "run", "--coverage", "world", "--eps-km", 20, "--size", "size", "--format", "json")
    assert code == 0, err
    rows = json.loads(out)
    assert [(row["name_en"], row["country"], row["firms"], row["size"]) for row in rows] == [
        ("Boulder", "US", 29, 87.0),
        ("Cambridge", "GB", 20, 60.0),
    ]
    assert "Clusters: 2, among 58 firms" in err
    assert run("atlas", "list", "--format", "json")[1] == out
    assert json.loads(run("atlas", "runs", "--format", "json")[1])[0]["clusters"] == 2

    shown = json.loads(run("atlas", "show", "boulder", "--format", "json")[1])
    assert shown["cluster_id"] == "c0001"
    assert len(shown["largest"]) == 10
    members = pl.read_csv(run("atlas", "show", "c0002", "--members", "--format", "csv")[1].encode())
    assert members.height == 20

    for name in ("atlas.html", "atlas.geojson", "atlas.parquet", "atlas.csv"):
        assert run("atlas", "export", "-o", tmp_path / name)[0] == 0
    collection = json.loads((tmp_path / "atlas.geojson").read_text(encoding="utf-8"))
    assert [feature["properties"]["cluster_id"] for feature in collection["features"]] == ["c0001", "c0002"]
    assert pl.read_parquet(tmp_path / "atlas.parquet")["firms"].to_list() == [29, 20]
    assert "Boulder" in (tmp_path / "atlas.html").read_text(encoding="utf-8")


def test_tables_for_people_name_the_cluster(run, workspace):
    code, out, _ = run("atlas", "run", "--coverage", "world", "--eps-km", 20)
    assert code == 0
    assert "Boulder" in out
    code, out, _ = run("atlas", "show", "c0001")
    assert code == 0
    assert "Maker 1" in out


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("atlas", "list"), "JQ-ATLAS-013", 1),
        (("atlas", "run", "--digital", "9"), "JQ-TAXONOMY-004", 1),
        (("atlas", "run", "--digital", "01"), "JQ-ATLAS-005", 1),
        (("atlas", "run", "--alpha", "2"), "JQ-ATLAS-008", 1),
        (("atlas", "run", "--eps-km", "0"), "JQ-ATLAS-002", 1),
        (("atlas", "run", "--size", "profit"), "JQ-USE-003", 1),
        (("atlas", "run", "--size", "name"), "JQ-ATLAS-016", 1),
        (("atlas", "run", "--eps-km", "nan"), "JQ-ATLAS-002", 1),
        (("atlas", "run", "--min-weight", "inf"), "JQ-ATLAS-004", 1),
    ],
)
def test_bad_requests_exit_with_a_code_and_no_traceback(run, workspace, arguments, code, status):
    found, out, err = run(*arguments)
    assert (found, out) == (status, "")
    assert err.startswith(code)


def test_export_refuses_what_it_cannot_write(run, workspace, tmp_path):
    assert run("atlas", "run", "--coverage", "world", "--eps-km", 20)[0] == 0
    code, _, err = run("atlas", "export", "-o", tmp_path / "atlas.docx")
    assert code == 2
    assert ".geojson" in err
