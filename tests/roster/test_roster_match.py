"""Matching: nothing is missed that all pairs would find; order does not matter; faults of real names are measured."""

from __future__ import annotations

import random

import numpy as np
import perturb
import polars as pl
import pytest

from jiqun.roster import _match_kernels as kernels
from jiqun.roster import match
from jiqun.roster.evidence import told

CHARACTERS = "华星海天盛泰瑞宏明远创佳德信科技电子"
CITIES = ("深圳", "杭州", "苏州", "", "")


def names(count, seed):
    draw = random.Random(seed)
    rows = [
        {
            "name": draw.choice(CITIES)
            + "".join(draw.choice(CHARACTERS) for _ in range(draw.randrange(2, 7)))
            + draw.choice(("有限公司", "股份有限公司", "集团", "", "分公司"))
            if draw.random() < 0.8
            else "".join(draw.choice("acmenortw ") for _ in range(draw.randrange(3, 20)))
            + draw.choice((" Inc", " Co Ltd", "")),
            "city": draw.choice(("深圳市", "杭州市", None)),
            "uscc": draw.choice((None, None, "A", "B")),
            "former_names": draw.choice((None, None, "华星科技有限公司；海天电子")),
        }
        for _ in range(count)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("name", "city", "uscc", "former_names"), pl.String)).with_columns(
        id=pl.format("o{}", pl.int_range(pl.len()))
    )


def all_pairs(roster, register):
    """The best score and evidence of every pair of rows, by judging every pair of names."""
    weights = match._weights(register)  # the weights that the search uses
    sides = []
    for side in (roster, register):
        n = side.names
        sides.append((n, kernels.grams_of(n.codes, n.offsets, n.flags, weights)))
    (a, (grams_a, weights_a, ends_a, totals_a)), (b, (grams_b, _, ends_b, totals_b)) = sides
    best, exact = {}, {}
    for i, row_a in enumerate(roster.row.tolist()):
        for j, row_b in enumerate(register.row.tolist()):
            score, bits = kernels.judge(
                a.codes, a.offsets[i], a.offsets[i + 1], a.normal[i], a.core_hash[i], a.flags[i], a.place[i], roster.place[row_a],
                grams_a[ends_a[i] :], weights_a[ends_a[i] :], ends_a[i + 1] - ends_a[i], totals_a[i], roster.code[row_a], roster.main[i],
                b.codes, b.offsets[j], b.offsets[j + 1], b.normal[j], b.core_hash[j], b.flags[j], b.place[j], register.place[row_b],
                grams_b[ends_b[j] :], ends_b[j + 1] - ends_b[j], totals_b[j], register.code[row_b], register.main[j],
            )  # fmt: skip
            key = row_a, register.ids[row_b]
            if score >= match.REVIEW:
                best[key] = max(best.get(key, (0.0, 0)), (score, int(bits)))
                if bits & (kernels.USCC_SAME | kernels.NORMAL_SAME | kernels.CORE_SAME):
                    exact[key] = max(exact.get(key, (0.0, 0)), (score, int(bits)))
    settled = {row for (row, _), (score, _) in exact.items() if score >= match.SETTLED}
    best = {key: value for key, value in best.items() if key[0] not in settled}
    best |= {key: value for key, value in exact.items() if key[0] in settled}
    ranked = {}
    for (row, organisation), (score, bits) in best.items():
        ranked.setdefault(row, []).append((-score, int(organisation[1:]), organisation, bits))
    return [
        (row, organisation, -score, bits)
        for row in sorted(ranked)
        for score, _, organisation, bits in sorted(ranked[row])[: match.KEPT]
    ]


@pytest.mark.parametrize("seed", range(6))
def test_blocked_search_finds_what_all_pairs_find(normaliser, seed):
    roster = match.prepare(names(40, seed), normaliser, ids="id")
    register = match.prepare(names(120, seed + 100), normaliser, ids="id")
    expected = all_pairs(roster, register)
    found = match.find(roster, register)
    assert found.candidates.rows() == expected
    assert len(expected) > 20
    assert found.capped == 0


def test_the_order_of_rows_does_not_matter(normaliser):
    roster, register = names(60, 1), names(300, 2)
    straight = match.find(match.prepare(roster, normaliser, ids="id"), match.prepare(register, normaliser, ids="id"))
    shuffled = match.find(
        match.prepare(roster.reverse(), normaliser, ids="id"),
        match.joined(match.prepare(part, normaliser, ids="id") for part in register.reverse().iter_slices(70)),
    )
    back = shuffled.candidates.with_columns(row=roster.height - 1 - pl.col("row")).sort("row", maintain_order=True)
    assert back.equals(straight.candidates)


def test_a_key_that_too_many_share_is_told(normaliser):
    roster = pl.DataFrame({"name": ["华星科技有限公司"] * 5, "id": list("abcde")})
    register = pl.DataFrame({"name": ["华星科技有限公司"], "id": ["o1"]})
    sides = match.prepare(roster, normaliser, ids="id"), match.prepare(register, normaliser, ids="id")
    assert match.find(*sides, most=4).capped == 5
    assert match.find(*sides, most=4).candidates.is_empty()
    assert match.find(*sides).candidates.height == 5


def test_empty_sides_give_nothing(normaliser):
    empty = match.prepare(
        pl.DataFrame({"name": [], "id": []}, schema={"name": pl.String, "id": pl.String}), normaliser, ids="id"
    )
    full = match.prepare(names(5, 1), normaliser, ids="id")
    for pair in ((empty, full), (full, empty), (empty, empty)):
        assert match.find(*pair).candidates.is_empty()


def decided(normaliser, roster, register):
    rows = pl.DataFrame(roster)
    firms = pl.DataFrame(register).with_columns(id=pl.format("o{}", pl.int_range(1, pl.len() + 1)))
    found = match.find(
        match.prepare(rows.with_row_index("k"), normaliser, ids="k"), match.prepare(firms, normaliser, ids="id")
    )
    return [
        (d, o, s, told(e or 0).en)
        for d, o, s, e in match.decide(found.candidates, rows.height)
        .select("decision", "organisation", "score", "evidence")
        .iter_rows()
    ]


def test_namesakes_wait_for_a_person_unless_a_place_tells_them_apart(normaliser):
    register = {"name": ["宏达科技有限公司", "宏达科技有限公司"], "city": ["杭州", "苏州"]}
    roster = {"name": ["宏达科技有限公司"] * 3, "city": [None, "苏州", "北京"]}
    assert [row[:2] for row in decided(normaliser, roster, register)] == [
        ("review", "o1"),
        ("matched", "o2"),
        ("review", "o1"),
    ]


def test_a_credit_code_decides_and_another_one_never_matches(normaliser):
    register = {"name": ["甲乙科技有限公司", "丙丁科技有限公司"], "uscc": ["X", "Y"]}
    roster = {"name": ["改名以后有限公司", "甲乙科技有限公司"], "uscc": ["Y", "Z"]}
    assert [row[:3] for row in decided(normaliser, roster, register)] == [("matched", "o2", 1.0), ("review", "o1", 0.7)]


def test_a_branch_is_not_its_firm(normaliser):
    rows = decided(normaliser, {"name": ["华星海天科技有限公司深圳分公司"]}, {"name": ["华星海天科技有限公司"]})
    assert rows[0][0] != "matched"


def test_text_moves_a_score_a_little_and_says_so():
    candidates = pl.DataFrame(
        {"row": [0, 0], "organisation": ["o1", "o2"], "score": [0.8, 0.8], "evidence": [0, 0]}, schema=match.CANDIDATES
    )
    mine = pl.DataFrame({"row": [0], "text": ["无线键盘鼠标的研发与销售"]})
    theirs = pl.DataFrame(
        {"organisation": ["o1", "o2"], "text": ["餐饮服务与酒店管理咨询", "计算机键盘鼠标的研发与销售"]}
    )
    moved = match.weigh_text(candidates, mine, theirs)
    assert moved.select("organisation", "score").rows() == [("o2", 0.83), ("o1", 0.77)]
    assert [told(bits).en for bits in moved["evidence"]] == ["similar business", "; but: different business"]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("甲乙丙", "甲乙丁", True),
        ("甲乙丙", "甲丙", True),
        ("甲乙丙", "乙甲丙", True),
        ("甲乙丙", "丙乙甲", False),
        ("甲乙", "甲乙", False),
        ("甲", "乙丙", False),
    ],
)
def test_one_edit(a, b, expected):
    codes = np.array([ord(letter) for letter in a + b], dtype=np.uint16)
    assert kernels.one_edit(codes, 0, len(a), codes, len(a), len(a) + len(b)) == expected


# kind → floor of recall by itself, floor of the truth among the candidates; names and cities known
FLOORS = {
    "as it is": (0.99, 0.99),
    "form dropped": (0.96, 0.99),
    "form changed": (0.82, 0.98),
    "brackets": (0.92, 0.96),
    "traditional": (0.99, 0.99),
    "full width": (0.99, 0.99),
    "wrong character": (0.0, 0.87),
    "missing character": (0.0, 0.94),
    "swapped characters": (0.0, 0.86),
    "short name": (0.30, 0.60),
    "place dropped": (0.91, 0.96),
    "English name": (0.98, 0.99),
    "credit code": (0.99, 0.99),
    "former name": (0.99, 0.99),
}
HELD_OUT = 20_261
"""No threshold was chosen on this draw."""


@pytest.fixture(scope="module")
def real(shared_data, normaliser):
    """The register, ready, and the firms that are in it and those that are left out."""
    firms = perturb.firms(shared_data)
    known = firms.sample(fraction=0.85, seed=HELD_OUT, shuffle=True)
    absent = firms.join(known, on="name", how="anti")
    register = perturb.register(firms, HELD_OUT).join(absent, on="name", how="anti")
    return known, absent, register, match.prepare(register, normaliser, ids="id")


def measured(real, normaliser, kind, firms):
    rows = perturb.roster(firms, real[2], kind, HELD_OUT, place=True)
    found = match.find(match.prepare(rows.with_row_index("k"), normaliser, ids="k"), real[3])
    return perturb.measured(rows, match.decide(found.candidates, rows.height), found.candidates)


@pytest.mark.parametrize("kind", FLOORS)
def test_faults_of_real_names_are_found(real, normaliser, kind):
    told_ = measured(real, normaliser, kind, real[0])
    recall, among = FLOORS[kind]
    assert told_["n"] >= 200
    assert told_["precision"] is None or told_["precision"] >= 0.99
    assert told_["recall"] >= recall
    assert told_["found"] >= among


def test_firms_that_are_not_in_the_register_are_hardly_ever_matched(real, normaliser):
    told_ = measured(real, normaliser, "not in the register", real[1])
    assert told_["matched"] <= 0.015 * told_["n"]  # namesakes of theirs are in it
