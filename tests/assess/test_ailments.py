"""Ailments as functions: planted cases found, others not, statistics against brute force, bad input refused, unknown said."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import random_table

from jiqun.assess.ailments.governance import frontier_finding, governance_finding
from jiqun.assess.ailments.homogeneity import (
    benjamini_yekutieli,
    homogeneity,
    homogeneity_findings,
    similarity_trend,
)
from jiqun.assess.ailments.kinds import member_kind
from jiqun.assess.ailments.plans import named_incentives, named_industries, overlap, plans_finding
from jiqun.assess.ailments.risks import (
    balance_finding,
    data_finding,
    dependence_finding,
    effective_number,
    lock_in_finding,
    sector_counts,
    tagged,
    virtual_finding,
)
from jiqun.assess.ailments.unconnected import (
    linkage_finding,
    members_finding,
    missing_kinds,
    research_finding,
    wilson,
)
from jiqun.assess.checks import answered, checklist, latest
from jiqun.assess.findings import Finding, from_frame, to_frame
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError, UsageError


def cells(n: np.ndarray) -> pl.DataFrame:
    """A table of regions × industries as rows."""
    rows = [(f"r{r:02}", f"i{i:02}", int(n[r, i])) for r, i in itertools.product(*map(range, n.shape))]
    return pl.DataFrame(rows, schema=["region", "industry", "n"], orient="row")


def mixes(seed: int = 0, regions: int = 8, industries: int = 30, firms: int = 300) -> np.ndarray:
    """Regions with profiles of their own; the first two have the same one."""
    rng = np.random.default_rng(seed)
    profile = rng.dirichlet(np.full(industries, 0.5), regions)
    profile[1] = profile[0]
    return np.array([rng.multinomial(firms, row) for row in profile])


# Homogeneous competition


def test_similarities_equal_their_formulas_pair_by_pair():
    n = mixes()
    found = homogeneity(cells(n), size="n", throws=99, bootstrap=0)
    kept = n[:, n.sum(axis=0) >= 5]
    expected = np.outer(kept.sum(1), kept.sum(0)) / kept.sum()
    shares, z = kept / kept.sum(1, keepdims=True), (kept - expected) / np.sqrt(expected)
    for row in found.pairs.iter_rows(named=True):
        a, b = int(row["region_a"][1:]), int(row["region_b"][1:])
        assert row["krugman"] == pytest.approx(abs(shares[a] - shares[b]).sum(), abs=1e-12)
        assert row["finger_kreinin"] == pytest.approx(np.minimum(shares[a], shares[b]).sum(), abs=1e-12)
        assert row["cosine"] == pytest.approx(
            shares[a] @ shares[b] / np.linalg.norm(shares[a]) / np.linalg.norm(shares[b])
        )
        assert row["shared"] == pytest.approx(
            np.corrcoef(z[a], z[b])[0, 1], abs=0.1
        )  # near it: z has no mean taken off
        assert row["shared"] == pytest.approx(z[a] @ z[b] / np.linalg.norm(z[a]) / np.linalg.norm(z[b]))
    causes = found.causes.filter(region_a="r00", region_b="r01")
    assert causes["contribution"].is_sorted(descending=True)
    top = causes.row(0, named=True)
    i = int(top["industry"][1:])
    at = np.flatnonzero(n.sum(axis=0) >= 5).tolist().index(i)
    assert top["contribution"] == pytest.approx(z[0, at] * z[1, at] / np.linalg.norm(z[0]) / np.linalg.norm(z[1]))


def test_p_values_are_shares_of_throws_with_the_same_margins():
    n = mixes(firms=60, industries=12, regions=4)
    kept = n[:, n.sum(axis=0) >= 5]
    found = homogeneity(cells(n), size="n", throws=199, bootstrap=0, seed=3)
    drawn = random_table(kept.sum(1), kept.sum(0), seed=np.random.default_rng(3)).rvs(199)
    assert (drawn.sum(axis=1) == kept.sum(0)).all()
    expected = np.outer(kept.sum(1), kept.sum(0)) / kept.sum()

    def measured(table: np.ndarray, a: int, b: int) -> tuple[float, float]:
        s, z = table / table.sum(1, keepdims=True), (table - expected) / np.sqrt(expected)
        return np.minimum(s[a], s[b]).sum(), z[a] @ z[b] / np.linalg.norm(z[a]) / np.linalg.norm(z[b])

    for row in found.pairs.iter_rows(named=True):
        a, b = int(row["region_a"][1:]), int(row["region_b"][1:])
        told = np.array([measured(table, a, b) for table in drawn])
        assert row["p"] == pytest.approx(((told[:, 1] >= row["shared"] - 1e-12).sum() + 1) / 200)
        assert row["p_apart"] == pytest.approx(((told[:, 0] <= row["finger_kreinin"] + 1e-12).sum() + 1) / 200)
        assert row["expected"] == pytest.approx(told[:, 0].mean())
    assert found.pairs.sort("region_a", "region_b")["q"].to_numpy() == pytest.approx(
        benjamini_yekutieli(found.pairs.sort("region_a", "region_b")["p"])
    )


def test_the_planted_pair_is_found_and_no_other():
    found = homogeneity(cells(mixes()), size="n")
    same = found.pairs.filter(judgement="same specialities").select("region_a", "region_b").rows()
    assert same == [("r00", "r01")]
    assert found.p_apart < 0.01
    told = {one.unit: one for one in homogeneity_findings(found)}
    assert (told["region:r00"].state, told["region:r00"].severity) == ("found", "low")
    assert told["region:r02"].state == "not_found"
    assert told["all"].state == "not_found"
    low, value, high = told["region:r00"].low, told["region:r00"].statistic, told["region:r00"].high
    assert low < high <= 1
    assert value > 0.5


def test_regions_without_profiles_cannot_be_told_apart_and_share_no_specialities():
    rng = np.random.default_rng(5)
    mix = rng.dirichlet(np.full(20, 1.0))
    n = np.array([rng.multinomial(200, mix) for _ in range(8)])
    found = homogeneity(cells(n), size="n", throws=999, bootstrap=0)
    assert found.p_apart > 0.05
    assert homogeneity_findings(found)[0].severity == "high"
    assert found.pairs.filter(judgement="same specialities").is_empty()
    assert found.low < found.mean < found.high


def test_false_finds_over_null_tables_stay_below_the_level():
    margins = np.array([80, 60, 50, 40]), np.array([60, 50, 40, 30, 20, 15, 15])
    tables = random_table(*margins, seed=np.random.default_rng(9)).rvs(40)
    finds = [
        homogeneity(cells(table), size="n", throws=399, bootstrap=0).pairs["judgement"].eq("same specialities").any()
        for table in tables
    ]
    assert sum(finds) <= 5  # 40 tables at 0.05: more than 5 has a chance of 1.4 %


def test_doubling_names_or_rows_changes_nothing():
    n = mixes()
    one = homogeneity(cells(n), size="n", throws=99, bootstrap=19)
    rows = cells(n).filter(pl.col("n") > 0)
    long = rows.select(pl.col("region", "industry").repeat_by("n")).explode("region", "industry")
    other = homogeneity(long.sample(fraction=1, shuffle=True, seed=1), throws=99, bootstrap=19)
    assert one.pairs.equals(other.pairs)
    other = homogeneity(rows.to_pandas(), size="n", throws=99, bootstrap=19)
    assert one.pairs.equals(other.pairs)


def test_too_few_regions_fractions_and_negatives_are_refused():
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-080"):
        homogeneity(cells(mixes()[:2]), size="n")
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-081"):
        homogeneity(cells(mixes()).with_columns(n=pl.col("n") + 0.5), size="n")
    with pytest.raises(MeasureInputError, match="JQ-ATLAS-009"):
        homogeneity(cells(mixes()).with_columns(n=-pl.col("n")), size="n")
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-054"):
        homogeneity(cells(mixes()), size="n", throws=0)
    small = homogeneity(
        cells(np.vstack([mixes(), np.full((1, 30), 0)])).vstack(
            cells(mixes()).head(1).with_columns(region=pl.lit("tiny"), n=pl.lit(3, pl.Int64))
        ),
        size="n",
        throws=99,
        bootstrap=0,
    )
    assert small.left_out == ("tiny",)


def test_benjamini_yekutieli_matches_its_definition():
    p = np.array([0.001, 0.2, 0.03, np.nan, 0.0004])
    known = np.sort(p[~np.isnan(p)])
    m, h = known.size, sum(1 / j for j in range(1, known.size + 1))
    want = {v: min(1, *(m * h / (j + 1) * known[j] for j in range(i, m))) for i, v in enumerate(known)}
    got = benjamini_yekutieli(p)
    assert np.isnan(got[3])
    assert [got[i] for i in (0, 1, 2, 4)] == pytest.approx([want[p[i]] for i in (0, 1, 2, 4)])


def test_similarity_that_grows_from_year_to_year_is_a_trend():
    rng = np.random.default_rng(1)
    own, whole = rng.dirichlet(np.full(12, 0.3), 5), np.full(12, 1 / 12)
    parts = []
    for year in range(6):
        share = year / 5
        n = np.array([np.round(600 * ((1 - share) * row + share * whole)) for row in own]).astype(int)
        parts.append(cells(n + 5).with_columns(period=pl.lit(2019 + year)))
    told = similarity_trend(pl.concat(parts), size="n")
    assert told["differentiation"].is_sorted(descending=True)
    assert told["slope"][0] < 0
    assert told["p"][0] == pytest.approx(2 / math.factorial(6))
    few = similarity_trend(pl.concat(parts[:3]), size="n")
    assert few["p"].to_list() == [None] * 3


# Plans


REAL = ("大力发展集成电路和新能源。对企业给予税收优惠", "旅游业。粮食生产", "光伏产品出口；用地保障，财政补贴")


def test_industries_and_incentives_are_counted_clause_by_clause():
    texts = pl.DataFrame({"name": list("ABC"), "text": list(REAL)})
    found = named_industries(texts)
    assert set(found["text"]) <= {"A", "C"}
    assert named_incentives(texts).select("text", "incentive").rows() == [("A", "tax"), ("C", "land"), ("C", "subsidy")]


def test_lists_that_agree_more_than_blind_ones_are_found():
    alike = pl.DataFrame([(r, w) for r in "ABCDE" for w in "wxyz"], schema=["text", "digital_code"], orient="row")
    other = pl.DataFrame([(r, f"own {r}{k}") for r in "ABCDE" for k in range(4)], schema=alike.schema, orient="row")
    told = overlap(pl.concat([alike, other]))
    assert told.similarity == pytest.approx(4 / 12)
    assert told.p == pytest.approx(1 / 1000)
    assert told.shared.head(4)["regions"].to_list() == [5] * 4
    assert overlap(other).p > 0.9
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-085"):
        overlap(alike.filter(pl.col("text") < "C"))


def test_texts_without_names_or_content_are_refused():
    for name, text in ((["A", "A"], ["x", "y"]), (["A", None], ["x", "y"]), (["A", "B"], ["x", " "])):
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-084"):
            named_industries(pl.DataFrame({"name": name, "text": text}))
    assert plans_finding(None).state == "unknown"
    assert plans_finding(pl.DataFrame({"region": ["A"], "text": ["集成电路"]})).state == "unknown"


def test_government_work_reports_name_what_they_are_known_to_name(shared_data):
    """The real texts of 1954 to 2025: 数字经济 first stands in the report of 2017; clauses equal a count by hand."""
    reports = pl.read_parquet(shared_data / "real" / "gov-work-reports" / "reports.parquet")
    usable = reports.filter(pl.col("doc_type").str.contains("政府"), pl.col("chars") >= 2000)
    reports = usable.with_columns(name=pl.col("year").cast(pl.Int64).cast(pl.String)).unique("name", keep="any")
    found = named_industries(reports)
    software = found.filter(pl.col("digital_code") == "0304")
    years = {int(row["text"]) for row in software.iter_rows(named=True) if "人工智能" in row["first"]}
    assert years <= set(range(2017, 2026))
    by_year = found.group_by(year=pl.col("text").cast(pl.Int64)).agg(pl.col("clauses").sum())
    mean = {late: by_year.filter((pl.col("year") >= 2015) == late)["clauses"].mean() for late in (False, True)}
    assert mean[True] > 3 * mean[False]
    offered = named_incentives(reports).filter(pl.col("text") == "2019", pl.col("incentive") == "tax")["clauses"].item()
    assert offered >= 5  # the year of the two-trillion cut in taxes and fees


# Gathered but not a cluster


RESIDUAL = {"members": 40, "used": 40, "observed": 3.0, "expected": 30.0, "finding": "less", "reason": None}


@pytest.mark.parametrize(
    ("ratio", "low", "high", "finding", "dense", "state", "severity"),
    [
        (0.1, 0.05, 0.3, "less", 5.0, "found", "high"),
        (0.5, 0.3, 0.7, "less", 5.0, "found", "medium"),
        (0.8, 0.7, 0.95, "less", 5.0, "found", "low"),
        (0.5, 0.3, 0.7, "less", 0.8, "not_found", None),
        (1.1, 0.8, 1.4, "as expected", 5.0, "not_found", None),
        (3.0, 2.0, 4.0, "more", 5.0, "not_found", None),
    ],
)
def test_the_quadrant_of_agglomeration_and_linkage(ratio, low, high, finding, dense, state, severity):
    row = RESIDUAL | {"ratio": ratio, "low": low, "high": high, "finding": finding}
    told = linkage_finding("c1", {"firms": 40, "ratio": dense}, row)
    assert (told.state, told.severity) == (state, severity)
    assert (told.statistic, told.low, told.high) == (ratio, low, high)


def test_linkage_that_nobody_knows_is_unknown_with_its_reason():
    nothing = linkage_finding("c1", {"firms": 40, "ratio": 5.0}, None)
    assert nothing.state == "unknown"
    few = linkage_finding("c1", {"firms": 40, "ratio": 5.0}, RESIDUAL | {"finding": "unknown", "reason": "response"})
    assert "answered" in few.missing[0].en
    assert (
        linkage_finding("c1", {"firms": 40, "ratio": None}, RESIDUAL | {"ratio": 1.0, "low": 0.5, "high": 2.0}).state
        == "unknown"
    )


def test_kinds_of_members_by_name():
    names = {
        "浙江大学": "university", "清华大学出版社有限公司": "firm", "某市人工智能研究院": "institute", "中国银行股份有限公司": "finance",
        "某市半导体行业协会": "association", "Institute of Technology of Nowhere": "university", "Adventures Inc": "firm",
        "MIT Lincoln Alliance": "association", "某科技有限公司": "firm", "University Press Ltd": "firm",
    }  # fmt: skip
    told = pl.DataFrame({"name": list(names)}).select(member_kind(pl.col("name"))).to_series().to_list()
    assert dict(zip(names, told, strict=True)) == names
    assert pl.DataFrame({"name": [None]}, schema={"name": pl.String}).select(member_kind(pl.col("name"))).item() is None


def test_missing_kinds_are_missing_beyond_chance_or_unknown():
    register = {"firm": 800, "university": 50, "institute": 50, "finance": 50, "association": 50}
    none = missing_kinds("c", {"firm": 100}, register)
    assert (none.state, none.severity, none.statistic) == ("found", "high", 0)
    assert none.evidence.filter(kind="finance")["chance_none"].item() == pytest.approx(0.95**100)
    some = missing_kinds("c", {"firm": 97, "university": 1, "institute": 1, "finance": 1}, register)
    assert (some.state, some.severity) == ("found", "low")
    assert missing_kinds("c", {"firm": 9}, register).state == "unknown"  # none of nine is no news
    full = {"firm": 9, "university": 1, "institute": 1, "finance": 1, "association": 1}
    assert missing_kinds("c", full, register).state == "not_found"
    assert missing_kinds("c", {"firm": 5000}, {"firm": 90000}).state == "unknown"
    assert missing_kinds("c", {"firm": 100}, register, mixed=False).state == "unknown"
    frame = pl.DataFrame({"name": ["Acme Ltd"] * 5})
    assert members_finding("c", frame, frame).state == "unknown"


def test_research_that_is_cut_off_is_found_against_all_firms():
    register = {"firm": 100, "university": 5, "institute": 5}
    cut = research_finding("c", {"firm": 60}, register=register, share=0.2)
    assert (cut.state, cut.severity, cut.statistic) == ("found", "high", 0)
    weak = research_finding("c", {"firm": 97, "university": 3}, register=register, share=0.2)
    assert (weak.state, weak.severity) == ("found", "medium")
    assert research_finding("c", {"firm": 80, "institute": 20}, register=register, share=0.2).state == "not_found"
    for linked, held, share in (
        ({"firm": 19}, register, 0.2),
        ({"firm": 99}, {"firm": 9}, 0.2),
        ({"firm": 99}, register, None),
    ):
        assert research_finding("c", linked, register=held, share=share).state == "unknown"


def test_kinds_that_are_missing_by_accident_are_rarely_found():
    """Four kinds, each absent by accident in one of 23 clusters: at least one is in one of six, found in fewer than one in twenty."""
    rng, n, share = np.random.default_rng(5), 120, 0.026
    kinds = ("university", "institute", "finance", "association", "firm")
    register = {kind: 26 if kind != "firm" else 896 for kind in kinds}
    drawn = rng.multinomial(n, [share] * 4 + [1 - 4 * share], size=400)
    assert (drawn[:, :4] == 0).any(axis=1).mean() > 0.1
    found = [missing_kinds("c", dict(zip(kinds, map(int, row), strict=True)), register).state for row in drawn]
    assert found.count("found") < 0.05 * 400
    none = missing_kinds("c", {"firm": n}, register)
    assert (none.state, none.severity) == ("found", "high")  # all four at once is no accident


def test_no_link_to_research_is_news_only_where_there_should_have_been_some():
    register = {"firm": 500, "university": 5, "institute": 5}
    few = research_finding("c", {"firm": 40}, register=register, share=0.03)  # none of 40: a chance of 0.3
    assert few.state == "unknown"
    assert "122" in few.missing[0].en  # 0.97 ** 122 is the first below 0.025
    assert research_finding("c", {"firm": 122}, register=register, share=0.03).severity == "high"
    rng = np.random.default_rng(3)
    told = [
        research_finding("c", {"university": int(k), "firm": n - int(k)}, register=register, share=share).state
        for n, share in ((20, 0.15), (40, 0.1), (130, 0.03))
        for k in rng.binomial(n, share, 400)
    ]
    assert told.count("found") < 0.025 * len(told)


def test_wilson_bounds_match_the_roots_of_their_equation():
    for hits, n in ((0, 20), (7, 20), (20, 20), (3, 1000)):
        for bound in wilson(hits, n):
            if 1e-9 < bound < 1 - 1e-9:
                assert (hits / n - bound) ** 2 == pytest.approx(1.959963984540054**2 * bound * (1 - bound) / n)


# Governance


def governed(**values: float) -> pl.DataFrame:
    """Rows of indicators of c1."""
    rows = [("c1", f"gov.{name}", 2024, value, "minutes") for name, value in values.items()]
    return pl.DataFrame(rows, schema=["unit", "indicator", "year", "value", "evidence"], orient="row")


GOOD = {
    "body": 1, "legal_person": 1, "market_income_share": 0.6, "full_time_staff": 8, "services": 9, "council_kinds": 5,
    "council_government_share": 0.2, "member_coverage": 0.7, "cross_border_services_share": 0.3,
    "cross_border_links_share": 0.4,
}  # fmt: skip


def test_governance_is_judged_check_by_check_with_bounds_for_what_is_unknown():
    assert governance_finding("c1", governed(**GOOD)).state == "not_found"
    bad = governance_finding("c1", governed(**dict.fromkeys(GOOD, 0) | {"council_government_share": 1}))
    assert (bad.state, bad.severity, bad.statistic) == ("found", "high", 1.0)
    partly = {name: value for name, value in GOOD.items() if not name.startswith("cross")} | {
        "market_income_share": 0.0
    }
    told = governance_finding("c1", governed(**partly))
    assert (told.state, told.low, told.high) == ("not_found", 0.1, pytest.approx(0.3))
    bodiless = governance_finding("c1", governed(**GOOD | {"body": 0}))
    assert (bodiless.state, bodiless.severity) == ("found", "medium")
    unknown = governance_finding("c1", governed(body=1, services=2))
    assert (unknown.state, len(unknown.missing)) == ("unknown", 1)
    assert unknown.evidence["answer"].to_list().count("unknown") == 8


def test_governance_takes_the_last_year_other_names_and_other_bounds():
    older = governed(**GOOD | {"body": 0}).with_columns(year=pl.lit(2020, pl.Int64))
    both = pl.concat([older, governed(**GOOD)], how="vertical_relaxed").with_columns(unit=pl.lit("南京软件"))
    assert governance_finding("c1", both, names=("南京软件",)).state == "not_found"
    assert governance_finding("c1", both, names=("南京软件",), year=2021).state == "found"
    strict = checklist("governance").with_bounds(
        dict.fromkeys(("services", "professional", "council_kinds", "member_coverage"), 99)
    )
    assert governance_finding("c1", both, names=("南京软件",), rules=strict).state == "found"
    with pytest.raises(UsageError, match="JQ-USE-001"):
        checklist("governance").with_bounds({"nothing": 1})
    twice = pl.concat([governed(**GOOD), governed(body=0)], how="vertical_relaxed")
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-082"):
        governance_finding("c1", twice)
    place = governed(**dict.fromkeys(GOOD, 0.0)).with_columns(
        unit=pl.lit("南京")
    )  # a place that has the cluster's name
    own = pl.concat([governed(**GOOD), place], how="vertical_relaxed")
    assert governance_finding("c1", own, names=("南京",)).state == "not_found"


def test_checks_count_at_their_bound_and_quarters_do_not_count():
    rows = governed(market_income_share=0.3, council_government_share=0.5).with_columns(quarter=pl.lit(None, pl.Int64))
    quarter = rows.with_columns(quarter=pl.lit(2, pl.Int64), value=pl.lit(0.0), year=pl.lit(2025, pl.Int64))
    told = answered(checklist("governance"), latest(pl.concat([rows, quarter]), "c1"))
    assert dict(told.filter(pl.col("answer") != "unknown").select("check", "answer").iter_rows()) == {
        "market_income": "met",
        "council_government": "met",
    }
    assert checklist("governance").template("c1")["indicator"].to_list() == [f"gov.{name}" for name in GOOD]


def test_a_frontier_score_needs_an_interval():
    scores = pl.DataFrame({"unit": ["c1", "c2"], "score": [0.4, 0.9], "low": [0.3, 0.7], "high": [0.45, 0.95]})
    assert (frontier_finding("c1", scores).severity, frontier_finding("c2", scores).state) == ("high", "not_found")
    assert frontier_finding("c1", scores.drop("low", "high")).state == "unknown"
    assert frontier_finding("c9", scores).state == "unknown"
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-083"):
        frontier_finding("c1", pl.concat([scores, scores]))


# Further risks


def test_away_from_making_things_against_the_register():
    codes = ["6621"] * 30 + ["7010"] * 20 + ["3912"] * 50 + ["6513"] * 20 + [None] * 10
    here = sector_counts(pl.DataFrame({"industry_code": codes}))
    assert here == {"firms": 130, "classed": 120, "virtual": 50, "making": 50}
    register = {"firms": 1000, "classed": 900, "virtual": 100, "making": 400}
    told = virtual_finding("c", here, register)
    assert (told.state, told.severity, told.statistic) == ("found", "high", 0.5)
    assert virtual_finding("c", here | {"virtual": 10}, register).state == "not_found"
    for change in ({"virtual": 5, "making": 5}, {"classed": 60}):
        assert virtual_finding("c", here | change, register).state == "unknown"


def purchases(weights: list[float], customers: int = 20) -> pl.DataFrame:
    """Every customer buys from every outside supplier, in proportion to the weights."""
    rows = [(f"s{s}", f"m{c}", w, True) for c in range(customers) for s, w in enumerate(weights)]
    return pl.DataFrame(rows, schema=["supplier", "customer", "weight", "outside"], orient="row")


def test_dependence_on_few_outside_suppliers():
    told = dependence_finding("c", purchases([8.0, 1.0, 1.0]))
    assert told.statistic == pytest.approx(0.66)
    assert (told.low, told.high) == (pytest.approx(0.66), pytest.approx(0.66))  # all customers are alike
    assert (told.state, told.severity) == ("found", "high")
    assert "from 3 outside suppliers" in told.sentence.en
    assert "from 1 outside supplier," in dependence_finding("c", purchases([1.0])).sentence.en
    assert dependence_finding("c", purchases([1.0] * 10)).state == "not_found"
    inside = purchases([10.0]).with_columns(outside=pl.lit(value=False))
    assert dependence_finding("c", pl.concat([purchases([1.0]), inside])).state == "not_found"  # most is bought inside
    assert dependence_finding("c", purchases([1.0], customers=9)).state == "unknown"
    with pytest.raises(MeasureInputError, match="JQ-ASSESS-087"):
        dependence_finding("c", purchases([-1.0]))


def test_few_customers_that_choose_freely_do_not_depend_on_few():
    """Ten customers, each of one of five equal suppliers: the plain index is 0.28 on average, twice that of its own pairs left out."""
    rng = np.random.default_rng(4)
    told = []
    for chosen in rng.integers(0, 5, (60, 10)):
        rows = [(f"s{s}", f"m{c}", 1.0, True) for c, s in enumerate(chosen)]
        frame = pl.DataFrame(rows, schema=["supplier", "customer", "weight", "outside"], orient="row")
        told.append(dependence_finding("c", frame, draws=199))
    assert np.mean([one.statistic for one in told]) == pytest.approx(0.2, abs=0.02)
    assert [one.state for one in told].count("found") <= 1
    assert all(one.low <= one.statistic <= one.high for one in told)


def history(counts: list[list[int]]) -> pl.DataFrame:
    rows = [(f"20{20 + t}-01-01", f"i{i}", n) for t, row in enumerate(counts) for i, n in enumerate(row)]
    return pl.DataFrame(rows, schema=["as_of", "industry", "n"], orient="row")


def test_lock_in_is_a_fall_of_the_effective_number_of_classes():
    assert effective_number([10, 10, 0, 0]) == pytest.approx(2)
    told = lock_in_finding("c", history([[50, 50, 50, 50], [90, 60, 30, 20], [190, 4, 3, 3]]))
    assert (told.state, told.severity) == ("found", "high")
    assert told.statistic == pytest.approx(effective_number([190, 4, 3, 3]) / 4)  # 200 members at both dates
    assert told.low < told.statistic < told.high < 1
    assert lock_in_finding("c", history([[50, 50], [50, 49], [50, 50]])).state == "not_found"
    assert lock_in_finding("c", history([[50, 50], [100, 0]])).state == "unknown"
    assert lock_in_finding("c", history([[5, 5]] * 3)).state == "unknown"


@pytest.mark.parametrize(("first", "last"), [(100, 100), (2000, 100), (400, 60), (100, 2000)])
def test_a_cluster_of_another_size_is_not_locked_in_for_that(first, last):
    rng = np.random.default_rng(7)
    told = [
        lock_in_finding(
            "c", history([rng.multinomial(n, [1 / 40] * 40).tolist() for n in (first, first, last)]), draws=199
        )
        for _ in range(60)
    ]
    assert sum(one.state == "found" for one in told) <= 4  # 2.5 % at most are meant
    assert np.mean([one.statistic for one in told]) == pytest.approx(1, abs=0.02)
    fewer = rng.multinomial(last, [1 / 10] * 10 + [0] * 30).tolist()
    wide = rng.multinomial(first, [1 / 40] * 40).tolist()
    assert lock_in_finding("c", history([wide, wide, fewer])).state == "found"


def test_tags_are_the_users_and_the_longest_prefix_counts():
    tags = pl.DataFrame({"code": ["01", "0105", "03"], "tag": ["traditional", "future", "emerging"]})
    assert tagged(pl.Series(["010501", "01", "0", None, "0399"]), tags).to_list() == [
        "future",
        "traditional",
        None,
        None,
        "emerging",
    ]
    for wrong in ({"code": ["01"], "tag": ["new"]}, {"code": ["01", "01"], "tag": ["future", "emerging"]}):
        with pytest.raises(MeasureInputError, match="JQ-ASSESS-088"):
            tagged(pl.Series(["01"]), pl.DataFrame(wrong))
    register = {"traditional": 500, "emerging": 300, "future": 200}
    assert balance_finding("c", None, None).state == "unknown"
    one = balance_finding("c", {"traditional": 95, "emerging": 5}, register, members=100)
    assert (one.state, one.severity, one.statistic) == ("found", "medium", 0.95)
    assert (
        balance_finding("c", {"traditional": 50, "emerging": 30, "future": 20}, register, members=100).state
        == "not_found"
    )
    assert balance_finding("c", {"traditional": 95}, register, members=1000).state == "unknown"
    assert data_finding().state == "unknown"


def test_findings_are_stored_and_read_back_whole():
    found = [
        governance_finding("c1", governed(**GOOD | {"body": 0})),
        data_finding(),
        dependence_finding("c", purchases([8.0, 1.0])),
    ]
    back = from_frame(to_frame(found))
    for one, other in zip(found, back, strict=True):
        assert vars(one) | {"evidence": None} == vars(other) | {"evidence": None}
        assert one.evidence.to_dicts() == other.evidence.to_dicts()
    with pytest.raises(ValueError, match="severity"):
        Finding("c", "a.b", Text("", ""), "not_found", Text("", ""), Text("", ""), Text("", ""), severity="low")
    with pytest.raises(ValueError, match="missing"):
        Finding("c", "a.b", Text("", ""), "unknown", Text("", ""), Text("", ""), Text("", ""))
