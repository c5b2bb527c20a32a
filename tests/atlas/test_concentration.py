"""Ellison–Glaeser, Gini and shift-share: published tables, enumeration of every throw, the formulas written out."""

from __future__ import annotations

import csv
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.atlas.areal import benjamini_hochberg
from jiqun.atlas.concentration import ellison_glaeser, ellison_glaeser_by, gini, shift_share
from jiqun.atlas.measures import krugman_index
from jiqun.core.errors import MeasureInputError


@pytest.fixture
def reat(shared_data):
    folder = shared_data / "published" / "reat_examples"
    rows = csv.DictReader((folder / "expected.csv").read_text().splitlines())
    expected = {row["measure"]: float(row["value"]) for row in rows}
    return folder, expected


def test_ellison_glaeser_matches_farhauer_kroell_in_reat(reat):
    """REAT 3.0.3, example after Farhauer and Kröll (2014): γ = 0.05990628, with regions in the printed order."""
    folder, expected = reat
    plants = pl.read_csv(folder / "eg_plants.csv")
    totals = pl.read_csv(folder / "eg_regions.csv")
    for order in (totals, totals.reverse(), totals.sort("region")):  # matched by name, whatever the order
        found = ellison_glaeser(plants, totals=order, size="employment")
        assert found.gamma == pytest.approx(expected["ellison_glaeser_gamma"], rel=1e-13)
        assert found.g == pytest.approx(expected["ellison_glaeser_G"], rel=1e-13)


def test_krugman_index_of_goettingen_matches_reat(reat):
    """REAT 3.0.3, documentation of krugman.spec: Göttingen against Germany in 2017, 0.4508469."""
    folder, expected = reat
    table = pl.read_csv(folder / "goettingen.csv")[1:16]
    codes, here, whole = (table[c].to_list() for c in ("WZ2008_Code", "Goettingen2017", "BRD2017"))
    rows = [("here", code, n) for code, n in zip(codes, here, strict=True)]
    rows += [("rest", code, n - own) for code, n, own in zip(codes, whole, here, strict=True)]
    found = krugman_index(pl.DataFrame(rows, schema=["region", "industry", "employees"], orient="row"))
    value = found.filter(region="here")["krugman"].item()
    assert value == pytest.approx(expected["krugman_spec_goettingen_vs_brd_2017_rows2to16"], rel=1e-12)


def test_gini_matches_econgeo(shared_data):
    """EconGeo (Balland), documentation example: locational.gini to 14 digits, Gini and Hoover.Gini to the 3 printed."""
    folder = shared_data / "published" / "econgeo_doc_example"
    wide = pl.read_csv(folder / "input.csv")
    cells = wide.unpivot(index="region", variable_name="industry", value_name="employees")
    found = {row["industry"]: row for row in gini(cells).iter_rows(named=True)}
    expected = list(csv.DictReader((folder / "expected_industries.csv").read_text().splitlines()))
    assert len(expected) == len(found) == 4
    for row in expected:
        mine = found[row["industry"]]
        assert mine["locational_gini"] / 2 == pytest.approx(float(row["locational_gini"]), rel=1e-12)
        assert mine["locational_gini"] == pytest.approx(float(row["hoover_gini"]), abs=5e-4)
        assert mine["gini"] == pytest.approx(float(row["gini"]), abs=5e-4)


def test_shift_share_of_freiburg_adds_up_and_matches_the_formula(shared_data):
    """Freiburg in Germany, 2008 to 2014 (Statistisches Bundesamt through REAT): each component from its formula."""
    table = pl.read_csv(shared_data / "real" / "de-region-industry" / "Freiburg.csv")
    industry, here, whole = "industry", ("e_Freiburg2008", "e_Freiburg2014"), ("e_Germany2008", "e_Germany2014")
    assert table.height == 9
    rows = []
    for row in table.iter_rows(named=True):
        rows.append(("Freiburg", row[industry], row[here[0]], row[here[1]]))
        rows.append(("rest", row[industry], row[whole[0]] - row[here[0]], row[whole[1]] - row[here[1]]))
    found = shift_share(pl.DataFrame(rows, schema=["region", "industry", "before", "after"], orient="row"))
    growth = table[whole[1]].sum() / table[whole[0]].sum() - 1
    for row in found.filter(region="Freiburg").iter_rows(named=True):
        source = table.filter(pl.col(industry) == row["industry"]).row(0, named=True)
        own = source[whole[1]] / source[whole[0]] - 1
        assert row["national"] == pytest.approx(source[here[0]] * growth)
        assert row["mix"] == pytest.approx(source[here[0]] * (own - growth))
        assert row["regional"] == pytest.approx(source[here[1]] - source[here[0]] * (1 + own))
        assert row["national"] + row["mix"] + row["regional"] == pytest.approx(row["change"])


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
    st.lists(st.integers(1, 9), min_size=2, max_size=3),
)
@settings(max_examples=15)
def test_random_throws_have_the_stated_mean_and_variance(sizes, activity):
    """Every way of throwing the plants into the regions, each with its probability: E[γ] = 0, Var G as in the formula."""
    z, x = np.array(sizes) / sum(sizes), np.array(activity) / sum(activity)
    names = [f"r{k}" for k in range(len(x))]
    totals = pl.DataFrame({"region": names, "size": activity})
    mean = square = gammas = 0.0
    for throw in product(range(len(x)), repeat=len(z)):
        chance = np.prod(x[list(throw)])
        g = ((np.bincount(throw, z, len(x)) - x) ** 2).sum()
        mean, square = mean + chance * g, square + chance * g * g
        plants = pl.DataFrame({"region": [names[r] for r in throw], "size": sizes})
        found = ellison_glaeser(plants, totals=totals, size="size")
        assert found.g == pytest.approx(g, abs=1e-12)
        gammas += chance * found.gamma
    assert gammas == pytest.approx(0.0, abs=1e-9)
    assert found.expected_g == pytest.approx(mean, rel=1e-9)
    assert found.variance_g == pytest.approx(square - mean**2, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("sizes", [[1] * 6, [9, 3, 3, 2, 1, 1]])
def test_p_is_the_share_of_every_throw(sizes):
    """Every way of throwing six plants into three regions; draws tell its probability to three standard errors."""
    z, x = np.array(sizes) / sum(sizes), np.array([0.5, 0.3, 0.2])
    totals = pl.DataFrame({"region": list("abc"), "size": x})
    throws = np.array(list(product(range(3), repeat=6)))
    chance = x[throws].prod(axis=1)
    g = np.array([((np.bincount(throw, z, 3) - x) ** 2).sum() for throw in throws])
    for throw in ([0] * 6, [2] * 6, [2, 2, 2, 2, 1, 0], [0, 1, 2, 0, 1, 0]):
        plants = pl.DataFrame({"region": np.array(list("abc"))[throw], "size": sizes})
        found = ellison_glaeser(plants, totals=totals, size="size")
        exact = chance[g >= found.g - 1e-12].sum()
        made = 9_999 if exact < 0.01 else 100 / exact
        assert found.p == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / made) + 1e-4)


@pytest.mark.parametrize(("firms", "skewed"), [(12, False), (50, False), (25, True)])
def test_registers_without_concentration_have_no_concentrated_class(firms, skewed):
    """Of 60 null registers those with any q < 0.05 are at most 3 on average: at most 9 at two in a thousand (binomial)."""
    rng = np.random.default_rng(12)
    x = rng.lognormal(0, 1, 31)
    names = np.array([f"r{k}" for k in range(31)])
    totals = pl.DataFrame({"region": names, "size": x})
    wrong = 0
    for register in range(60):
        at = rng.choice(31, 40 * firms, p=x / x.sum())
        plants = pl.DataFrame({"region": names[at], "industry": np.repeat(np.arange(40), firms)})
        plants = plants.with_columns(size=rng.lognormal(3, 1.5, len(at)) if skewed else 1.0)
        found = ellison_glaeser_by(plants, totals=totals, size="size", draws=2_000, seed=register)
        wrong += bool((benjamini_hochberg(found["p"].to_numpy()) < 0.05).any())
    assert wrong <= 9


def test_a_concentrated_class_stands_out_from_a_thousand_that_are_not():
    rng = np.random.default_rng(13)
    names = np.array([f"r{k}" for k in range(31)])
    at = rng.integers(0, 31, (1000, 30))
    at[0, :15] = 3
    plants = pl.DataFrame({"region": names[at.ravel()], "industry": np.repeat(np.arange(1000), 30)})
    found = ellison_glaeser_by(plants, totals=pl.DataFrame({"region": names, "size": 1}), draws=25_000)
    q = benjamini_hochberg(found["p"].to_numpy())
    assert np.flatnonzero(q < 0.05).tolist() == [0]


def test_p_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(14)
    plants = pl.DataFrame(
        {
            "region": rng.choice(list("abcd"), 90),
            "industry": rng.choice(list("xyz"), 90),
            "size": rng.integers(1, 9, 90),
        }
    )
    totals = pl.DataFrame({"region": list("abcd"), "size": [5, 5, 2, 1]})
    first = ellison_glaeser_by(plants, totals=totals, size="size")
    second = ellison_glaeser_by(plants.reverse(), totals=totals.reverse(), size="size")
    assert first["p"].to_list() == second["p"].to_list()
    assert first["p"].is_between(0, 1).all()


def test_one_plant_or_one_region_has_no_gamma():
    one = pl.DataFrame({"region": ["A"], "size": [3]})
    both = pl.DataFrame({"region": ["A", "B"], "size": [1, 1]})
    found = ellison_glaeser(one, totals=both, size="size")
    assert (found.gamma, found.p) == (None, None)
    two = pl.DataFrame({"region": ["A", "A"]})
    assert ellison_glaeser(two, totals=pl.DataFrame({"region": ["A"], "size": [4]})).gamma is None


@given(st.integers(2, 50))
def test_doubling_every_plant_size_changes_nothing(factor):
    plants = pl.DataFrame({"region": ["A", "B", "B", "C"], "industry": ["x", "x", "y", "y"], "size": [5, 2, 3, 1]})
    totals = pl.DataFrame({"region": ["A", "B", "C"], "size": [10, 20, 30]})
    scaled = plants.with_columns(pl.col("size") * factor)
    first, second = (ellison_glaeser_by(rows, totals=totals, size="size") for rows in (plants, scaled))
    for name in ("gamma", "g", "variance_g"):
        assert second[name].to_list() == pytest.approx(first[name].to_list(), nan_ok=True)


def test_bad_input_is_named():
    plants, totals = pl.DataFrame({"region": ["A", "Z"]}), pl.DataFrame({"region": ["A"], "size": [1]})
    for call, code in [
        (lambda: ellison_glaeser(plants, totals=totals), "JQ-ATLAS-021"),
        (lambda: ellison_glaeser(plants.clear(), totals=totals), "JQ-ATLAS-022"),
        (lambda: ellison_glaeser(plants, totals=totals.with_columns(more=1)), "JQ-ATLAS-023"),
        (lambda: ellison_glaeser(plants, totals=totals.with_columns(size=-1)), "JQ-ATLAS-009"),
        (lambda: ellison_glaeser(plants, totals=totals.with_columns(size=pl.lit("a"))), "JQ-ATLAS-016"),
        (lambda: ellison_glaeser(plants.drop("region"), totals=totals), "JQ-USE-003"),
        (lambda: shift_share(plants, industry="region"), "JQ-ATLAS-012"),
    ]:
        with pytest.raises(MeasureInputError) as caught:
            call()
        assert caught.value.code == code
    with pytest.raises(MeasureInputError, match="Z"):
        ellison_glaeser(plants, totals=totals)


CELLS = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from("xyz"), st.integers(0, 50), st.integers(0, 50)),
    min_size=1,
    max_size=30,
)


@given(CELLS)
def test_gini_is_the_mean_difference_over_regions(rows):
    """Gini = Σ |e_r − e_q| / (2 n Σ e); locational, with weights x: Σ x_r x_q |s_r/x_r − s_q/x_q| / 2."""
    cells = pl.DataFrame(rows, schema=["region", "industry", "employees", "later"], orient="row")
    found = gini(cells)
    held = cells.group_by("region", "industry").agg(pl.col("employees").sum())
    total = held.group_by("region").agg(pl.col("employees").sum()).filter(pl.col("employees") > 0)
    names, x = total["region"].to_list(), total["employees"].to_numpy() / max(total["employees"].sum(), 1)
    for row in found.iter_rows(named=True):
        own = dict(held.filter(industry=row["industry"]).select("region", "employees").iter_rows())
        e = np.array([own.get(name, 0) for name in names], dtype=float)
        if not e.sum():
            assert row["gini"] is None
            assert row["locational_gini"] is None
            continue
        assert row["gini"] == pytest.approx(np.abs(e[:, None] - e).sum() / (2 * len(e) * e.sum()), abs=1e-12)
        ratio = e / e.sum() / x
        weighted = (x[:, None] * x * np.abs(ratio[:, None] - ratio)).sum() / 2
        assert row["locational_gini"] == pytest.approx(weighted, abs=1e-12)


@given(CELLS)
def test_shift_share_adds_up_in_every_cell(rows):
    cells = pl.DataFrame(rows, schema=["region", "industry", "before", "after"], orient="row")
    found = shift_share(cells)
    parts = found.drop_nulls("mix")
    assert (parts["national"] + parts["mix"] + parts["regional"]).to_list() == pytest.approx(parts["change"].to_list())
    # over all regions an industry's own part adds to nothing
    own = parts.group_by("industry").agg(pl.col("regional").sum())
    assert own["regional"].to_list() == pytest.approx([0.0] * own.height, abs=1e-9)
    none_before = set(found.group_by("industry").agg(pl.col("before").sum()).filter(before=0)["industry"])
    assert set(found.filter(pl.col("mix").is_null())["industry"]) == none_before
