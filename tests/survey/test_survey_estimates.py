"""Answers become one number of a unit: against sums by hand on random rounds, a textbook's standard error, and small cells."""

from __future__ import annotations

import math
import random
from itertools import combinations
from statistics import median

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_nursery import opened, respondent, submit

from jiqun.core.errors import MeasureInputError
from jiqun.survey import respond
from jiqun.survey.answered import answered, answers_to, source
from jiqun.survey.estimates import ANSWERS, COUNTS, LEAST_ANSWERS, estimates

AGGREGATES = ("mean", "weighted_mean", "median", "sum", "share")


def by_hand(answers, belongs, aggregate, least, least_rate):
    """Every number of every unit, one firm at a time."""
    found = {}
    for unit in {unit for unit, _ in belongs}:
        inside = {organisation for of, organisation in belongs if of == unit}
        rows = [row for row in answers if row[0] in inside]
        told = dict.fromkeys(COUNTS, 0)
        pairs = []
        for _, answer, x, w in rows:
            if answer != "value":
                told[answer] += 1
            elif aggregate == "weighted_mean" and (w is None or w < 0):
                told["blank"] += 1
            else:
                pairs.append((x, w if aggregate == "weighted_mean" else 1.0))
        applies = len(rows) - told["not_applicable"]
        state = why_not(pairs, len(rows), aggregate, least, least_rate)
        value, se = of_pairs(pairs, applies, aggregate) if state == "shown" else (None, None)
        told |= {"members": len(inside), "asked": len(rows), "answered": len(pairs)}
        found[unit] = told | {"state": state, "value": value, "se": se}
    return found


def why_not(pairs, asked, aggregate, least, least_rate):
    if not asked:
        return "unasked"
    if len(pairs) < least:
        return "few"
    if len(pairs) / asked < least_rate:
        return "rate"
    if math.fsum(w for _, w in pairs) == 0:
        return "weightless"
    parts = sorted((abs(w * x) for x, w in pairs), reverse=True)
    hidden = aggregate not in {"share", "median"} and math.fsum(parts[2:]) < 0.1 * parts[0]
    return "dominated" if hidden else "shown"


def of_pairs(pairs, applies, aggregate):
    if aggregate == "median":
        return median(x for x, _ in pairs), None
    n, weight = len(pairs), math.fsum(w for _, w in pairs)
    value = math.fsum(w * x for x, w in pairs) / weight
    spread = math.fsum((w * (x - value)) ** 2 for x, w in pairs)
    se = math.sqrt((1 - n / applies) * n / (n - 1) * spread) / weight
    times = applies if aggregate == "sum" else 1
    return value * times, se * times


def framed(answers):
    kinds = {"organisation": pl.String, "answer": pl.String, "x": pl.Float64, "w": pl.Float64}
    return pl.DataFrame(answers, schema=kinds, orient="row")


def inside(belongs):
    return pl.DataFrame(belongs, schema={"unit": pl.String, "organisation": pl.String}, orient="row")


@st.composite
def rounds(draw):
    """Answers of up to 60 firms, some in two units, some in none; units that nobody is asked in."""
    seed = draw(st.integers(0, 10**9))
    rng = random.Random(seed)
    firms = [f"o{k}" for k in range(draw(st.integers(0, 60)))]
    asked = [one for one in firms if rng.random() < 0.8]
    answers = []
    for one in asked:
        answer = rng.choice(["value"] * 6 + list(ANSWERS[1:]))
        x = rng.choice([0.0, 1.0, round(rng.lognormvariate(2, 2), 3), -3.0]) if answer == "value" else None
        answers.append((one, answer, x, rng.choice([None, -1.0, 0.0, 1.0, 40.0, 5000.0])))
    units = [f"u{k}" for k in range(draw(st.integers(1, 5)))]
    belongs = [(unit, one) for one in firms for unit in rng.sample(units, rng.choice([0, 1, 1, 1, min(2, len(units))]))]
    return answers, [*belongs, ("empty", "o-none")]


@pytest.mark.parametrize("aggregate", AGGREGATES)
@given(rounds(), st.sampled_from([5, 7]), st.sampled_from([0.0, 0.6]))
def test_estimates_are_those_of_one_firm_at_a_time(aggregate, made, least, least_rate):
    answers, belongs = made
    if aggregate == "share":
        answers = [(a, b, None if x is None else float(x > 0), w) for a, b, x, w in answers]
    wanted = by_hand(answers, belongs, aggregate, least, least_rate)
    found = estimates(framed(answers), inside(belongs), aggregate, least=least, least_rate=least_rate)
    assert set(found["unit"]) == set(wanted)
    for row in found.to_dicts():
        told = wanted[row["unit"]]
        for name, value in told.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-9 * 5000), (row["unit"], name)
            else:
                assert row[name] == value, (row["unit"], name)
        assert row["asked"] == row["answered"] + sum(row[name] for name in COUNTS)


def test_standard_error_is_what_all_samples_show():
    """Cochran (1977), theorem 2.2 and (2.14): over every sample of n of N the mean is unbiased, and so is se²."""
    population = [3.0, 7.0, 8.0, 12.0, 15.0, 4.0, 9.0]
    inside_ = inside([("u", f"o{k}") for k in range(7)])
    means, squares = [], []
    for chosen in combinations(range(7), 5):
        answers = [
            (f"o{k}", "value" if k in chosen else "silent", population[k] if k in chosen else None, None)
            for k in range(7)
        ]
        row = estimates(framed(answers), inside_, "mean").row(0, named=True)
        means.append(row["value"])
        squares.append(row["se"] ** 2)
    truth = sum(population) / 7
    assert sum(means) / len(means) == pytest.approx(truth)
    assert sum(squares) / len(squares) == pytest.approx(sum((one - truth) ** 2 for one in means) / len(means))


def test_nobody_left_to_answer_leaves_no_error():
    answers = [(f"o{k}", "value", float(k), 1.0) for k in range(5)] + [("o5", "not_applicable", None, None)]
    row = estimates(framed(answers), inside([("u", f"o{k}") for k in range(6)]), "sum").row(0, named=True)
    assert (row["value"], row["se"]) == (10.0, 0.0)


@pytest.mark.parametrize(("count", "state"), [(0, "unasked"), (1, "few"), (4, "few"), (5, "shown")])
def test_fewer_than_five_answers_have_no_value(count, state):
    answers = [(f"o{k}", "value", 1.0, 1.0) for k in range(count)]
    belongs = inside([("u", f"o{k}") for k in range(max(count, 1))])
    row = estimates(framed(answers), belongs, "mean", least=1).row(0, named=True)
    assert row["state"] == state
    assert (row["value"] is None) == (state != "shown")
    assert LEAST_ANSWERS == 5


def test_a_firm_that_the_second_largest_could_tell_is_kept():
    """The p % rule: beside 100 and 50, a rest of 9 would tell the largest to within a tenth; a rest of 10 does not."""
    belongs = inside([("u", f"o{k}") for k in range(5)])
    for third, state in ((7.0, "dominated"), (8.0, "shown")):
        given = [100.0, 50.0, third, 1.0, 1.0]
        answers = [(f"o{k}", "value", value, 1.0) for k, value in enumerate(given)]
        for aggregate in ("sum", "mean", "weighted_mean"):
            row = estimates(framed(answers), belongs, aggregate).row(0, named=True)
            assert row["state"] == state, (aggregate, third)
        assert estimates(framed(answers), belongs, "median")["state"].item() == "shown"


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"organisation": ["a"]}),
        pl.DataFrame({"organisation": ["a"], "answer": ["yes"], "x": [1.0], "w": [1.0]}),
        pl.DataFrame(
            {"organisation": ["a"], "answer": [None], "x": [1.0], "w": [1.0]}, schema_overrides={"answer": pl.String}
        ),
        pl.DataFrame({"organisation": ["a", "a"], "answer": ["value"] * 2, "x": [1.0] * 2, "w": [1.0] * 2}),
    ],
)
def test_what_is_no_table_of_answers_is_refused(frame):
    with pytest.raises(MeasureInputError) as told:
        estimates(frame, inside([("u", "a")]), "mean")
    assert told.value.code == "JQ-SURVEY-034"


FIGURES = {"revenue": "350", "revenue_digital": "200", "revenue_other": "150", "employees": "12"}


def test_answers_of_a_round_as_a_frame(workspace):
    """Handed in, corrected, withdrawn, saved only, left empty: what counts is what stands on the roster."""
    made = opened(workspace)
    first, second, third, fourth = (respondent(workspace, made.id, f"o000000{k}") for k in (1, 2, 3, 4))
    submit(workspace, first, FIGURES | {"outlook": "better", "capacity_use": "80"})
    submit(workspace, first, FIGURES | {"outlook": "worse", "employees": "13"})
    submit(workspace, second, FIGURES)
    before = source(workspace, made)
    respond.decline(workspace, second, "not_applicable", key="k" * 12)
    assert source(workspace, made).digest != before.digest
    submit(workspace, third, FIGURES, submit=False)
    respond.decline(workspace, fourth, "unwilling", key="m" * 12)
    frame = answered(workspace, made, ["employees", "outlook", "capacity_use", "revenue", "no_such"])
    rows = {row["organisation"]: row for row in frame.to_dicts()}
    assert not any("no_such" in name for name in frame.columns)
    assert rows["o0000001"]["employees"] == 10  # as in the register when the round opened
    assert rows["o0000001"]["ask:employees"] == 13.0
    assert (rows["o0000001"]["ask:outlook"], rows["o0000001"]["ask:capacity_use"]) == ("worse", None)
    assert rows["o0000002"]["ask:employees"] is None
    weighed = answers_to(frame, made.question("revenue"), weigh_by="employees")
    assert weighed.filter(organisation="o0000001")["w"].item() == 13.0
    unasked = answers_to(frame.drop("ask:employees"), made.question("revenue"), weigh_by="employees")
    assert unasked.filter(organisation="o0000001")["w"].item() == 10.0
    told = {}
    for code, option in (("employees", None), ("outlook", "worse"), ("capacity_use", None)):
        question = made.question(code)
        told[code] = dict(answers_to(frame, question, option=option).select("organisation", "answer").iter_rows())
    assert told["employees"] == {
        "o0000001": "value", "o0000002": "not_applicable", "o0000003": "silent", "o0000004": "declined", "o0000005": "silent",
    }  # fmt: skip
    assert told["capacity_use"]["o0000001"] == "blank"
    assert told["outlook"]["o0000001"] == "value"
