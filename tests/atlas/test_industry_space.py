"""Relatedness, density and complexity: EconGeo's tables, the unsymmetric eigenproblem, two other packages, bad tables."""

from __future__ import annotations

import csv

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jiqun.atlas.industry_space import complexity, presence, relatedness, relatedness_density
from jiqun.core.errors import MeasureInputError, UsageError

METHODS = {"association": "association", "cosine": "cosine", "jaccard": "jaccard", "probability": "prob"}


@pytest.fixture
def econgeo(shared_data):
    folder = shared_data / "published" / "econgeo_doc_example"
    wide = pl.read_csv(folder / "input.csv")
    return folder, wide.unpivot(index="region", variable_name="industry", value_name="employees")


def matrix(path) -> dict[tuple[str, str], float]:
    rows = csv.DictReader(path.read_text().splitlines())
    return {(row[""], name): float(row[name]) for row in rows for name in row if name}


@pytest.mark.parametrize("method", METHODS)
def test_relatedness_matches_econgeo(econgeo, method):
    """EconGeo (Balland), documentation example: relatedness() with each normalisation, 14 printed digits."""
    folder, cells = econgeo
    expected = matrix(folder / f"expected_relatedness_{METHODS[method]}.csv")
    found = relatedness(cells, method=method)
    assert found.height == sum(value > 0 for (i, j), value in expected.items() if i < j)
    for i, j, _, value in found.iter_rows():
        assert value == pytest.approx(expected[i, j], rel=1e-13)
    shared = matrix(folder / "expected_cooccurrence.csv")
    assert all(shared[i, j] == n for i, j, n, _ in found.iter_rows())


def test_diversity_and_ubiquity_match_econgeo(econgeo):
    """EconGeo (Balland), documentation example: diversity and ubiquity with RCA >= 1."""
    folder, cells = econgeo
    found = presence(cells)
    for name, axis, column in (("regions", 1, "diversity_rca"), ("industries", 0, "ubiquity_rca")):
        rows = list(csv.DictReader((folder / f"expected_{name}.csv").read_text().splitlines()))
        assert found.has.sum(axis=axis).tolist() == [float(row[column]) for row in rows]


def random_cells(rng: np.random.Generator, regions: int, industries: int) -> pl.DataFrame:
    """Firms in a nested pattern with noise, as real tables have it."""
    r, i = np.meshgrid(np.arange(regions), np.arange(industries), indexing="ij")
    level = np.exp(-((i / industries - 0.2 - 0.8 * rng.random((regions, 1))) ** 2) * 8) * 40
    n = rng.poisson(level)
    kept = n > 0
    return pl.DataFrame({"region": r[kept], "industry": i[kept], "employees": n[kept]})


@pytest.mark.parametrize(("regions", "industries"), [(40, 12), (12, 40), (90, 80)])
def test_complexity_is_the_second_eigenvector_of_the_unsymmetric_matrix(regions, industries):
    cells = random_cells(np.random.default_rng(7), regions, industries)
    found = complexity(cells)
    m = presence(cells).has
    m = m[m.any(axis=1)][:, m.any(axis=0)]
    for own, other, answer in (
        (m, m.sum(axis=0), found.regions["eci"]),
        (m.T, m.sum(axis=1), found.industries["pci"]),
    ):
        values, vectors = np.linalg.eig((own / own.sum(axis=1)[:, None]) @ (own / other).T)
        second = vectors[:, np.argsort(values.real)[-2]].real
        expected = (second - second.mean()) / second.std()
        expected *= np.sign(expected @ answer.to_numpy())
        assert answer.to_numpy() == pytest.approx(expected, abs=1e-8)
    diversity = found.regions["diversity"].to_numpy()
    assert np.corrcoef(diversity, found.regions["eci"].to_numpy())[0, 1] > 0


def test_complexity_proximity_and_density_equal_econcomplex():
    """econcomplex, an independent implementation, on a table of 60 regions and 45 industries."""
    econcomplex = pytest.importorskip("econcomplex")
    cells = random_cells(np.random.default_rng(11), 60, 45)
    wide = cells.pivot("industry", index="region", values="employees", sort_columns=True).sort("region").fill_null(0)
    table = wide.drop("region").to_numpy().astype(float)
    found = complexity(cells)
    eci, pci = econcomplex.eci_pci(table)
    assert np.abs(np.asarray(eci)) == pytest.approx(np.abs(found.regions["eci"].to_numpy()), abs=1e-6)
    assert np.abs(np.asarray(pci)) == pytest.approx(np.abs(found.industries["pci"].to_numpy()), abs=1e-6)
    assert np.sign(np.asarray(eci)) @ np.sign(found.regions["eci"].to_numpy()) == len(eci)  # one sign for all
    phi = next(iter(econcomplex.proximity(table, compute="product").values()))
    pairs = relatedness(cells, method="proximity")
    i, j = pairs["industry_i"].to_numpy(), pairs["industry_j"].to_numpy()
    assert pairs["relatedness"].to_numpy() == pytest.approx(np.asarray(phi)[i, j], abs=1e-12)


@given(
    st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("uvwxyz"), st.integers(1, 30)), min_size=8),
    st.sampled_from([*METHODS, "proximity"]),
)
def test_density_is_the_formula_written_out(rows, method):
    cells = pl.DataFrame(rows, schema=["region", "industry", "employees"], orient="row")
    has = presence(cells)
    phi = {(i, j): value for i, j, _, value in relatedness(cells, method=method).iter_rows()}
    phi |= {(j, i): value for (i, j), value in phi.items()}
    names = has.industries.to_list()
    for region, industry, own, density in relatedness_density(cells, method=method).iter_rows():
        row = has.has[has.regions.to_list().index(region)]
        assert own == bool(row[names.index(industry)])
        related = sum(phi.get((industry, j), 0) for j in names)
        if related == 0:
            assert density is None
        else:
            near = sum(phi.get((industry, j), 0) * row[k] for k, j in enumerate(names))
            assert density == pytest.approx(near / related)


@given(st.integers(0, 10_000), st.integers(2, 9))
def test_multiplying_every_size_changes_nothing(seed, factor):
    cells = random_cells(np.random.default_rng(seed), 9, 8)
    try:
        first = complexity(cells)
    except MeasureInputError:
        assume(False)
    second = complexity(cells.with_columns(pl.col("employees") * factor))
    assert second.regions.equals(first.regions)
    shuffled = complexity(cells.sample(fraction=1.0, shuffle=True, seed=seed))
    assert shuffled.regions["eci"].to_list() == pytest.approx(first.regions["eci"].to_list(), abs=1e-6)


def test_undetermined_tables_are_refused():
    blocks = [(r, i) for r, i in ["Ax", "Ay", "Bx", "By", "Cz", "Cw", "Dz", "Dw"]]  # two parts that share nothing
    identical = [(r, i) for r in "ABC" for i in "xyz"]
    ring = [(r, i) for k, r in enumerate("ABCD") for i in ("wxyz"[k], "wxyz"[(k + 1) % 4])]  # λ₂ = λ₃
    for rows in (blocks, identical, ring, [("A", "x")]):
        cells = pl.DataFrame(rows, schema=["region", "industry"], orient="row")
        with pytest.raises(MeasureInputError) as caught:
            complexity(cells, size=None)
        assert caught.value.code == "JQ-ATLAS-024"


def test_regions_without_an_advantage_are_left_out_and_named():
    rows = [(r, i) for r, many in zip("ABCD", (4, 3, 2, 1), strict=True) for i in "wxyz"[:many]]
    cells = pl.DataFrame(rows, schema=["region", "industry"], orient="row").with_columns(employees=1)
    cells = pl.concat(
        [cells, pl.DataFrame({"region": ["E"], "industry": ["w"], "employees": [0]}).cast({"employees": pl.Int32})]
    )
    found = complexity(cells)
    assert "E" not in found.regions["region"].to_list()
    assert found.regions.height + len([name for name in found.left_out if name in "ABCD"]) == 4


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="association"):
        relatedness(pl.DataFrame({"region": ["A"], "industry": ["x"], "employees": [1]}), method="euclid")
