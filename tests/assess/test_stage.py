"""Stage and readiness: checklists, change points and hidden states against brute force, gates, scenarios, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.assess.change_points import change_points, segments
from jiqun.assess.checks import checklist
from jiqun.assess.hidden_states import expected, hidden_states
from jiqun.assess.readiness import (
    Assumptions,
    facility_values,
    gates_of,
    jobs_of,
    outlook_of,
    readiness,
    scenarios_of,
)
from jiqun.assess.stage import stage
from jiqun.atlas import complexity, relatedness_density
from jiqun.core.errors import MeasureInputError, UsageError

ROWS = ["unit", "indicator", "year", "value"]


def indicators(values: dict[str, float], unit: str = "c1") -> pl.DataFrame:
    return pl.DataFrame([(unit, code, 2024, float(v)) for code, v in values.items()], schema=ROWS, orient="row")


def meeting(*groups: str, rules: str = "stage", short: float = 0.0) -> dict[str, float]:
    """Values that meet every check of some groups."""
    return {
        check.indicator: check.bound - short * check.bound for check in checklist(rules).checks if check.group in groups
    }


# Stage


def test_a_stage_is_reached_when_it_and_all_before_it_are():
    every = tuple(checklist("stage").groups)
    whole = stage("c1", indicators(meeting(*every)))
    assert (whole.reached, whole.possible) == ("new", "new")
    failing = dict.fromkeys(meeting("transformation"), 0.0)
    gap = stage("c1", indicators(meeting("infrastructure", "ecosystem", "new") | failing))
    assert (gap.reached, gap.possible) == ("infrastructure", "infrastructure")
    assert gap.stages["state"].to_list() == ["reached", "not reached", "not reached", "not reached"]
    nothing = stage("c1", indicators({}))
    assert (nothing.reached, nothing.possible) == (None, "new")
    assert "unknown" in nothing.sentence.en
    assert stage("c1", indicators(meeting(*every, short=0.5))).reached is None


def test_unknown_widens_the_stage_and_never_counts_as_unmet():
    half = dict(itertools.islice(meeting("infrastructure").items(), 1))
    told = stage("c1", indicators(half))
    row = told.stages.row(0, named=True)
    assert (row["met"], row["unmet"], row["unknown"], row["share_low"], row["share_high"]) == (1, 0, 3, 0.25, 1.0)
    assert told.checks.filter(answer="met")["value"].to_list() == [20.0]


def test_every_shipped_checklist_is_whole():
    for name in ("governance", "stage", "readiness"):
        told = checklist(name)
        assert {check.group for check in told.checks} == set(told.groups)
        assert all(text.zh and text.en for check in told.checks for text in (check.title, check.action, check.unit))
        assert len({check.indicator for check in told.checks}) == len(told.checks)
    with pytest.raises(UsageError, match="JQ-USE-001"):
        checklist("mood")


def test_a_share_in_per_cent_is_refused():
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-086"):
        stage("c1", indicators({"infra.gigabit_share": 85}))
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-086"):
        stage("c1", indicators({"infra.gigabit_share": -0.1}))


# Change points


def brute(y: np.ndarray, k: int) -> float:
    """Least SSE over all segmentations with k changes, tried one by one."""
    best = math.inf
    for cuts in itertools.combinations(range(2, y.size - 1), k):
        parts = np.split(y, cuts)
        if all(part.size >= 2 for part in parts):
            best = min(best, sum(((part - part.mean()) ** 2).sum() for part in parts))
    return best


@given(st.lists(st.floats(-5, 5), min_size=8, max_size=12))
def test_segments_are_the_best_of_all(values):
    y = np.array(values)
    sse, starts = segments(y, 3)
    for k, (found, at) in enumerate(zip(sse, starts, strict=True)):
        assert found == pytest.approx(brute(y, k), abs=1e-8)
        assert len(at) == k
        assert sum(((part - part.mean()) ** 2).sum() for part in np.split(y, at)) == pytest.approx(found, abs=1e-8)


def series(values: list[float], first: int = 2010) -> pl.DataFrame:
    return pl.DataFrame({"year": range(first, first + len(values)), "value": values})


def test_a_change_of_pace_is_found_with_its_p_value_and_a_steady_series_has_none():
    rng = np.random.default_rng(2)
    logs = np.cumsum(np.r_[0, rng.normal(0.02, 0.01, 9), rng.normal(0.25, 0.01, 9)])
    told = change_points(series(list(100 * np.exp(logs))))
    assert told.changes == (2020,)
    assert told.p == pytest.approx(0.001)
    steady = change_points(series(list(100 * 1.1 ** np.arange(12))))
    assert (steady.changes, steady.p) == ((), 1.0)
    flat = change_points(series([5.0] * 9), of="level")
    assert (flat.changes, flat.p) == ((), 1.0)
    noise = [change_points(series(list(100 + rng.normal(0, 1, 12))), of="level", permutations=199).p for _ in range(40)]
    assert sum(p <= 0.05 for p in noise) <= 5


def test_short_broken_and_negative_series_are_refused():
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-092"):
        change_points(series([1.0] * 7))
    for frame in (
        series([1.0] * 9).filter(pl.col("year") != 2014),
        series([1.0] * 8 + [-1.0]),
        series([1.0] * 8 + [math.nan]),
    ):
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-093"):
            change_points(frame)
    with pytest.raises(UsageError, match="JQ-USE-001"):
        change_points(series([1.0] * 9), of="mood")


# Hidden states


def panel(seed: int = 4, units: int = 40, years: int = 8) -> tuple[pl.DataFrame, np.ndarray]:
    """Units that move up through three states; two columns."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 10.0], [5.0, 20.0], [10.0, 15.0]])
    rows, truth = [], []
    for u in range(units):
        state = 0
        for t in range(years):
            if t and state < 2 and rng.random() < 0.3:
                state += 1
            truth.append(state + 1)
            rows.append((f"u{u:02}", 2015 + t, *(centres[state] + rng.normal(0, 1, 2))))
    return pl.DataFrame(rows, schema=["unit", "year", "a", "b"], orient="row"), np.array(truth)


def test_planted_states_come_back_with_their_means_and_moves():
    frame, truth = panel()
    told = hidden_states(frame, ["a", "b"])
    assert (told.posterior["state"].to_numpy() == truth).mean() > 0.98
    assert told.converged
    assert told.means.filter(column="a")["mean"].to_list() == pytest.approx([0, 5, 10], abs=0.5)
    moves = {(i, j): p for i, j, p in told.transitions.iter_rows()}
    assert moves[1, 2] == pytest.approx(0.3, abs=0.1)
    assert moves[3, 1] < 0.02
    assert told.posterior.select(pl.sum_horizontal("p1", "p2", "p3")).to_series().to_list() == pytest.approx([1] * 320)
    scaled = hidden_states(frame.with_columns(b=pl.col("b") * 1000 - 7), ["a", "b"])
    assert (scaled.posterior["state"] == told.posterior["state"]).all()
    assert hidden_states(frame, ["a", "b"], states=2).bic > told.bic


def test_the_likelihood_is_the_sum_over_all_paths():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5, 2))
    mu, var = rng.normal(size=(2, 2)), np.array([[0.5, 1.0], [2.0, 0.7]])
    a, pi = np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0.6, 0.4])
    density = np.exp(-0.5 * ((z[:, None] - mu) ** 2 / var).sum(2)) / np.sqrt((2 * np.pi * var).prod(1))

    def weight(path: tuple[int, ...]) -> float:
        start = pi[path[0]] * density[0, path[0]]
        return start * math.prod(a[path[t - 1], path[t]] * density[t, path[t]] for t in range(1, 5))

    paths = list(itertools.product(range(2), repeat=5))
    total = sum(map(weight, paths))
    gamma, moves, likelihood = expected(z, np.array([0]), np.array([5]), mu, var, a, pi)
    assert likelihood == pytest.approx(math.log(total))
    for t, k in itertools.product(range(5), range(2)):
        assert gamma[t, k] == pytest.approx(sum(weight(p) for p in paths if p[t] == k) / total)
    want = sum(weight(p) * sum(p[t - 1] == 0 and p[t] == 1 for t in range(1, 5)) for p in paths) / total
    assert moves[0, 1] == pytest.approx(want)


def test_few_or_broken_panels_are_refused():
    frame, _ = panel()
    few = (frame.filter(pl.col("unit") < "u09"), frame.filter(pl.col("year") < 2019))
    for part in few:
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-094"):
            hidden_states(part, ["a", "b"])
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-094"):
        hidden_states(frame, ["a"], states=1)
    broken = (
        frame.with_columns(a=pl.when(pl.col("year") == 2016).then(None).otherwise("a")),
        frame.with_columns(a=pl.lit(1.0)),
        frame.filter((pl.col("unit") != "u05") | (pl.col("year") != 2018)),
    )
    for part in broken:
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-095"):
            hidden_states(part, ["a", "b"])


# Readiness


def mixed() -> pl.DataFrame:
    """Regions that have nested sets of industries, A most; every firm has ten persons."""
    rows = [
        (r, i)
        for r, many in zip("ABCDE", (6, 5, 4, 3, 2), strict=True)
        for i in ("0101", "0102", "0103", "0104", "0105", "0106")[:many]
    ]
    return pl.DataFrame([(r, i, 10) for r, i in rows], schema=["region", "industry", "employees"], orient="row")


ASSUMED = Assumptions((0.1, 0.3), (0.02, 0.1), years=8, new_jobs=20.0)
READY = meeting("data", "computing", "demand", "endowment", rules="readiness")


def values(told: dict[str, float]) -> pl.DataFrame:
    rows = [(code, 2024, float(v), None) for code, v in told.items()]
    return pl.DataFrame(
        rows,
        schema={"indicator": pl.String, "year": pl.Int64, "value": pl.Float64, "evidence": pl.String},
        orient="row",
    )


def test_gates_come_first():
    told = readiness("C", "0105", values=values(READY), firms=mixed(), old=("0101",), assumed=ASSUMED)
    assert told.gate == "met"
    assert "All gates" in told.sentence.en
    shut = readiness(
        "C", "0105", values=values(READY | {"demand.orders_share": 0.0}), firms=mixed(), old=(), assumed=ASSUMED
    )
    assert (shut.gate, shut.sentence.en) == ("unmet", "Not ready to begin: effective demand not met.")
    lacking = {code: v for code, v in READY.items() if not code.startswith("endowment")}
    open_ = readiness("C", "0105", values=values(lacking), firms=mixed(), old=(), assumed=ASSUMED)
    assert (open_.gate, open_.gates.filter(gate="endowment")["unknown"].item()) == ("unknown", 2)
    own = checklist("readiness").with_bounds({"local_orders": 0.9})
    assert (
        readiness("C", "0105", values=values(READY), firms=mixed(), old=(), assumed=ASSUMED, rules=own).gate == "unmet"
    )
    assert gates_of(told.checks, told.rules)[1] == "met"


def test_growth_is_never_assumed():
    for assumed in (Assumptions(), Assumptions(growth=(0.1, 0.2)), Assumptions(decline=(0.1, 0.2))):
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-096"):
            readiness("C", "0105", values=values(READY), firms=mixed(), old=(), assumed=assumed)
    wrong = (
        {"growth": (0.2, 0.1)},
        {"growth": (-2.0, 0.0)},
        {"decline": (0.0, 1.5)},
        {"years": 0},
        {"new_jobs": -1.0},
        {"growth": (math.nan, 0.1)},
    )
    for change in wrong:
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-054"):
            scenarios_of(Assumptions(**{"growth": (0.1, 0.2), "decline": (0.0, 0.1)} | change), 10.0, 10.0)


def test_scenarios_follow_their_formula_and_the_date_is_that_of_the_worst():
    assumed = Assumptions((0.1, 0.3), (0.02, 0.1), years=20, tax_per_job_cny=1000.0, old_tax_cny=5e6)
    told = scenarios_of(assumed, 100.0, 400.0)
    row = told.filter(scenario="worst", year=5).row(0, named=True)
    assert row["jobs_gained"] == pytest.approx(100 * 1.1**5 - 100)
    assert row["jobs_lost"] == pytest.approx(400 * (1 - 0.9**5))
    assert row["tax_gained_cny"] == pytest.approx(1000 * row["jobs_gained"])
    assert row["tax_lost_cny"] == pytest.approx(5e6 * (1 - 0.9**5))
    firms = pl.DataFrame({"region": ["C"] * 5, "industry": ["0105"] + ["0101"] * 4, "employees": [100] * 5})
    found = readiness(
        "C",
        "0105",
        values=values(READY),
        firms=pl.concat([mixed().filter(pl.col("region") != "C"), firms]),
        old=("0101",),
        assumed=assumed,
    )
    short = [y for y in range(1, 21) if 100 * 1.1**y - 100 < 400 * (1 - 0.9**y)]
    assert found.covered_year == max(short) + 1
    assert found.gap == 0
    soon = readiness(
        "C",
        "0105",
        values=values(READY),
        firms=pl.concat([mixed().filter(pl.col("region") != "C"), firms]),
        old=("0101",),
        assumed=Assumptions((0.0, 0.1), (0.05, 0.1), years=5),
    )
    assert soon.covered_year is None
    assert soon.gap == pytest.approx(400 * (1 - 0.9**5))
    assert scenarios_of(Assumptions((0.1, 0.2), (0.0, 0.1)), None, 10.0)["balance"].null_count() == 20
    given = Assumptions(
        (0.1, 0.2), (0.0, 0.1), new_jobs=500.0
    )  # are the first jobs only where there are none, not where unknown
    assert scenarios_of(given, None, 10.0)["jobs_gained"].null_count() == 20
    assert scenarios_of(given, 0.0, 10.0)["jobs_gained"][0] == pytest.approx(550)


def test_nearness_is_that_of_the_atlas_and_unknown_where_the_register_has_none():
    told = outlook_of(mixed(), "C", "0105")
    density = relatedness_density(mixed(), size=None, method="proximity").filter(region="C", industry="0105")
    assert (told.has, told.density) == (density["has"].item(), density["density"].item())
    assert told.pci == complexity(mixed(), size=None).industries.filter(industry="0105")["pci"].item()
    assert outlook_of(mixed(), "Z", "0105").reason is not None
    assert outlook_of(mixed(), "C", "0999").density is None


def test_jobs_are_known_where_half_of_the_firms_state_them():
    firms = pl.DataFrame({"region": ["A"] * 4, "industry": ["0101"] * 4, "employees": [5, 6, None, None]})
    assert jobs_of(firms, "A", ("01",)) == 11
    assert jobs_of(firms.with_columns(employees=pl.Series([5, None, None, None])), "A", ("01",)) is None
    assert jobs_of(firms, "A", ()) == 0
    table = pl.DataFrame({"region": ["A", "B"], "kind": ["computing", "computing"], "name": ["x", "y"]})
    assert facility_values(table, "C")["value"].to_list() == [0.0]


def test_neither_level_nor_unit_hides_a_change():
    steps = np.array([0, 0.1, -0.1, 0, 0.05, 0, 5, 5.1, 4.9, 5, 5.05, 5])
    for values in (steps, steps + 1e9, steps * 1e-160, steps * 1e160):
        told = change_points(series(list(values)), of="level")
        assert (len(told.changes), told.p) == (1, 0.001)
