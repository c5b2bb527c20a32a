"""`jiqun assess dea` and `jiqun assess malmquist`, as typed."""

from __future__ import annotations

import json

import fastexcel
import numpy as np
import polars as pl
import pytest

from jiqun.assess import dea


@pytest.fixture
def parks(tmp_path):
    """Made-up parks as CSV and Excel, and a panel of them without 2022."""
    rng = np.random.default_rng(11)
    rows = {"园区": [f"园区{k}" for k in range(14)], "staff": rng.integers(5, 90, 14), "area": rng.integers(5, 90, 14)}
    table = pl.DataFrame(rows | {"revenue": rng.integers(20, 900, 14), "co2": rng.integers(1, 50, 14)})
    table.write_csv(tmp_path / "parks.csv")
    table.write_excel(tmp_path / "parks.xlsx")
    grown = table.with_columns((pl.col("revenue") * 1.2).cast(pl.Int64))
    years = [(2021, table), (2023, grown), (2020, table.with_columns(pl.col("revenue") + 3))]
    pl.concat(one.with_columns(year=pl.lit(year)) for year, one in years).write_csv(tmp_path / "panel.csv")
    return tmp_path


COLUMNS = ("--unit", "园区", "-i", "staff", "-i", "area", "-y", "revenue")


def test_scores_slacks_and_peers_are_those_of_the_function(run, parks):
    expected = dea(pl.read_csv(parks / "parks.csv"), unit="园区", inputs=["staff", "area"], outputs=["revenue"])
    for name in ("scores", "slacks", "peers"):
        code, out, err = run("assess", "dea", parks / "parks.csv", *COLUMNS, "--table", name, "--format", "json")
        assert (code, err) == (0, "")
        assert json.loads(out) == expected.table(name).to_dicts()
    code, out, _ = run("assess", "dea", parks / "parks.xlsx", *COLUMNS, "--format", "csv")
    assert pl.read_csv(out.encode())["score"].to_list() == pytest.approx(expected.scores["score"].to_list())


def test_options_reach_the_function(run, parks):
    asked = ("--returns", "vrs", "--orientation", "output", "--super", "--bootstrap", 100, "--format", "csv")
    code, out, err = run("assess", "dea", parks / "parks.csv", *COLUMNS, *asked)
    assert code == 0
    assert {"super", "super_status", "corrected", "low", "high"} <= set(pl.read_csv(out.encode()).columns)
    assert "JQ-ASSESS-046" in err
    for model, more in (("sbm", ()), ("directional", ("--returns", "crs"))):
        code, out, err = run("assess", "dea", parks / "parks.csv", *COLUMNS, "-b", "co2", "--model", model, *more)
        assert (code, err) == (0, "")
        assert "园区13" in out


def test_files_of_every_kind(run, parks):
    for ending in ("csv", "json", "xlsx", "html"):
        file = parks / f"out.{ending}"
        code, out, _ = run("assess", "dea", parks / "parks.csv", *COLUMNS, "-o", file)
        assert (code, out) == (0, "")
        assert file.stat().st_size > 300
    assert pl.read_csv(parks / "out.csv").height == 14
    assert len(json.loads((parks / "out.json").read_text())) == 14
    assert len(fastexcel.read_excel(parks / "out.xlsx").sheet_names) == 5


def test_a_panel_tells_its_gap(run, parks):
    code, out, err = run("assess", "malmquist", parks / "panel.csv", *COLUMNS, "--period", "year", "--format", "csv")
    assert code == 0
    assert pl.read_csv(out.encode())["span"].to_list() == [1, 2]
    assert "JQ-ASSESS-050 There are no data for 2022" in err
    file = parks / "panel.xlsx"
    code, out, _ = run(
        "assess", "malmquist", parks / "panel.csv", *COLUMNS, "--period", "year", "--table", "changes", "-o", file
    )
    assert (code, out) == (0, "")
    assert file.stat().st_size > 3000


@pytest.mark.parametrize(
    ("command", "arguments", "code", "ended"),
    [
        ("dea", ("--unit", "园区", "-i", "staff", "-y", "profit"), "JQ-USE-003", 1),
        ("dea", (*COLUMNS, "-b", "co2"), "JQ-ASSESS-048", 2),
        ("dea", (*COLUMNS, "-y", "co2", "-y", "area"), "JQ-ASSESS-045", 1),
        ("dea", (*COLUMNS, "-i", "co2", "-o", "x.txt"), "JQ-USE-001", 2),
        ("dea", (*COLUMNS, "-o", "nowhere/x.csv"), "JQ-USE-005", 2),
        ("malmquist", (*COLUMNS, "--period", "co2"), "JQ-ASSESS-", 1),
    ],
)
def test_wrong_use_is_named(run, parks, command, arguments, code, ended):
    status, out, err = run("assess", command, parks / "parks.csv", *arguments)
    assert (status, out) == (ended, "")
    assert code in err
