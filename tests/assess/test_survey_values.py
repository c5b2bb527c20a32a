"""Indicators from survey rounds: against plain counting over random rounds, what is missing and why, and who sees what."""

from __future__ import annotations

import hashlib
import math
import random
from statistics import median

import polars as pl
import pytest
from asked import EVERY, answer, asks, closed, framework, opened, reopen
from assess_workspace import SEARCH, SIZES, firms, load_firms, load_indicators

from jiqun.assess import desk
from jiqun.assess import operations as room
from jiqun.assess.annual_report import annual_report
from jiqun.assess.framework import check_framework, framework_of, parse_framework, shipped
from jiqun.assess.index_now import outdated, reasons_of
from jiqun.assess.own_frameworks import save
from jiqun.assess.panel import gather, panel
from jiqun.assess.questionnaire import questionnaire
from jiqun.assess.survey_document import open_coverage
from jiqun.assess.survey_values import conversion, declared, surveyed
from jiqun.atlas import desk as atlas
from jiqun.atlas.reading import Which, find_run
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import canonical_json
from jiqun.store import Workspace
from jiqun.store.database import new_key
from jiqun.store.worker import work
from jiqun.survey import publish, rounds
from jiqun.survey.questions import Question, templates

PUBLIC = Actor("visitor", frozenset({"public"}))
ASKED = parse_framework(framework(*EVERY))


def members(workspace):
    """Cluster → its members; and the cluster of each city."""
    rows = find_run(workspace, Which()).table("members").select("cluster_id", "id", "city")
    inside = {}
    for key, one, _ in rows.iter_rows():
        inside.setdefault(key, set()).add(one)
    return inside, {city: key for key, _, city in rows.iter_rows()}


def random_answers(organisations, seed):
    rng = random.Random(seed)
    made = {}
    for one in sorted(organisations):
        fate = rng.random()
        if fate < 0.15:
            continue
        if fate < 0.25:
            made[one] = rng.choice(["unwilling", "not_applicable"])
            continue
        kept = {
            "cloud": rng.choice(["yes", "no", "no", "dont_know"]),
            "spending": round(rng.lognormvariate(11, 1), 2),
            "hours": float(rng.randint(0, 60)),
            "skilled": rng.random(),
            "employees": rng.randint(0, 800),
        }
        made[one] = {name: value for name, value in kept.items() if rng.random() < 0.9}
    return made


def counted(answers, inside):
    """The five indicators of a cluster, one firm at a time."""
    kept = [told for one, told in answers.items() if one in inside and not isinstance(told, str)]
    declined = [told for one, told in answers.items() if one in inside and told == "not_applicable"]
    applies = len(inside) - len(declined)
    clouds = [told["cloud"] for told in kept if told.get("cloud", "dont_know") != "dont_know"]
    spent = [told["spending"] for told in kept if "spending" in told]
    weighed = [(told["skilled"], told["employees"]) for told in kept if {"skilled", "employees"} <= set(told)]
    return {
        "in_cloud": 100 * sum(one == "yes" for one in clouds) / len(clouds),
        "spend_each": math.fsum(spent) / len(spent) / 1e4,
        "spend_all": math.fsum(spent) / len(spent) * applies / 1e4,
        "hours_middle": median(told["hours"] for told in kept if "hours" in told),
        "skills": 100 * math.fsum(x * w for x, w in weighed) / sum(w for _, w in weighed),
    }


def held(found):
    return {(row["unit"], row["code"]): row["value"] for row in found.cells.filter(origin="survey").to_dicts()}


@pytest.mark.parametrize("seed", range(4))
def test_values_are_those_of_plain_counting(workspace, seed):
    inside, _ = members(workspace)
    asked = {one for each in inside.values() for one in each}
    answers = random_answers(asked, seed)
    made = closed(workspace, answers)
    found = gather(workspace, ASKED)
    assert (found.basis, found.year) == ("clusters", 2023)
    values = held(found)
    for key, who in inside.items():
        for code, value in counted(answers, who).items():
            assert values[key, code] == pytest.approx(value, rel=1e-9), (key, code)
    row = found.coverage.filter(code="in_cloud").row(0, named=True)
    assert (row["origin"], row["state"], row["asked"]) == ("survey", "used", len(asked))
    said = [told for told in answers.values() if not isinstance(told, str)]
    assert row["answered"] == sum(told.get("cloud", "dont_know") != "dont_know" for told in said)
    assert made.title.zh in row["zh"]
    assert f"survey_answers {made.id}" in {one.name for one in found.sources(workspace)}


def test_two_rounds_of_a_year_count_each_organisation_once(workspace):
    """One round of each half of the firms, and one of a few of both: of these the later answer counts."""
    inside, cities = members(workspace)
    everyone = sorted({one for each in inside.values() for one in each})
    first, second = everyone[::2], everyone[1::2]
    answers = {one: {"hours": 10.0} for one in everyone}
    closed(workspace, {one: answers[one] for one in first}, first)
    closed(workspace, {one: answers[one] for one in second}, second, title="二")
    boulder = sorted(inside[cities["Boulder"]])[:10]
    again = {one: {"hours": 30.0} for one in boulder[:9]} | {boulder[9]: "unwilling"}
    closed(workspace, again, boulder, title="三", days=40)
    found = gather(workspace, parse_framework(framework(asks("hours", "mean", "学时"))))
    row = found.survey.response.filter(unit=cities["Boulder"]).row(0, named=True)
    assert (row["asked"], row["answered"], row["members"]) == (40, 40, 40)
    assert row["value"] == pytest.approx((9 * 30 + 31 * 10) / 40)  # who declined later had answered before


def test_who_is_in_no_cluster_is_nowhere_and_who_is_in_two_is_in_both(workspace):
    inside, _ = members(workspace)
    lone = [f"o-lone-{k}" for k in range(9)]
    everyone = [one for each in inside.values() for one in each]
    closed(
        workspace, {one: {"hours": 5.0} for one in lone} | {one: {"hours": 7.0} for one in everyone}, [*lone, *everyone]
    )
    told = parse_framework(framework(asks("hours", "mean", "学时")))
    assert set(held(gather(workspace, told)).values()) == {7.0}
    twice = pl.DataFrame({"unit": ["a"] * 5 + ["b"] * 5, "organisation": [*lone[:5], *lone[4:9]]})
    rows = surveyed(workspace, told, ["hours"], twice, 2023).response
    assert rows["answered"].to_list() == [5, 5]
    assert rows["value"].to_list() == [5.0, 5.0]


def why(workspace, told, code, **more):
    row = gather(workspace, told, **more).coverage.filter(code=code).row(0, named=True)
    assert row["zh"]
    return row["state"], row["en"]


HOURS = parse_framework(framework(asks("hours", "mean", "学时")))


def test_what_is_missing_says_why(workspace):
    inside, cities = members(workspace)
    some = sorted(inside[cities["Boulder"]])[:2]
    state, told = why(workspace, HOURS, "hours")
    assert state == "missing"
    assert "No survey round asked for it" in told
    state, told = why(workspace, parse_framework(framework({"code": "x", "unit": "%", "origin": "survey"})), "x")
    assert "does not say which question" in told
    made = opened(workspace, some)
    assert "is not closed yet" in why(workspace, HOURS, "hours")[1]
    answer(workspace, made.id, {one: {"hours": 4.0} for one in some})
    rounds.lock(LOCAL, workspace, made.id, key=new_key())
    state, told = why(workspace, HOURS, "hours")
    assert state == "missing"
    assert told.startswith(
        "Units without a value: fewer than 5 answers 1, no member asked 3. Question hours, mean; round “"
    )
    row = gather(workspace, HOURS).coverage.filter(code="hours").row(0, named=True)
    assert (row["answered"], row["asked"], row["units"]) == (2, 2, 0)
    state, told = why(workspace, HOURS, "hours", year=2021)
    assert "No round asks about 2021; there are rounds of 2023." in told


def test_drafts_and_quarters_fill_nothing(workspace):
    inside, _ = members(workspace)
    everyone = [one for each in inside.values() for one in each]
    closed(workspace, {one: {"hours": 4.0} for one in everyone}, quarter=2)
    assert "asks about a quarter" in why(workspace, HOURS, "hours")[1]
    reopened = opened(workspace)
    assert not held(gather(workspace, HOURS))
    assert reopened.state == "open"


@pytest.mark.parametrize(
    ("indicator", "code"),
    [
        (asks("hours", "mean", "人"), "JQ-ASSESS-100"),
        (asks("money", "mean", "学时", "spending"), "JQ-ASSESS-100"),
        (asks("skilled", "mean", "万元"), "JQ-ASSESS-100"),
        (asks("cloud", "mean", "%"), "JQ-ASSESS-101"),
        (asks("cloud", "share", "%", option="maybe"), "JQ-ASSESS-101"),
        (asks("hours", "share", "%", option="yes"), "JQ-ASSESS-101"),
        (asks("hours", "weighted_mean", "学时", weigh_by="cloud"), "JQ-ASSESS-101"),
        (asks("hours", "weighted_mean", "学时", weigh_by="nothing"), "JQ-ASSESS-101"),
    ],
)
def test_mixed_units_and_questions_that_do_not_fit_are_named_by_code(workspace, indicator, code):
    inside, _ = members(workspace)
    everyone = [one for each in inside.values() for one in each]
    closed(workspace, {one: {"hours": 4.0, "spending": 3.0, "skilled": 0.5, "cloud": "yes"} for one in everyone})
    state, told = why(workspace, parse_framework(framework(indicator)), indicator["code"])
    assert state == "missing"
    assert told.startswith(code)
    rows = room.filling(workspace, parse_framework(framework(indicator)))
    assert [row.fills for row in rows] == [False]


def test_units_are_converted():
    money = Question(code="a", zh="a", en="a", type="money", unit="亿元")
    assert conversion(money, "万元") == pytest.approx(1e-4)
    assert conversion(money, "元/家", per_firm=True) == 1.0
    assert conversion(money, "元/家") is None
    foreign = Question(code="a", zh="a", en="a", type="number", unit="万美元")
    assert conversion(foreign, "美元") is None
    assert conversion(foreign, "万美元") == 1.0
    persons = Question(code="a", zh="a", en="a", type="integer", unit="万人")
    assert conversion(persons, "人") == 1.0
    many = Question(code="a", zh="a", en="a", type="number", unit="万个")
    assert conversion(many, "万个") is None  # kept as single ones, which no unit names


def test_the_table_goes_before_a_round_and_published_answers_are_no_units(workspace):
    inside, cities = members(workspace)
    everyone = [one for each in inside.values() for one in each]
    made = closed(workspace, {one: {"hours": 4.0} for one in everyone})
    publish.publish(LOCAL, workspace, made.id, key=new_key())
    work(workspace, publish.HANDLERS, once=True, threads=1)
    assert workspace.snapshot("indicators").summary["rows"] == len(everyone)
    found = gather(workspace, HOURS)
    assert found.basis == "clusters"
    assert not found.remarks
    assert set(held(found).values()) == {4.0}
    load_indicators(
        workspace, [(cities["Boulder"], "hours", 2023, 9.0, "学时"), (cities["Oulu"], "hours", 2022, 8.0, "学时")]
    )
    found = gather(workspace, HOURS, year=2023)
    assert found.coverage.filter(code="hours")["origin"].item() == "table"
    assert found.cells.filter(code="hours").height == 2
    assert gather(workspace, HOURS, year=2022).cells.filter(code="hours")["origin"].unique().to_list() == ["table"]


def test_regions_are_rated_where_the_table_names_regions_or_nothing_is_searched(tmp_path):
    made = Workspace.init(tmp_path / "ws")
    rows = [(f"o{k}", f"Firm {k}", ("North", "South", None)[k % 3], "XX") for k in range(30)]
    with made.new_snapshot("organisations", as_of="2023-05-01", source="made up") as writer:
        writer.write(pl.DataFrame(rows, schema=["id", "name", "region", "country"], orient="row"))
    with pytest.raises(WorkspaceError):
        gather(made, HOURS)
    closed(made, {f"o{k}": {"hours": float(k)} for k in range(30)}, [f"o{k}" for k in range(30)], year=2022)
    found = gather(made, HOURS)
    assert (found.basis, found.year) == ("table", 2022)
    assert held(found) == {("North", "hours"): 13.5, ("South", "hours"): 14.5, ("XX", "hours"): 15.5}
    load_indicators(
        made,
        [("North", "other", 2022, 9.0), ("South", "beyond_chance", 2022, 3.0), ("North", "beyond_chance", 2022, 4.0)],
    )
    assert set(held(gather(made, HOURS))) == {("North", "hours"), ("South", "hours")}
    made.close()


# What is stored, and what is shown of it


def kept_framework(workspace, *indicators):
    return save(LOCAL, workspace, framework(*indicators), key=new_key()).framework


def spread(inside, seed=3):
    return random_answers({one for each in inside.values() for one in each}, seed)


def test_an_index_is_out_of_date_when_a_round_or_the_run_changes(workspace):
    inside, _ = members(workspace)
    kept_framework(workspace, *EVERY)
    made = closed(workspace, spread(inside))
    stored = desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    assert stored.table("rounds")["survey"].to_list() == [made.id]
    assert outdated(workspace, stored) == ()
    reopen(workspace, made.id)
    assert [one.en for one in outdated(workspace, stored)] == ["the survey round “Round 问卷 2023”"]
    rounds.lock(LOCAL, workspace, made.id, key=new_key())
    assert outdated(workspace, stored) == ()
    answer(
        workspace,
        made.id,
        {next(one for one, told in spread(inside).items() if not isinstance(told, str)): "unwilling"},
    )
    assert len(outdated(workspace, stored)) == 1
    again = desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    assert again.id != stored.id
    more = sorted({one for each in inside.values() for one in each})[:20]
    closed(workspace, {one: {"hours": 4.0} for one in more}, more, title="又")
    assert [one.en for one in outdated(workspace, again)] == ["the survey round “Round 又 2023”"]
    last = desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    load_firms(workspace, firms(SIZES | {"Oulu": 40}), "2023-06-01")
    atlas.run(LOCAL, workspace, SEARCH)
    assert [one.en for one in outdated(workspace, last)] == ["the search for clusters"]
    now = desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    rows = now.table("response").filter(pl.col("code") == "in_cloud")
    assert rows["members"].sum() == last.table("response").filter(pl.col("code") == "in_cloud")["members"].sum() + 14
    assert rows["asked"].sum() == last.table("response").filter(pl.col("code") == "in_cloud")["asked"].sum()


def few_answers(inside, cities):
    """Many answers everywhere but in Oulu, where two firms answered."""
    return {
        one: {"hours": float(5 + k % 7 + at), "cloud": "yes" if k % (3 + at) else "no"}
        for at, (key, each) in enumerate(sorted(inside.items(), key=lambda pair: pair[0] != cities["Boulder"]))
        for k, one in enumerate(sorted(each)[: 2 if key == cities["Oulu"] else 15])
    }


def test_the_public_sees_nothing_of_few_answers(workspace):
    inside, cities = members(workspace)
    kept_framework(workspace, *EVERY)
    closed(workspace, few_answers(inside, cities))
    desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    desk.publish_index(LOCAL, workspace, "asked")
    mine, theirs = (room.report(who, workspace, "asked") for who in (LOCAL, PUBLIC))
    oulu = cities["Oulu"]
    inside_rows = mine.response(oulu)
    assert inside_rows.filter(code="hours_middle")["state"].item() == "few"
    assert inside_rows["value"].null_count() == inside_rows.height
    assert theirs.response(oulu).is_empty()
    assert set(theirs.response()["state"]) == {"shown"}
    (table,) = theirs.response_blocks(None)
    assert "silent" not in {column.key for column in table.columns}
    (alone,) = theirs.response_blocks(None, cities["Boulder"])
    (again,) = theirs.response_blocks(None)
    assert [column.key for column in again.columns] == ["unit", *(column.key for column in alone.columns)]
    for name in ("cells", "panel"):
        rows = theirs.stored.table(name).filter(pl.col("unit") == oulu)
        codes = set(rows["code"]) if name == "cells" else {c for c in rows.columns if rows[c].drop_nulls().len()}
        assert codes & {"in_cloud", "hours_middle"} == set()
    told = room.trace(PUBLIC, workspace, room.TraceRequest(framework="asked", unit=oulu))
    few = [row for row in told.rows if row.indicator in {"in_cloud", "hours_middle"}]
    assert [(row.raw, row.answered, row.asked, row.evidence) for row in few] == [(None,) * 4] * 2
    assert room.index(PUBLIC, workspace, room.One(framework="asked")).outdated is None
    assert room.framework(PUBLIC, workspace, room.One(framework="asked")).rounds is None
    boulder = room.trace(PUBLIC, workspace, room.TraceRequest(framework="asked", unit=cities["Boulder"]))
    cloud = next(row for row in boulder.rows if row.indicator == "in_cloud")
    assert (cloud.answered, cloud.asked, cloud.origin) == (15, 40, "survey")
    assert cloud.standard_error == pytest.approx(100 * math.sqrt((1 - 15 / 40) * (10 / 15) * (5 / 15) / 14))
    assert "15/40" in str(cloud.evidence)


def test_reasons_are_those_of_now_everywhere(workspace):
    """A draft changes no value, so the index is the same result; what is said of the missing indicator is not."""
    inside, _ = members(workspace)
    everyone = [one for each in inside.values() for one in each]
    asked_later = asks("later", "mean", "次", "visits")
    kept_framework(workspace, *EVERY, asked_later)
    closed(workspace, spread(inside))
    first = desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    desk.publish_index(LOCAL, workspace, "asked")
    visits = ({"code": "visits", "zh": "次", "en": "Visits", "type": "number", "unit": "次"},)
    opened(workspace, everyone, questions=visits, title="走访")
    second = desk.run_index(LOCAL, workspace, desk.IndexChoice("asked"))
    assert second.id == first.id
    assert reasons_of(workspace, first) is not None
    for who in (LOCAL, PUBLIC):
        words = "The round “Round 走访 2023” is not closed yet"
        shown = room.report(who, workspace, "asked")
        row = next(one for one in shown.coverage_table().rows if one[0] == "later")
        assert any(words in getattr(cell, "en", "") for cell in row)
        coverage = room.index(who, workspace, room.One(framework="asked")).coverage
        assert words in next(one for one in coverage if one.code == "later").why.en
        coverage = room.framework(who, workspace, room.One(framework="asked")).coverage
        assert words in next(one for one in coverage if one.code == "later").why.en
        assert words in str(annual_report(workspace, who))
        assert words in str(shown.document(full=True))


# Frameworks and questionnaires


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"question": "hours"}, "aggregate"),
        ({"aggregate": "mean"}, "question"),
        ({"question": "hours", "aggregate": "mean", "origin": "table"}, "origin"),
        ({"question": "hours", "aggregate": "share"}, "option"),
        ({"question": "hours", "aggregate": "mean", "option": "yes"}, "option"),
        ({"question": "hours", "aggregate": "weighted_mean"}, "weigh_by"),
        ({"question": "hours", "aggregate": "mean", "weigh_by": "employees"}, "weigh_by"),
        ({"question": "hours", "aggregate": "weighted_mean", "weigh_by": "hours"}, "weigh_by"),
        ({"question": "cloud", "aggregate": "share", "option": "yes", "unit": "家"}, "unit"),
        ({"question": "hours", "aggregate": "mean", "denominator": "firms"}, "denominator"),
    ],
)
def test_what_cannot_be_asked_so_is_named(fields, field):
    one = {"code": "x", "unit": "%", "origin": "survey"} | fields
    (problem,) = check_framework(framework(one)).problems
    assert problem.code == "JQ-ASSESS-099"
    assert f"{field} of the indicator x" in problem.render("en")


@pytest.mark.parametrize(
    "fields", [{"least": 2}, {"least_rate": 1.5}, {"question": "Not A Code"}, {"aggregate": "mode"}, {"option": "Ja!"}]
)
def test_what_is_no_value_of_a_field_is_named(fields):
    one = asks("x", "share", "%", "cloud", option="yes") | fields
    (problem,) = check_framework(framework(one)).problems
    assert problem.code == "JQ-ASSESS-002"
    assert "indicator x" in problem.render("en")
    assert next(iter(fields)) in problem.render("en")


def test_a_framework_in_csv_says_how_it_is_asked():
    lines = [
        "kind,code,zh,en,version,parent,unit,origin,source,question,aggregate,option,weigh_by,least,least_rate",
        "framework,one,一,One,1,,,,,,,,,,",
        "dimension,top,总,Top,,,,,,,,,,,",
        "indicator,cloud,云,Cloud,,top,%,survey,asked,cloud,share,yes,,5,0.4",
    ]
    (one,) = check_framework("\n".join(lines), "one.csv").framework.indicators
    assert (one.aggregate, one.option, one.least, one.least_rate) == ("share", "yes", 5, 0.4)


def test_the_digest_of_a_framework_without_surveys_is_what_it_was():
    """What an indicator does not say of surveys, or in English, does not rename what was computed with it."""
    plain = parse_framework(framework({"code": "x", "unit": "%"}))
    told = plain.model_dump(mode="json")
    for one in told["indicators"]:
        for name in ("question", "aggregate", "option", "weigh_by", "least", "least_rate"):
            assert one.pop(name) is None
        assert (one.pop("unit_en"), one.pop("source_en")) == ("", "")
    assert plain.digest == hashlib.sha256(canonical_json(told)).hexdigest()
    assert plain.digest != parse_framework(framework(asks("x", "mean", "%"))).digest


def test_every_survey_indicator_that_is_shipped_is_asked_by_the_shipped_questionnaire():
    ready = {one.code: one for one in templates()["cluster-questionnaire"].question}
    for told in shipped():
        wanted = [one for one in told.indicators if one.origin == "survey"]
        assert [one.code for one in wanted] == [one.code for one in declared(told)]
        for one in wanted:
            question = ready[one.question]
            if one.aggregate == "share":
                assert one.option in {option.value for option in question.options}
            else:
                assert conversion(question, one.unit, per_firm=True) is not None, one.code
            if one.weigh_by:
                assert ready[one.weigh_by].type == "integer"


def test_a_questionnaire_of_ones_own_framework_is_made_of_its_indicators():
    told = parse_framework(framework(*EVERY, asks("joined", "share", "share", option="joined")))
    made = {one.code: one for one in questionnaire(told)}
    assert (made["spending"].type, made["spending"].unit) == ("money", "万元")
    assert [option.value for option in made["joined"].options] == ["joined", "no", "dont_know"]
    assert made["employees"].prefill == "employees"
    for one in declared(told):
        if one.aggregate != "share":
            assert conversion(made[one.question], one.unit, per_firm=one.aggregate != "sum") is not None, one.code
    with pytest.raises(UsageError) as error:
        questionnaire(parse_framework(framework({"code": "x", "unit": "%"})))
    assert error.value.code == "JQ-ASSESS-102"


def test_from_a_shipped_framework_to_an_index(workspace):
    """Its questionnaire to all members, answers, the lock: every indicator that it asks for is used."""
    inside, _ = members(workspace)
    told = framework_of("nqpf")
    asked = questionnaire(told)
    rng = random.Random(1)
    answers = {}
    for key, each in inside.items():
        level = rng.random()
        for one in each:
            kept = {}
            for question in asked:
                if question.type == "choice":
                    kept[question.code] = "yes" if rng.random() < level else "no"
                elif question.type == "integer":
                    kept[question.code] = rng.randint(20, 90)
                elif question.type != "text":
                    kept[question.code] = level * rng.random() * (1 if question.type == "share" else 50)
            answers[one] = kept
        assert key
    closed(workspace, answers, questions=[one.model_dump() for one in asked])
    found = panel(workspace, told)
    assert {one.code for one in declared(told)} <= set(found.rated.codes)
    stored = desk.run_index(LOCAL, workspace, desk.IndexChoice("nqpf"))
    shown = room.report(LOCAL, workspace, "nqpf")
    assert len(shown.found.units) == 4
    assert stored.values["rated"] >= 5


def test_a_field_of_a_round_is_called_as_a_column_of_the_roster(workspace):
    """Questions called state, region or organisation do not get in the way."""
    inside, _ = members(workspace)
    everyone = [one for each in inside.values() for one in each]
    names = ("state", "region", "organisation", "kept", "unit", "w")
    questions = [{"code": name, "zh": name, "en": name, "type": "number", "unit": "次"} for name in names]
    told = parse_framework(framework(*(asks(f"i_{name}", "mean", "次", name) for name in names)))
    closed(workspace, {one: {name: float(k) for k, name in enumerate(names)} for one in everyone}, questions=questions)
    values = held(gather(workspace, told))
    assert {code: value for (_, code), value in values.items()} == {
        f"i_{name}": float(k) for k, name in enumerate(names)
    }


def test_options_beside_yes_count(workspace):
    inside, cities = members(workspace)
    some = sorted(inside[cities["Boulder"]])[:8]
    closed(workspace, {one: {"cloud": "no" if k < 5 else "dont_know"} for k, one in enumerate(some)}, some)
    told = parse_framework(framework(asks("cloud", "share", "share", option="no")))
    row = gather(workspace, told).survey.response.filter(unit=cities["Boulder"]).row(0, named=True)
    assert (row["value"], row["answered"], row["dont_know"], row["se"]) == (1.0, 5, 3, 0.0)


def test_an_index_by_region_rests_on_the_register(workspace):
    """Firms that moved to another region since are counted there, and the index of before is told to be old."""
    who = workspace.scan("organisations").select("id").collect()["id"].sort().to_list()[:14]
    told = framework(asks("hours", "mean", "学时"))

    def load(day: str, north: list[str]) -> None:
        rows = workspace.scan("organisations").collect()
        rows = rows.with_columns(
            region=pl.when(pl.col("id").is_in(north)).then(pl.lit("North")).otherwise(pl.lit("South"))
        )
        with workspace.new_snapshot("organisations", as_of=day, source="made up for a test") as writer:
            writer.write(rows)

    load("2024-01-01", who[:7])
    closed(workspace, {one: {"hours": float(at)} for at, one in enumerate(who)}, who)
    before = gather(workspace, parse_framework(told), basis="table")
    load("2024-02-01", who[7:])
    after = gather(workspace, parse_framework(told), basis="table")
    north = [dict(one.cells.select("unit", "value").iter_rows())["North"] for one in (before, after)]
    assert north == [3.0, 10.0]
    (source,) = [one for one in after.sources(workspace) if one.name == "organisations"]
    assert source.as_of == "2024-02-01"


def test_an_older_round_leaves_newer_values_of_the_table(workspace):
    inside, cities = members(workspace)
    everyone = [one for each in inside.values() for one in each]
    closed(workspace, {one: {"hours": 3.0} for one in everyone}, year=2020)
    rows = pl.DataFrame(
        {"id": [f"i{k}" for k in range(4)], "unit": list(cities.values()), "indicator": "hours", "year": 2022, "value": 50.0,
         "measure": "学时"}
    )  # fmt: skip
    with workspace.new_snapshot("indicators", as_of="2023-12-31", source="made up for a test") as writer:
        writer.write(rows)
    told = parse_framework(framework(asks("hours", "mean", "学时")))
    cells = gather(workspace, told, year=2022).cells
    assert set(cells.filter(code="hours")["year"]) == {2022}


def test_outside_hidden_units_have_no_counts():
    told = pl.DataFrame(
        {
            "code": ["hours", "x"],
            "answered": [42, None],
            "asked": [60, None],
            "zh": ["藏", "缺"],
            "en": ["hidden", "missing"],
        }
    )
    shown = pl.DataFrame({"code": ["hours"], "unit": ["c0001"], "answered": [40], "asked": [44]})
    rows = open_coverage(told, shown, HOURS).select("answered", "asked", "en").rows()
    assert rows == [(40, 44, "question hours, mean"), (None, None, "missing")]
