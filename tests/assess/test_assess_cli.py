"""`jiqun assess` without a table: it works on the workspace and stores what comes of it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from assess_workspace import FRAMEWORK, indicator_rows, load_indicators

from jiqun.assess import desk
from jiqun.atlas.reading import Which, find_run


@pytest.fixture
def filled(workspace):
    (workspace.path / "frameworks").mkdir()
    (workspace.path / "frameworks" / "mine.toml").write_text(FRAMEWORK, encoding="utf-8")
    ids = find_run(workspace, Which()).clusters["cluster_id"]
    load_indicators(workspace, [(unit, "joint_projects", 2023, 1.0 + (k * 7) % 4, "个") for k, unit in enumerate(ids)])
    return workspace


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_index_of_the_workspace_is_shown_and_stored(run, filled):
    code, out, err = run("assess", "index", "-F", "mine", "-w", filled.path, "--format", "csv")
    assert (code, len(rows_of(out))) == (0, 4), err
    assert "3 of 3 indicators are used, 100% of the weight" in err
    stored = desk.latest(filled, desk.INDEX, "mine")
    assert rows_of(out)[0]["rank"] == "1"
    assert {row["unit"] for row in rows_of(out)} == set(stored.table("units")["en"])
    code, out, _ = run("assess", "index", "-F", "mine", "-w", filled.path, "--show", "coverage", "--format", "csv")
    assert {row["state"] for row in rows_of(out)} == {"used"}
    code, out, _ = run(
        "assess",
        "index",
        "-F",
        "mine",
        "-w",
        filled.path,
        "--trace",
        stored.table("units")["en"][0],
        "--format",
        "json",
    )
    assert [row["indicator"] for row in json.loads(out)] == ["beyond_chance", "variety", "joint_projects"]
    code, _, err = run("assess", "index", "-F", "mine", "-w", filled.path, "--trace", "Atlantis")
    assert code == 2
    assert "JQ-ASSESS-034" in err
    code, out, _ = run("assess", "index", "-F", "mine", "-w", filled.path, "--set", "normalise=rank", "--format", "csv")
    assert code == 0
    assert len(filled.results("index-mine")) == 2


def test_intervals_frontier_publication_and_report(run, filled, tmp_path):
    code, _, err = run("assess", "uncertainty", "-F", "mine", "-w", filled.path)
    assert code == 1
    assert "JQ-ASSESS-069" in err
    run("assess", "index", "-F", "mine", "-w", filled.path)
    few = ("--runs", "100", "--sensitivity", "0")
    code, out, err = run("assess", "uncertainty", "-F", "mine", "-w", filled.path, *few, "--format", "csv")
    assert (code, len(rows_of(out))) == (0, 4), err
    assert {row["unit"] for row in rows_of(out)} == set(desk.latest(filled, desk.INDEX, "mine").table("units")["en"])
    two = ("--normalise", "minmax", "--normalise", "z:mean=100:sd=10", "--weighting", "given", "--weighting", "equal")
    code, out, err = run(
        "assess", "uncertainty", "-F", "mine", "-w", filled.path, *few, *two, "--show", "factors", "--format", "csv"
    )
    assert code == 0, err
    assert "z, mean=100" in out
    assert run("assess", "publish", "mine", "-w", filled.path)[0] == 0
    assert desk.published(filled, "mine") is not None
    assert run("assess", "publish", "mine", "--close", "-w", filled.path)[0] == 0
    assert desk.published(filled, "mine") is None
    load_indicators(filled, indicator_rows({f"u{k}": 1.0 + (3 * k) % 5 for k in range(9)}))
    ask = ("assess", "dea", "-i", "firms", "-i", "revenue", "-y", "rd_intensity", "-w", filled.path)
    code, out, err = run(*ask, "--name", "firms", "--format", "csv")
    assert (code, len(rows_of(out))) == (0, 9), err
    report = tmp_path / "assessment.docx"
    code, _, err = run("report", "assess", "-o", report, "-w", filled.path, "--lang", "zh")
    assert code == 0, err
    assert "年度评估报告" in err or "Annual assessment report" in err
    assert report.read_bytes().startswith(b"PK")


def test_options_of_a_file_are_refused_without_one(run, filled, tmp_path):
    code, _, err = run("assess", "index", "-F", "mine", "-w", filled.path, "--unit", "city")
    assert (code, "JQ-ASSESS-076" in err) == (2, True), err
    code, _, err = run("assess", "uncertainty", "-F", "mine", "-w", filled.path, "--boundary", "a=b.csv")
    assert (code, "JQ-ASSESS-076" in err) == (2, True), err
    table = tmp_path / "t.csv"
    table.write_text("unit,a,b\nx,1,2\n")
    code, _, err = run("assess", "dea", table, "-i", "a", "-y", "b", "--drop")
    assert (code, "JQ-ASSESS-077" in err) == (2, True), err
    code, _, err = run("assess", "index", "-F", "nix", "-w", filled.path)
    assert code == 2
    assert "mine" in err


def test_frameworks_of_the_workspace_are_listed_shown_and_written(run, filled, tmp_path):
    code, out, _ = run("assess", "frameworks", "-w", filled.path, "--format", "csv")
    assert code == 0
    assert {row["code"]: row["status"] for row in rows_of(out)}["mine"] == "own"
    code, out, _ = run("assess", "frameworks", "mine", "-w", filled.path, "--format", "csv")
    assert [row["code"] for row in rows_of(out)] == ["beyond_chance", "variety", "joint_projects"]
    written = tmp_path / "copy.toml"
    assert run("assess", "frameworks", "mine", "-w", filled.path, "-o", written)[0] == 0
    assert written.read_text(encoding="utf-8") == FRAMEWORK


def test_files_and_options_that_cannot_be_used_are_refused_with_a_code(run, tmp_path):
    table, weights = tmp_path / "t.csv", tmp_path / "w.csv"
    table.write_text("unit,energy_intensity,pue\n" + "".join(f"u{i},{i + 1},{(i * 7) % 5 + 1}\n" for i in range(12)))
    weights.write_text("code,weight\n")
    code, _, err = run("assess", "index", table, "-F", "green", "--available", "--weights", weights)
    assert (code, "JQ-ASSESS-032" in err) == (2, True), err
    code, _, err = run("assess", "uncertainty", table, "-F", "green", "--available", "--seed", "-1")
    assert code == 2
    assert "--seed" in err
    table.write_text("unit,a,b\n" + "".join(f"u{i},{i + 1}e307,{i + 2}\n" for i in range(12)))
    for model in ("radial", "sbm"):
        code, _, err = run("assess", "dea", table, "-i", "a", "-y", "b", "--model", model)
        assert (code, "JQ-ASSESS-017" in err) == (1, True), err
        assert "Warning" not in err
