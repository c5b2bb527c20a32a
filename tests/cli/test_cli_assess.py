"""`jiqun assess frameworks`, `index` and `uncertainty`, as typed."""

from __future__ import annotations

import json

import fastexcel
import numpy as np
import polars as pl
import pytest

from jiqun.assess.framework import framework_of

CODES = ("rd_intensity", "invention_patents", "high_tech_share", "lq_core", "linkage", "cross_links")


@pytest.fixture
def files(tmp_path):
    """Synthetic clusters in the ways that people keep tables."""
    rng = np.random.default_rng(4)
    told = framework_of("competitiveness")
    below = {one.denominator for one in told.indicators if one.code in CODES and one.denominator}
    columns = {code: rng.lognormal(1, 0.5, 9) for code in (*CODES, *sorted(below))}
    frame = pl.DataFrame({"cluster": [f"集群{k}" for k in range(9)]} | columns)
    frame.write_csv(tmp_path / "clusters.csv")
    frame.write_excel(tmp_path / "clusters.xlsx")
    frame.write_parquet(tmp_path / "clusters.parquet")
    frame.select("cluster", lq_core=pl.col("lq_core") * rng.lognormal(0, 1, 9)).write_csv(tmp_path / "wide.csv")
    pl.DataFrame({"code": ["lq_core"], "weight": [1.0]}).write_csv(tmp_path / "weights.csv")
    return tmp_path


ASK = ("--framework", "competitiveness", "--available", "--unit", "cluster")


def csv(out: str) -> pl.DataFrame:
    return pl.read_csv(out.encode())


def test_the_frameworks_are_listed_shown_written_and_checked(run, tmp_path):
    status, out, err = run("assess", "frameworks", "--format", "csv")
    assert status == 0
    listed = csv(out)
    assert set(listed["code"]) == {"competitiveness", "green", "health", "nqpf", "readiness"}
    assert set(listed["status"]) == {"proposal"}
    assert "weights are yours" in err
    row = listed.filter(pl.col("code") == "competitiveness").row(0, named=True)
    assert row["indicators"] == row["atlas"] + row["table"] + row["survey"]
    status, out, _ = run("assess", "frameworks", "green", "--format", "csv")
    assert status == 0
    assert {"code", "unit", "direction", "denominator", "origin", "source", "impute"} <= set(csv(out).columns)
    mine = tmp_path / "mine.toml"
    assert run("assess", "frameworks", "green", "-o", mine)[0] == 0
    assert run("assess", "frameworks", mine)[0] == 0
    text = mine.read_text(encoding="utf-8")
    mine.write_text(text.replace('parent = "energy"', 'parent = "nowhere"'), encoding="utf-8")
    status, _, err = run("assess", "frameworks", mine)
    assert status == 1
    assert err.count("JQ-ASSESS-004") == 4
    assert err.count("JQ-ASSESS-006") == 1
    assert run("assess", "frameworks", "nothing")[0] == 2


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_an_index_is_the_same_from_every_kind_of_file(run, files, ending):
    status, out, err = run("assess", "index", files / f"clusters.{ending}", *ASK, "--format", "csv")
    assert status == 0, err
    assert "Indicators left out" in err
    scores = csv(out)
    assert scores.height == 9
    assert scores["rank"].to_list() == sorted(scores["rank"])
    first = scores.row(0, named=True)
    again = csv(run("assess", "index", files / "clusters.csv", *ASK, "--format", "csv")[1]).row(0, named=True)
    assert first["unit"] == again["unit"]
    assert first["competitiveness"] == pytest.approx(again["competitiveness"])


def test_the_trace_of_a_unit_adds_to_its_score(run, files):
    scores = csv(run("assess", "index", files / "clusters.csv", *ASK, "--format", "csv")[1])
    status, out, _ = run("assess", "index", files / "clusters.csv", *ASK, "--trace", "集群3", "--format", "csv")
    assert status == 0
    trace = csv(out)
    assert trace["indicator"].to_list() == list(CODES)
    score = scores.filter(pl.col("unit") == "集群3")["competitiveness"][0]
    assert trace["contribution"].sum() == pytest.approx(score)
    assert run("assess", "index", files / "clusters.csv", *ASK, "--trace", "集群99")[0] == 2


def test_steps_can_be_changed_and_other_tables_shown(run, files):
    more = ("--set", "normalise=percentile", "--set", "aggregate=arithmetic,arithmetic", "--set", "low=0")
    status, out, err = run("assess", "index", files / "clusters.csv", *ASK, *more, "--show", "weights", "-f", "csv")
    assert status == 0, err
    assert csv(out).filter(pl.col("parent") == "competitiveness")["weight"].sum() == pytest.approx(1)
    assert run("assess", "index", files / "clusters.csv", *ASK, "--set", "normalise")[0] == 2
    status, _, err = run("assess", "index", files / "clusters.csv", *ASK, "--set", "low=0")
    assert status == 1
    assert "JQ-ASSESS-020" in err
    assert "low = 1" in err
    status, _, err = run("assess", "index", files / "clusters.csv", *ASK, "--weights", files / "weights.csv")
    assert status in {0, 2}, err


@pytest.mark.parametrize("command", ["index", "uncertainty"])
@pytest.mark.parametrize("ending", ["csv", "json", "xlsx", "html", "docx"])
def test_results_are_written_in_every_form(run, files, command, ending):
    path = files / f"out.{ending}"
    more = () if command == "index" else ("--runs", "40", "--sensitivity", "20")
    status, out, err = run("assess", command, files / "clusters.csv", *ASK, *more, "-o", path)
    assert status == 0, err
    assert not out
    match ending:
        case "csv":
            assert pl.read_csv(path).height == 9
        case "json":
            told = json.loads(path.read_text(encoding="utf-8"))
            assert len(told["scores" if command == "index" else "ranks"]["rows"]) == 9
            assert len(told["trace" if command == "index" else "dominance"]["rows"]) == (
                54 if command == "index" else 72
            )
        case "xlsx":
            assert len(fastexcel.read_excel(path).sheet_names) > 4
        case "html":
            assert "weights are yours" in path.read_text(encoding="utf-8")
        case _:
            assert path.stat().st_size > 10_000


def test_uncertainty_varies_what_was_asked_for(run, files):
    more = ("--normalise", "minmax", "--normalise", "z:mean=100:sd=10", "--boundary", f"wide={files / 'wide.csv'}")
    ask = (
        "assess",
        "uncertainty",
        files / "clusters.csv",
        *ASK,
        *more,
        "--runs",
        "60",
        "--top",
        "3",
        "--format",
        "csv",
    )
    status, out, err = run(*ask, "--sensitivity", "0")
    assert status == 0, err
    ranks = csv(out)
    assert ranks["p_top"].sum() >= 3 - 1e-6
    assert (ranks["low"] <= ranks["high"]).all()
    factors = csv(run(*ask, "--sensitivity", "0", "--show", "factors")[1])
    assert factors["factor"].to_list() == ["normalise", "boundary", "weights", "leave_out"]
    sensitivity = csv(run(*ask, "--sensitivity", "32", "--show", "sensitivity")[1])
    assert sensitivity.height == 4 * 10
    covered = csv(run(*ask, "--sensitivity", "0", "--show", "boundaries")[1])
    assert covered["weight_covered"][0] == pytest.approx(1 / 4)  # development alone of four dimensions
    status, _, err = run(*ask, "--aggregate", "nonsense")
    assert status == 2
    assert "JQ-ASSESS-032" in err


def test_what_cannot_be_read_is_said(run, files):
    broken = files / "broken.xlsx"
    broken.write_bytes(b"no workbook")
    for path in (broken, files / "absent.csv"):
        status, _, err = run("assess", "index", path, *ASK)
        assert status == 1
        assert "JQ-ASSESS-039" in err
    other = files / "other.csv"
    other.write_text("cluster,x\na,1\nb,2\n", encoding="utf-8")
    status, _, err = run("assess", "index", other, *ASK)
    assert status == 1
    assert "JQ-ASSESS-038" in err
    status, _, err = run("assess", "index", files / "clusters.csv", "-F", "competitiveness", "--unit", "cluster")
    assert status == 1
    assert "JQ-USE-003" in err
