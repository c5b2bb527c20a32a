"""Commands of placing: addresses, a geocoder's plan, doubtful points."""

from __future__ import annotations

import csv
import io
import json
import shutil

import polars as pl
import pytest

from jiqun.core.actor import LOCAL
from jiqun.intake import desk
from jiqun.store import Workspace


@pytest.fixture
def workspace(tmp_path, places, monkeypatch):
    made = Workspace.init(tmp_path / "ws")
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    rows = pl.DataFrame(
        {
            "企业名称": ["甲", "乙", "丙"],
            "地址": ["深圳市南山区科技南路1号", "深圳市南山区科技南路2号", "深圳市南山区科技南路3号"],
            "经度": [None, 91.9, -113.95],
            "纬度": [None, 30.0, 22.53],
        }
    )
    desk.load(LOCAL, made, rows, "organisations")
    monkeypatch.setenv("JIQUN_WORKSPACE", str(made.path))
    yield made
    made.close()


def test_an_address_is_taken_apart(workspace, run):
    status, out, _ = run("address", "余杭区文一西路969号3号楼", "-f", "json")
    (found,) = json.loads(out)
    assert status == 0
    assert (found["county_code"], found["road"], found["number"], found["building"]) == (
        "330110",
        "文一西路",
        "969号",
        "3号楼",
    )


def test_a_dry_run_says_what_it_would_take_and_needs_no_key(workspace, run):
    status, out, err = run("geocode", "--provider", "amap", "--dry-run")
    assert (status, out) == (0, "")
    assert "1 would be asked for: 1 today (quota 5,000, used 0), in 1 day(s). There is no key yet." in " ".join(
        err.split()
    )


def test_without_a_key_it_is_a_wrong_use(workspace, run):
    status, _, err = run("geocode", "--provider", "baidu", "--yes")
    assert status == 2
    assert "JQ-PLACE-020" in err
    assert "JIQUN_BAIDU_KEY" in err


def test_doubtful_points_are_listed_and_mended(workspace, run):
    _, out, _ = run("points", "-f", "csv")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(out))}
    assert {name: (row["code"], row["fix"]) for name, row in rows.items()} == {
        "乙": ("JQ-PLACE-011", "drop"),
        "丙": ("JQ-PLACE-016", "sign"),
    }
    assert run("points", "--fix", "sign")[0] == 2
    status, _, err = run("points", "--code", "JQ-PLACE-016", "--fix", "sign", "--all")
    assert (status, err.strip()) == (0, "1 rows treated.")
    assert run("points", "--fix", "drop", "--row", rows["乙"]["id"])[0] == 0
    placed = dict(workspace.scan("organisations").select("name", "placed_by").collect().iter_rows())
    assert placed == {"甲": "address", "乙": "address", "丙": "coordinates"}
    assert run("points", "-f", "json")[1].strip() == "[]"
    decided = list(csv.DictReader(io.StringIO(run("points", "--decided", "-f", "csv")[1])))
    assert sorted((row["id"], row["fix"], row["account"]) for row in decided) == sorted(
        [(rows["乙"]["id"], "drop", "local"), (rows["丙"]["id"], "sign", "local")]
    )
    assert run("points", "--fix", "undo", "--row", rows["乙"]["id"])[0] == 0
    assert (
        dict(workspace.scan("organisations").select("name", "placed_by").collect().iter_rows())["乙"] == "coordinates"
    )
    assert run("points", "--fix", "undo", "--row", rows["乙"]["id"])[0] == 2
