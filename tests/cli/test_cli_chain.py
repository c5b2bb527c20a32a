"""`jiqun chain` and `jiqun atlas core-share`: from a template to a shortlist, what is refused, what texts quote."""

from __future__ import annotations

import csv
import io
import json

import polars as pl
import pytest

from jiqun.store import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace with a few firms, the current one."""
    opened = Workspace.init(tmp_path / "w")
    rows = [
        ("a", "甲", "3973", "晶圆代工", 500),
        ("b", "=乙", "3985", "光刻胶", 40),
        ("c", "丙", "0111", None, 10),
        ("d", "丁", "7320", None, 50),
    ]
    frame = pl.DataFrame(rows, schema=["id", "name", "industry_code", "main_business", "employees"], orient="row")
    with opened.new_snapshot("organisations", as_of="2024-05-01", source="made up") as writer:
        writer.write(frame.with_columns(revenue_cny=pl.col("employees") * 1e6))
    monkeypatch.setenv("JIQUN_WORKSPACE", str(opened.path))
    return opened


def rows_of(text: str) -> list[dict[str, str]]:
    """CSV as records."""
    return list(csv.DictReader(io.StringIO(text)))


def test_a_new_chain_is_a_file_that_passes_its_check(run, workspace):
    status, out, _ = run("chain", "new", "robots")
    assert status == 0
    assert out.strip().endswith("chains/robots.toml")
    assert run("chain", "check", out.strip())[0] == 0
    assert run("chain", "new", "robots")[0] == 1
    assert run("chain", "new", "robots", "--force")[0] == 0
    assert run("chain", "new", "Ro bots")[0] == 1
    listed = rows_of(run("chain", "list", "--format", "csv")[1])
    assert {row["id"]: row["origin"] for row in listed}["robots"] == "file"
    assert workspace.path.joinpath("chains", "robots.toml").is_file()


def test_a_draft_comes_from_an_input_output_table(run, workspace, tmp_path):
    table = tmp_path / "io.csv"
    table.write_text("sector,39 电子,40 仪表,output\n39 电子,0,50,100\n40 仪表,0,0,200\n", encoding="utf-8")
    status, out, _ = run("chain", "new", "drafted", "--from-io", table)
    assert status == 0
    shown = rows_of(run("chain", "show", "drafted", "--format", "csv")[1])
    assert [(row["node"], row["gbt"], row["to"]) for row in shown] == [("s1", "39", "s2"), ("s2", "40", "")]
    assert shown[0]["source"].startswith("draft")
    assert run("chain", "new", "none", "--from-io", table, "--share", "0.9")[0] == 1
    assert workspace.path.joinpath("chains", "none.toml").exists() is False
    assert out


def test_a_broken_chain_is_told_problem_by_problem(run, workspace):
    folder = workspace.path / "chains"
    folder.mkdir()
    bad = folder / "bad.toml"
    bad.write_text(
        'id="bad"\nzh="坏"\nen="Bad"\nversion="1"\n[[node]]\nid="a"\nzh="甲"\nen="A"\nstage="upstream"\ngbt=["9999"]\n',
        encoding="utf-8",
    )
    status, _, err = run("chain", "check", bad)
    assert status == 1
    assert "JQ-CHAIN-003" in err
    assert "JQ-CHAIN-006" in err
    assert "JQ-CHAIN-009" in run("chain", "list")[2]
    assert run("chain", "check", folder / "absent.toml")[0] == 1
    assert run("chain", "show", "absent")[0] == 2


def test_maps_gaps_and_shortlists(run, workspace, tmp_path):
    status, out, err = run("chain", "map", "integrated-circuits", "--format", "csv")
    assert status == 0
    nodes = {row["node"]: row for row in rows_of(out)}
    assert (nodes["fabrication"]["firms"], nodes["photoresist"]["firms"]) == ("1", "1")
    assert nodes["fabrication"]["size"] == "500.0"
    assert "on the chain 2" in err
    gaps = rows_of(run("chain", "gaps", "integrated-circuits", "--format", "csv")[1])
    assert gaps[0]["rank"] == "1"
    assert "fabrication" in {row["target"] for row in gaps}
    found = json.loads(run("chain", "candidates", "integrated-circuits", "photoresist", "--format", "json")[1])
    assert [row["name"] for row in found] == ["=乙"]
    for name in ("list.csv", "list.xlsx"):
        assert run("chain", "candidates", "integrated-circuits", "photoresist", "-o", tmp_path / name)[0] == 0
    assert "'=乙" in (tmp_path / "list.csv").read_text(encoding="utf-8-sig")
    assert run("chain", "candidates", "integrated-circuits", "photoresist", "-o", tmp_path / "x.doc")[0] == 2
    assert run("chain", "candidates", "integrated-circuits", "nothing")[0] == 1
    assert run("chain", "map", "integrated-circuits", "--cluster", "c0001")[0] == 1
    assert workspace.result("chain-integrated-circuits") is not None


def test_export_writes_the_chain_and_its_report(run, workspace, tmp_path):
    for name in ("c.toml", "c.html", "c.xlsx", "c.docx"):
        assert run("chain", "export", "integrated-circuits", "-o", tmp_path / name)[0] == 0
        assert (tmp_path / name).stat().st_size > 1000
    assert run("chain", "check", tmp_path / "c.toml")[0] == 0
    assert run("chain", "export", "integrated-circuits", "-o", tmp_path / "c.odt")[0] == 2
    assert run("chain", "export", "integrated-circuits", "-o", tmp_path / "no" / "c.toml")[0] == 2
    assert workspace.result("chain-integrated-circuits").lineage.parameters["version"] == "2025-1"


def test_core_shares_by_firms_persons_and_revenue(run, workspace, tmp_path):
    status, out, err = run("atlas", "core-share", "--format", "csv")
    assert status == 0
    told = {(row["by"], row["definition"]): row for row in rows_of(out)}
    assert set(told) == {(by, d) for by in ("firms", "employees", "revenue") for d in ("narrow", "broad")}
    narrow = told["employees", "narrow"]
    assert (float(narrow["core"]), float(narrow["outside"]), float(narrow["undecided"])) == (540, 10, 50)
    assert "proxies" in err
    rates = tmp_path / "rates.csv"
    rates.write_text("code,rate\n39,0.25\n", encoding="utf-8")
    added = rows_of(run("atlas", "core-share", "--rates", rates, "--format", "csv")[1])
    (value,) = [row for row in added if row["by"] == "value_added" and row["definition"] == "narrow"]
    assert float(value["core"]) == 540e6 * 0.25
    rates.write_text("code,rate\n39,much\n", encoding="utf-8")
    assert run("atlas", "core-share", "--rates", rates)[0] == 2
    regions = rows_of(run("atlas", "core-share", "--level", "region", "--format", "csv")[1])
    assert {row["region"] for row in regions} == {""}
    assert len(workspace.results("core-share")) == 1


def test_a_list_of_clusters_is_counted_by_the_rule(run, tmp_path):
    listed = tmp_path / "clusters.csv"
    listed.write_text("name,industry\n甲市集成电路集群,\n乙市白酒集群,\n丙市集群,工业机器人制造\n", encoding="utf-8")
    status, out, err = run("atlas", "core-share", "--list", listed, "--format", "csv")
    assert status == 0
    assert [row["answer"] for row in rows_of(out)] == ["digital", "not", "digital"]
    assert "narrow: digital 2, not 1, undecided 0; share 67\xa0% (67\xa0%–67\xa0%)" in err
    assert "broad: digital 2, not 0, undecided 1; share 67\xa0% to 100\xa0%" in err
    listed.write_text("cluster\nx\n", encoding="utf-8")
    assert run("atlas", "core-share", "--list", listed)[0] == 1


def test_quoted_figures_say_that_they_are_copied(run):
    status, out, err = run("atlas", "core-share", "--quoted", "--format", "csv")
    assert status == 0
    assert len(rows_of(out)) == 6
    assert "not computed" in err
