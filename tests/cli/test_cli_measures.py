"""`jiqun atlas measure` of files and `jiqun atlas measures` of the register, as typed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import polars as pl
import pytest

from jiqun.store import Workspace

CELLS = [
    (r, i, 10 * (k + 1))
    for k, (r, many) in enumerate(zip("ABCDE", (5, 4, 3, 2, 1), strict=True))
    for i in "vwxyz"[:many]
]


@pytest.fixture
def files(tmp_path):
    """Cells of regions and industries, firms with points, regions with values."""
    cells = pl.DataFrame(CELLS, schema=["region", "industry", "staff"], orient="row")
    cells.with_columns(before="staff", after=pl.col("staff") * 2).write_csv(tmp_path / "cells.csv")
    cells.group_by("region").agg(pl.len() * 7).write_parquet(tmp_path / "totals.parquet")
    rng = np.random.default_rng(5)
    near = np.arange(60) < 15
    lon, lat = np.array([[114.0], [30.0]]) + rng.normal(0, 1, (2, 60)) * np.where(near, 0.02, 0.4)
    pl.DataFrame({"lon": lon, "lat": lat, "case": near.astype(int), "name": "甲"}).write_csv(tmp_path / "firms.csv")
    pl.DataFrame(
        {
            "region": list("ABCDEF"),
            "lon": [0.0, 0.1, 0.2, 50.0, 50.1, 50.2],
            "lat": [0.0] * 6,
            "value": [9, 8, 9, 1, 1, 2],
        }
    ).write_csv(tmp_path / "regions.csv")
    return tmp_path


def csv(out: str) -> pl.DataFrame:
    return pl.read_csv(out.encode())


CASES = {
    "lq": ("cells.csv", {"region", "industry", "n", "lq"}, 15),
    "interval": (
        "cells.csv",
        {"region", "industry", "n", "expected", "lq", "lq_shrunk", "lq_low", "lq_high", "varies"},
        15,
    ),
    "herfindahl": ("cells.csv", {"region", "n", "industries", "hhi"}, 5),
    "krugman": ("cells.csv", {"region", "n", "krugman"}, 5),
    "gini": ("cells.csv", {"industry", "n", "regions", "gini", "locational_gini"}, 5),
    "ellison-glaeser": (
        "cells.csv",
        {"industry", "gamma", "g", "herfindahl", "expected_g", "variance_g", "p", "plants", "regions"},
        5,
    ),
    "shift-share": (
        "cells.csv",
        {"region", "industry", "before", "after", "change", "national", "mix", "regional"},
        15,
    ),
    "relatedness": ("cells.csv", {"industry_i", "industry_j", "shared", "relatedness"}, None),
    "density": ("cells.csv", {"region", "industry", "has", "density"}, 25),
    "complexity": ("cells.csv", {"side", "name", "has", "complexity"}, 10),
    "groups": ("cells.csv", {"industry", "set", "within", "nearest_set", "nearest", "marginal"}, None),
    "m": ("firms.csv", {"distance_km", "value", "low", "high", "middle", "concentrated", "dispersed"}, 10),
    "kd": ("firms.csv", {"distance_km", "value", "low", "high", "middle", "concentrated", "dispersed"}, 181),
    "moran": ("regions.csv", {"region", "value", "i", "p", "q", "kind"}, 6),
    "getis-ord": ("regions.csv", {"region", "value", "g", "p", "q"}, 6),
}
MORE = {"m": ("--max-km", 50), "kd": ("--max-km", 50), "moran": ("--band-km", 50), "getis-ord": ("--band-km", 50)}


@pytest.mark.parametrize("kind", CASES)
def test_every_measure_of_a_file(run, files, kind):
    name, columns, rows = CASES[kind]
    code, out, err = run("atlas", "measure", kind, files / name, "--format", "csv", "--draws", 39, *MORE.get(kind, ()))
    assert code == 0, err
    table = csv(out)
    assert set(table.columns) == columns
    assert table.height == rows or (rows is None and table.height)


def test_measures_say_what_the_functions_do(run, files):
    out = run("atlas", "measure", "lq", files / "cells.csv", "--size", "staff", "--format", "json")[1]
    assert next(row["lq"] for row in json.loads(out) if row["region"] == "E") == pytest.approx(350 / 150, rel=1e-12)
    code, out, err = run(
        "atlas", "measure", "kd", files / "firms.csv", "--max-km", 40, "--draws", 39, "--format", "csv"
    )
    assert code == 0, err
    assert csv(out).row(0, named=True)["concentrated"]
    assert "p of the whole curve = 0.025" in err
    given = run(
        "atlas",
        "measure",
        "ellison-glaeser",
        files / "cells.csv",
        "--totals",
        files / "totals.parquet",
        "--format",
        "csv",
    )
    assert given[0] == 0
    own = run("atlas", "measure", "ellison-glaeser", files / "cells.csv", "--format", "csv")
    assert csv(given[1])["gamma"].to_list() == pytest.approx(csv(own[1])["gamma"].to_list())
    kinds = csv(run("atlas", "measure", "moran", files / "regions.csv", "--band-km", 50, "--format", "csv")[1])["kind"]
    assert kinds.to_list() == ["high-high"] * 3 + ["low-low"] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("lq", "cells.csv", "--region", "bezirk"), 1, "JQ-USE-003"),
        (("kd", "cells.csv"), 1, "JQ-USE-003"),
        (("m", "firms.csv", "--case", "name"), 1, "JQ-ATLAS-016"),
        (("m", "firms.csv", "--case", "lon"), 1, "JQ-ATLAS-025"),
        (("moran", "regions.csv", "--value", "region"), 1, "JQ-ATLAS-016"),
        (("shift-share", "cells.csv", "--before", "then"), 1, "JQ-USE-003"),
        (("ellison-glaeser", "cells.csv", "--totals", "cells.csv"), 1, "JQ-ATLAS-023"),
        (("complexity", "regions.csv", "--industry", "lat"), 1, "JQ-ATLAS-024"),
        (("lq", "empty.csv"), 2, "JQ-USE-004"),
        (("gini2", "cells.csv"), 2, "gini2"),
    ],
)
def test_wrong_use_is_named(run, files, arguments, code, said):
    (files / "empty.csv").write_text("")
    typed = [files / word if word.endswith(".csv") else word for word in arguments]
    ended, _, err = run("atlas", "measure", *typed)
    assert (ended, said in err) == (code, True), err


def test_measures_of_the_register_and_their_report(run, tmp_path, places, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "ws")[0] == 0
    shutil.copytree(places, Workspace.open("ws").cache, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "ws")
    code, _, err = run("atlas", "measures")
    assert (code, "JQ-ATLAS-030" in err) == (1, True)
    towns = ("Boulder,CO,US", "Cambridge,,GB", "Hamburg,,DE", "Paris,,FR", "Seoul,,KR")
    classes = ("010101", "010201", "030101", "040401")
    rng = np.random.default_rng(2)
    lines = [
        f"Maker {k},{towns[int(town)]},{classes[(int(town) + int(rng.integers(0, 2))) % 4]}"
        for k, town in enumerate(rng.integers(0, 5, 200))
    ]
    (tmp_path / "firms.csv").write_text("\n".join(["企业名称,城市,省份,国家,digital_code", *lines]), encoding="utf-8")
    assert run("load", "../firms.csv", "--as", "organisations", "--as-of", "2024-05-01")[0] == 0
    code, out, err = run("atlas", "measures", "--compute", "--draws", 19, "--format", "json")
    assert code == 0, err
    assert "Of 4 classes" in err
    rows = json.loads(out)
    assert sum(row["firms"] for row in rows) == 200
    assert json.loads(run("atlas", "measures", "--format", "json")[1]) == rows
    regions = csv(run("atlas", "measures", "--table", "regions", "--format", "csv")[1])
    assert set(regions["region"]) == {"US", "GB", "DE", "FR", "KR"}
    code, _, err = run("atlas", "measures", "--table", "sets")
    assert (code, "JQ-ATLAS-032" in err, "JQ-ATLAS-027" in err) == (2, True, True)
    assert run("report", "measures", "-o", "measures.docx", "--lang", "zh")[0] == 0
    assert (tmp_path / "ws" / "measures.docx").read_bytes()[:2] == b"PK"
    assert run("report", "measures", "-o", "measures.html")[0] == 0
    page = (tmp_path / "ws" / "measures.html").read_text(encoding="utf-8")
    assert "Distances between" in page
