"""Linkage against gravity, types and chain leaders: equal to other implementations, silent where nothing is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2
from sklearn.linear_model import PoissonRegressor

from jiqun.atlas.cluster_types import IndustryScore, cluster_type, industry_score, industry_scores, thresholds
from jiqun.atlas.gravity import linkage_residual, linked_within, ppml
from jiqun.atlas.leaders import CRITERIA, chain_leaders, dependence
from jiqun.atlas.pair_samples import drawn_pairs, pairs_within
from jiqun.atlas.sphere import unit_vectors
from jiqun.core.errors import MeasureInputError


def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    i, j = np.divmod(np.arange(n * n), n)
    return i[i != j], j[i != j]


def test_ppml_is_the_poisson_regression_of_scikit_learn():
    rng = np.random.default_rng(3)
    n, (i, j) = 40, pairs(40)
    size, km = rng.normal(0, 1, (n, 1)), rng.uniform(0, 5, i.size)
    y = rng.poisson(np.exp(-1 + 0.5 * size[i, 0] + 0.3 * size[j, 0] - 0.4 * km)).astype(float)
    weight = rng.uniform(0.5, 2, i.size)
    beta, _ = ppml(i, j, y, weight, size, km)
    design = np.column_stack([size[i], size[j], km])
    other = PoissonRegressor(alpha=0, tol=1e-13, max_iter=1000, solver="newton-cholesky")
    other.fit(design, y, sample_weight=weight)
    assert beta == pytest.approx(np.r_[other.intercept_, other.coef_], abs=1e-6)


def test_ppml_takes_any_amounts_and_maximises_its_likelihood():
    rng = np.random.default_rng(4)
    i, j = pairs(12)
    size, y = rng.normal(0, 1, (12, 1)), rng.exponential(3, i.size) * (rng.random(i.size) < 0.3)
    beta, _ = ppml(i, j, y, np.ones(i.size), size, np.zeros(0))
    design = np.column_stack([np.ones(i.size), size[i], size[j]])
    best = minimize(lambda b: np.exp(design @ b).sum() - y @ (design @ b), np.zeros(3), method="BFGS", tol=1e-12)
    assert beta == pytest.approx(best.x, abs=1e-4)
    mu = np.exp(design @ beta)
    assert mu.sum() == pytest.approx(y.sum(), rel=1e-9)  # as a model with a constant must


@pytest.mark.parametrize("case", ["no links", "separated", "collinear"])
def test_ppml_says_when_there_is_no_solution(case):
    i, j = pairs(6)
    size, y = np.arange(6.0)[:, None], np.ones(i.size)
    if case == "no links":
        y = np.zeros(i.size)
    elif case == "separated":  # only the largest sells at all
        y = (i == 5).astype(float)
    else:
        size = np.ones((6, 1))
    with pytest.raises(MeasureInputError, match="JQ-NETWORK-002"):
        ppml(i, j, y, np.ones(i.size), size, np.zeros(0))


def world(seed: int = 1, n: int = 90, lift: float = 3.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Firms with sizes and places; links by gravity, `lift` times as many within group 0, as many within group 1."""
    rng = np.random.default_rng(seed)
    group = np.where(np.arange(n) < 30, 0, np.where(np.arange(n) < 60, 1, -1))
    size, lon, lat = rng.lognormal(3, 1, n), 110 + 3 * rng.random(n), 30 + 3 * rng.random(n)
    i, j = pairs(n)
    km = np.maximum(np.hypot((lon[i] - lon[j]) * 95, (lat[i] - lat[j]) * 111), 1)
    mean = np.exp(-2 + 0.5 * np.log(size[i]) + 0.4 * np.log(size[j]) - 0.5 * np.log(km))
    y = rng.poisson(mean * np.where((group[i] == 0) & (group[j] == 0), lift, 1.0)).astype(float)
    ids = np.array([f"o{k}" for k in range(n)])
    firms = pl.DataFrame({"id": ids, "group": group, "size": size, "lon": lon, "lat": lat})
    links = pl.DataFrame({"source": ids[i], "target": ids[j], "weight": y}).filter(pl.col("weight") > 0)
    return firms.with_columns(group=pl.when(pl.col("group") >= 0).then("group")), links


def test_a_linked_group_is_told_from_one_that_is_only_near():
    firms, links = world()
    found = linkage_residual(firms, links, draws=99)
    rows = found.table.to_dicts()
    assert rows[0]["finding"] == "more"
    assert rows[0]["ratio"] > 1.5
    assert rows[1]["ratio"] < 1.1
    assert rows[0]["low"] < rows[0]["ratio"] < rows[0]["high"]
    assert found.model.exact
    assert found.model.pairs == 90 * 89
    apart = linkage_residual(*world(lift=0.05), draws=99).table.to_dicts()
    assert apart[0]["finding"] == "less"
    assert apart[0]["high"] < 1


def test_the_order_of_rows_and_the_names_do_not_matter():
    firms, links = world()
    one = linkage_residual(firms, links, draws=19).table
    other = linkage_residual(firms, links.sample(fraction=1.0, shuffle=True, seed=3), draws=19).table
    assert one.equals(other)
    doubled = linkage_residual(firms, links.with_columns(pl.col("weight") * 7), draws=19).table
    assert doubled["ratio"].to_list() == pytest.approx(one["ratio"].to_list(), rel=1e-6)


def test_below_sixty_per_cent_of_answers_the_finding_is_unknown_and_says_why():
    firms, links = world()
    answered = [k % 30 < (15 if k < 30 else 24) for k in range(90)]
    told = linkage_residual(firms.with_columns(responded=pl.Series(answered)), links, draws=19).table.to_dicts()
    assert (told[0]["response"], told[0]["finding"], told[0]["reason"], told[0]["ratio"]) == (
        0.5,
        "unknown",
        "response",
        None,
    )
    assert (told[1]["response"], told[1]["reason"], told[1]["used"]) == (0.8, None, 24)
    lower = linkage_residual(firms.with_columns(responded=pl.Series(answered)), links, draws=19, least_response=0.5)
    assert lower.table["finding"][0] != "unknown"
    whole = linkage_residual(firms, links, draws=19, response=0.4)
    assert whole.table["finding"].to_list() == ["unknown", "unknown"]


def test_what_the_silent_did_not_say_is_no_zero():
    """Non-respondents without ties must not lower the linkage: the ratio is that of the pairs that answered."""
    firms, links = world(lift=1.0)
    silent = {f"o{k}" for k in range(8)}
    kept = links.filter(~pl.col("source").is_in(silent) & ~pl.col("target").is_in(silent))
    answered = firms.with_columns(responded=~pl.col("id").is_in(silent))
    told = linkage_residual(answered, kept, draws=19).table.row(0, named=True)
    alone = linkage_residual(firms.filter(~pl.col("id").is_in(silent)), kept, draws=19).table.row(0, named=True)
    assert told["ratio"] == pytest.approx(alone["ratio"], rel=1e-9)
    naive = linkage_residual(firms, kept, draws=19).table.row(0, named=True)
    assert naive["ratio"] < 0.8 * told["ratio"]


def test_what_cannot_be_used_is_dropped_and_said():
    firms, links = world()
    bare = linkage_residual(firms.drop("lon", "lat", "size"), links, draws=19)
    assert bare.model.dropped == {"size": "absent", "distance": "absent"}
    few = firms.with_columns(size=pl.when(pl.int_range(pl.len()) < 30).then("size"), lon=pl.lit(1.0), lat=pl.lit(1.0))
    assert linkage_residual(few, links, draws=19).model.dropped == {"size": "too few known", "distance": "all alike"}
    assert linkage_residual(firms, links.clear(), draws=19).table["reason"].to_list() == ["no links", "no links"]
    assert linkage_residual(firms.head(3), links, draws=19).reason == "few"


def test_a_sample_of_pairs_gives_nearly_what_all_pairs_give(monkeypatch):
    firms, links = world(n=200)
    whole = linkage_residual(firms, links, draws=0)
    monkeypatch.setattr("jiqun.atlas.gravity.ALL_PAIRS", 30_000)
    monkeypatch.setattr("jiqun.atlas.gravity.PAIRS", 20_000)
    sampled = linkage_residual(firms, links, draws=0)
    assert not sampled.model.exact
    fitted, exact = (np.array(one.model.coefficients) for one in (sampled, whole))
    assert fitted[1:] == pytest.approx(exact[1:], abs=0.05)
    level = np.array([1.0, 0.0, 0.0, np.log(150.0)])  # at 150 km, about the middle; no pair is 1 km apart
    assert fitted @ level == pytest.approx(exact @ level, abs=0.05)
    assert sampled.table["ratio"].to_list() == pytest.approx(whole.table["ratio"].to_list(), rel=0.05)
    assert sampled.table["reason"].to_list() == ["no interval"] * 2


def test_a_group_without_structure_is_seldom_called_linked_or_unlinked():
    """Twenty worlds without any lift at 95 %: more than four findings of forty intervals would be too many (p < 0.05)."""
    found = [
        finding != "as expected"
        for seed in range(20)
        for finding in linkage_residual(*world(seed=50 + seed, n=80, lift=1.0), draws=59).table["finding"]
    ]
    assert sum(found) <= 5


def small_groups(seed: int, each: float, g: int = 8, lift: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Twenty groups of g firms at one place each and forty firms elsewhere; links by gravity, `each` per firm on average."""
    rng = np.random.default_rng(seed)
    n = 20 * g + 40
    group = np.where(np.arange(n) < 20 * g, np.arange(n) // g, -1)
    lon, lat = 110 + 3 * rng.random(n), 30 + 3 * rng.random(n)
    middle = np.column_stack([110 + 3 * rng.random(20), 30 + 3 * rng.random(20)])
    for k in range(20):
        lon[group == k] = middle[k, 0] + rng.normal(0, 0.05, g)
        lat[group == k] = middle[k, 1] + rng.normal(0, 0.05, g)
    size = rng.lognormal(3, 1, n)
    i, j = pairs(n)
    km = np.maximum(np.hypot((lon[i] - lon[j]) * 95, (lat[i] - lat[j]) * 111), 0.1)
    mean = np.exp(0.4 * np.log(size[i]) + 0.4 * np.log(size[j]) - 0.5 * np.log(km))
    mean *= n * each / mean.sum()
    y = rng.poisson(mean * np.where((group[i] == 0) & (group[j] == 0), lift, 1.0)).astype(float)
    ids = np.array([f"o{k}" for k in range(n)])
    firms = pl.DataFrame({"id": ids, "group": group, "size": size, "lon": lon, "lat": lat})
    links = pl.DataFrame({"source": ids[i], "target": ids[j], "weight": y}).filter(pl.col("weight") > 0)
    return firms.with_columns(group=pl.when(pl.col("group") >= 0).then("group")), links


def test_a_group_without_links_is_unlinked_only_where_links_were_to_be_expected():
    """With fewer than five expected, none at all is no news: unknown, and it is said why."""
    found = linkage_residual(*small_groups(0, each=1.0), draws=39).table
    assert (found["expected_links"] < 5).sum() >= 15
    few = found.filter(pl.col("expected_links") < 5)
    assert set(few["reason"]) == {"few links"}
    assert few["ratio"].null_count() == 0
    firms, links = small_groups(1, each=8.0, g=12)
    mine = set(firms.filter(pl.col("group") == 0)["id"])
    bare = links.filter(~(pl.col("source").is_in(mine) & pl.col("target").is_in(mine)))
    told = linkage_residual(firms, bare, draws=39).table.row(0, named=True)
    assert told["observed"] == 0
    assert told["expected_links"] > 5
    assert told["high"] == pytest.approx(-np.log(0.025) / told["expected_links"])
    assert told["finding"] == "less"
    # each link in both directions is no more news than one
    back = pl.concat([bare, bare.select("weight", source="target", target="source").select(bare.columns)])
    both = linkage_residual(firms, back.group_by("source", "target").agg(pl.col("weight").sum()), draws=39).table
    assert both["expected_links"][0] == pytest.approx(told["expected_links"], rel=0.15)


@pytest.mark.parametrize("each", [1.0, 4.0, 16.0])
def test_small_groups_without_structure_are_seldom_called_linked_or_unlinked(each):
    """Eighty groups of eight at 95 %: nine findings would be too many (p < 0.02)."""
    called = 0
    for seed in range(4):
        found = linkage_residual(*small_groups(seed, each=each), draws=59).table["finding"]
        called += int(found.is_in(["more", "less"]).sum())
    assert called <= 8


def test_a_count_of_links_has_the_interval_of_garwood():
    """Of links that all weigh the same, the bounds are those of a Poisson count, exactly."""
    firms, links = small_groups(3, each=8.0, g=12, lift=3.0)
    same = links.with_columns(weight=pl.lit(7.0)).filter(pl.col("source") < pl.col("target"))
    told = linkage_residual(firms, same, draws=39).table.row(0, named=True)
    seen = told["observed"] / 7.0
    assert told["low"] <= chi2.ppf(0.025, 2 * seen) / 2 / told["expected_links"] + 1e-9
    assert told["high"] >= chi2.isf(0.025, 2 * seen + 2) / 2 / told["expected_links"] - 1e-9


def test_where_many_members_have_no_size_or_place_nothing_is_found():
    firms, links = world()
    bare = firms.with_columns(size=pl.when(pl.int_range(pl.len()) >= 13).then("size"))  # 17 of 30 left: 57 per cent
    told = linkage_residual(bare, links, draws=39).table.to_dicts()
    assert (told[0]["used"], told[0]["members"], told[0]["finding"], told[0]["reason"]) == (
        17,
        30,
        "unknown",
        "coverage",
    )
    assert told[1]["finding"] != "unknown"
    lower = linkage_residual(bare, links, draws=39, least_response=0.5).table
    assert lower["finding"][0] == "more"


def test_links_of_a_survey_without_its_response_rate_find_nothing():
    firms, links = world()
    reported = links.with_columns(reported_by=pl.lit("source"))
    for told in (linkage_residual(firms, reported, draws=39), linkage_residual(firms, links, surveyed=True, draws=39)):
        assert told.table["finding"].to_list() == ["unknown"] * 2
        assert told.table["reason"].to_list() == ["response unknown"] * 2
    assert linkage_residual(firms, reported, draws=39, response=0.9).table["finding"][0] == "more"
    answered = firms.with_columns(responded=pl.lit(value=True))
    assert linkage_residual(answered, reported, draws=39).table["finding"][0] == "more"


def test_resampling_a_sample_of_pairs_gives_nearly_the_interval_of_all(monkeypatch):
    firms, links = small_groups(5, each=12.0, g=20, lift=2.0)
    whole = linkage_residual(firms, links, draws=99).table
    for name, most in (("ALL_PAIRS", 30_000), ("PAIRS", 30_000), ("RESAMPLED", 20_000), ("WITHIN", 3_000)):
        monkeypatch.setattr(f"jiqun.atlas.gravity.{name}", most)
    sampled = linkage_residual(firms, links, draws=99)
    assert not sampled.model.exact
    for name in ("ratio", "low", "high"):
        off = np.log(sampled.table[name].to_numpy() / whole[name].to_numpy())
        assert np.abs(off).max() < 0.25, name
        assert np.abs(off).mean() < 0.08, name
    assert sampled.table["finding"][0] == whole["finding"][0] == "more"


def test_sampled_pairs_stand_for_all_near_ones_too():
    """Sums over all pairs are met on average, with little noise even for those that decline steeply with distance."""
    rng = np.random.default_rng(2)
    lon, lat = (110 + 5 * rng.random(20)).repeat(20), (30 + 5 * rng.random(20)).repeat(20)
    xyz = unit_vectors(lon + rng.normal(0, 0.02, 400), lat + rng.normal(0, 0.02, 400)).T.copy()

    def decline(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return 1 / np.maximum(np.sqrt(((xyz[i] - xyz[j]) ** 2).sum(axis=1)), 1e-5)

    whole = decline(*pairs(400)).sum()
    sums = []
    for seed in range(40):
        row, column, weight = drawn_pairs(400, xyz, 6_000, seed)
        assert (row != column).all()
        sums.append((weight * decline(row, column)).sum() / whole)
    assert np.mean(sums) == pytest.approx(1.0, abs=4 * np.std(sums) / np.sqrt(40))
    assert np.std(sums) < 0.03  # 0.14 where all pairs are drawn alike


def test_pairs_within_hold_every_member_as_often():
    group = np.repeat([0, 1, -1], [300, 30, 70])
    row, column, each, number = pairs_within(group, 9_000, seed=1)
    assert (group[row] == number).all()
    assert (group[column] == number).all()
    assert (row != column).all()
    assert np.unique(row * 400 + column).size == row.size
    for ends in (row, column):
        assert np.unique(np.bincount(ends, minlength=400)[:300]).size == 1
    assert np.bincount(number, each) == pytest.approx([300 * 299, 30 * 29])


def test_distance_weighted_share_and_median():
    assert linked_within(np.zeros(0), np.zeros(0), 20.0) == (None, None)
    assert linked_within(np.array([5.0, 50.0]), np.array([1.0, 3.0]), 20.0) == (0.75, 50.0)


# types


def members(core: int, applied: int, unknown: int, none: int = 0) -> pl.DataFrame:
    codes = ["0101"] * core + ["0501"] * applied + [None] * (unknown + none)
    return pl.DataFrame(
        {
            "digital_code": pl.Series(codes, dtype=pl.String),
            "undigital": [False] * (core + applied + unknown) + [True] * none,
        }
    )


@pytest.mark.parametrize(
    ("core", "applied", "unknown", "none", "space", "label", "form", "digital"),
    [
        (9, 1, 0, 0, 0.1, "digital_industry", "geographic", True),
        (9, 1, 0, 0, 0.5, "digital_industry", "mixed", True),
        (9, 1, 0, 0, 0.8, "network", "virtual", True),
        (9, 1, 0, 0, 0.99, "network", "virtual", False),
        (9, 1, 0, 0, None, "digital_industry", "unknown", True),
        (2, 8, 0, 0, 0.1, "digitised_traditional", "geographic", False),
        (1, 0, 0, 9, 0.1, "traditional", "geographic", False),
        (4, 3, 3, 0, 0.1, "undecided", "geographic", None),
        (2, 1, 7, 0, 0.1, "undecided", "geographic", None),
        (2, 1, 7, 0, 0.99, "undecided", "virtual", False),
        (0, 0, 5, 0, None, "undecided", "unknown", None),
    ],
)  # fmt: skip
def test_labels_follow_from_the_scores_and_stay_open_where_they_must(
    core, applied, unknown, none, space, label, form, digital
):
    made = cluster_type(industry_score(members(core, applied, unknown, none)), space)
    assert (made.label, made.form, made.digital_cluster) == (label, form, digital)
    assert ("not a digital industry cluster because" in made.reason.en) == (digital is False)
    assert made.reason.zh


def test_size_weighs_where_it_is_asked_for():
    frame = members(1, 1, 0).with_columns(size=pl.Series([99.0, 1.0]))
    assert industry_score(frame, size="size").core == 0.99
    assert industry_score(frame).core == 0.5
    assert industry_score(frame.clear()) == IndustryScore(None, None, None, None, 0.0, "members")


@given(st.floats(0, 1), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1)))
def test_every_score_has_one_label_and_a_virtual_cluster_is_never_simply_digital(core, applied, space):
    score = IndustryScore(core, core, core, min(applied, 1 - core), 1.0, "members")
    made = cluster_type(score, space)
    assert made.label != "undecided"
    assert (made.label == "network") == (core >= thresholds()["core_least"] and made.form == "virtual")
    if made.purely_virtual:
        assert made.digital_cluster is False


# leaders


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6))
def test_the_rank_counts_who_is_ahead_in_all(n, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (n, 3)).astype(float)
    values[rng.random((n, 3)) < 0.2] = np.nan
    firms = pl.DataFrame({"id": [f"{k:02}" for k in range(n)]} | dict(zip(CRITERIA, values.T, strict=False)))
    told = {row["id"]: row["rank"] for row in chain_leaders(firms.fill_nan(None), top=99).to_dicts()}
    for k in range(n):
        if np.isnan(values[k]).all():
            assert f"{k:02}" not in told
            continue
        ahead = 0
        for other in range(n):
            both = ~np.isnan(values[k]) & ~np.isnan(values[other])
            mine, theirs = values[k][both], values[other][both]
            ahead += bool((theirs >= mine).all() and (theirs > mine).any())
        assert told[f"{k:02}"] == 1 + ahead


def test_groups_are_ranked_each_by_itself(monkeypatch):
    rng = np.random.default_rng(6)
    firms = pl.DataFrame(
        {"id": [f"{k:02}" for k in range(60)], "cluster": rng.choice(["a", "b", "c"], 60)}
        | {name: rng.integers(0, 9, 60).astype(float) for name in CRITERIA}
    )
    monkeypatch.setattr("jiqun.atlas.leaders.COMPARED_AT_ONCE", 300)  # a few firms at a time
    joint = chain_leaders(firms, by="cluster", top=3)
    for cluster in "abc":
        own = chain_leaders(firms.filter(pl.col("cluster") == cluster), top=3)
        assert joint.filter(pl.col("cluster") == cluster).equals(own)
    codes = pl.Series(["0101", None, "0501", "0305"]).sample(60, with_replacement=True, seed=1)
    classed = firms.with_columns(digital_code=codes)
    for cluster, score in industry_scores(classed, by="cluster", size="size").items():
        assert score == industry_score(classed.filter(pl.col("cluster") == cluster), size="size")


def test_all_alike_all_lead_and_weights_make_one_score_only_when_given():
    firms = pl.DataFrame({"id": list("abc"), "size": [1.0, 1.0, 1.0], "pagerank": [0.1, 0.2, 0.3]})
    assert chain_leaders(firms.drop("pagerank"))["rank"].to_list() == [1, 1, 1]
    assert chain_leaders(firms)["score"].null_count() == 3
    scored = chain_leaders(firms, weights={"size": 1.0, "pagerank": 3.0})
    assert scored["id"].to_list() == ["c", "b", "a"]
    assert scored["score"][0] == pytest.approx((2 / 3 * 1 + 1.0 * 3) / 4)
    with pytest.raises(MeasureInputError, match="JQ-NETWORK-002"):
        chain_leaders(firms, weights={"fame": 1.0})


def test_dependence_is_the_share_of_what_others_buy_and_sell():
    source, target = np.array([0, 1, 0, 3]), np.array([2, 2, 4, 0])
    told = dependence(5, source, target, np.array([3.0, 1.0, 2.0, 5.0]))
    assert told["dependence_in"].to_list() == [(0.75 + 1.0) / 2, 0.25, None, 1.0, None]
    assert told["dependence_out"].to_list() == [1.0, None, pytest.approx((0.6 + 1.0) / 2), None, pytest.approx(0.4)]
    assert told["customers_half"].to_list() == [2, 0, 0, 1, 0]
