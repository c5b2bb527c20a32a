"""What a form takes, and what it says to what it does not take."""

from datetime import date

import pytest

from jiqun.core.errors import InputError
from jiqun.survey import check_answers, read_questions
from jiqun.survey.answers import LONGEST, shown, typed, words
from jiqun.survey.questions import checked_questions, from_csv, templates, to_csv

TODAY = date(2025, 10, 1)
FIGURES = templates()["quarterly-figures"].question
TIES = templates()["roster-links"].question


def codes(checked):
    return {(one.question, one.code) for one in checked.findings}


def check(given, questions=FIGURES, **more):
    return check_answers(questions, given, today=TODAY, **more)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("350", 3_500_000.0),
        ("1.2亿", 120_000_000.0),
        ("3500000元", 3_500_000.0),
        ("３５０", 3_500_000.0),
        ("1,234.5", 12_345_000.0),
        ("350万元", 3_500_000.0),
        ("0", 0.0),
    ],
)
def test_money_is_in_the_unit_of_the_question_unless_it_says_another(text, value):
    assert check({"revenue": text}, complete=False).values == {"revenue": value}


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        ("revenue", "abc", "JQ-DATA-006"),
        ("revenue", "-1", "JQ-DATA-008"),
        ("revenue", "12 USD", "JQ-DATA-026"),
        ("employees", "1.5", "JQ-DATA-007"),
        ("capacity_use", "851", "JQ-DATA-009"),
        ("outlook", "perhaps", "JQ-DATA-013"),
        ("remark", "=1+1", "JQ-DATA-004"),
        ("remark", "x" * (LONGEST + 1), "JQ-SURVEY-021"),
    ],
)
def test_what_cannot_be_is_told_in_both_languages_without_file_and_row(code, text, message):
    checked = check({code: text}, complete=False)
    (finding,) = checked.errors
    assert (finding.question, finding.code) == (code, message)
    assert code not in checked.values
    for language in ("zh", "en"):
        said, _ = words(finding, language)
        assert said
        assert "row 1" not in said
        assert "第 1 行" not in said
        assert "答卷" not in said


def test_a_range_is_told_in_the_unit_of_the_question():
    (finding,) = check({"capacity_use": "851"}, complete=False).errors
    assert "0–150 %" in words(finding, "en")[0]


def test_required_answers_are_asked_for_only_when_the_form_is_handed_in():
    assert not check({}, complete=False).findings
    assert codes(check({})) == {("revenue", "JQ-SURVEY-020"), ("employees", "JQ-SURVEY-020")}


def test_what_is_wrong_is_not_also_missing():
    assert codes(check({"revenue": "abc", "employees": "1"})) == {("revenue", "JQ-DATA-006")}


GOOD = {"revenue": "350", "employees": "12"}


@pytest.mark.parametrize(
    ("parts", "adds_up"),
    [(("200", "150"), True), (("200", "151"), True), (("200", "152"), False), (("200", ""), True), (("0", "0"), False)],
)
def test_totals_must_add_up_to_the_rounding_of_their_unit(parts, adds_up):
    given = GOOD | dict(zip(("revenue_digital", "revenue_other"), parts, strict=True))
    assert codes(check(given)) == (set() if adds_up else {("revenue", "JQ-SURVEY-024")})


def test_a_part_is_no_more_than_its_whole():
    found = check(GOOD | {"exports": "352"})
    assert codes(found) == {("exports", "JQ-SURVEY-025")}
    (finding,) = found.findings
    assert "Revenue" in finding.error.render("en")
    assert "营业收入" not in finding.error.render("en")
    assert "营业收入" in finding.error.render("zh")
    assert not check(GOOD | {"exports": "350"}).findings


@pytest.mark.parametrize(
    ("before", "warned"),
    [(3_500_000.0, False), (1_700_000.0, True), (7_000_001.0, True), (6_900_000.0, False), (0.0, True), (None, False)],
)
def test_a_jump_against_a_year_before_is_a_warning_not_an_error(before, warned):
    checked = check(GOOD, before={} if before is None else {"revenue": before})
    assert not checked.errors
    assert bool(checked.warnings) == warned


def test_a_tie_is_kept_once_and_names_the_roster_or_is_text():
    given = {
        "suppliers": [
            {"id": "o2", "name": "二号", "strength": 3},
            {"id": "o2", "name": "二号", "strength": 1},
            {"name": " 外部  公司 "},
            {"name": "外部 公司"},
            {"name": ""},
            {"id": "o9", "name": "不在名单"},
            {"id": "o1", "name": "我们自己"},
        ]
    }
    checked = check(given, TIES, known={"o1", "o2"}, self_id="o1")
    assert checked.values["suppliers"] == [
        {"name": "二号", "id": "o2", "strength": 3},
        {"name": "外部 公司"},
    ]
    assert codes(checked) == {("suppliers", "JQ-SURVEY-023")}


@pytest.mark.parametrize("strength", [0, 4, "3", None, True])
def test_a_strength_outside_of_the_scale_is_left_out(strength):
    checked = check({"suppliers": [{"name": "a", "strength": strength}]}, TIES)
    assert checked.values["suppliers"] == [{"name": "a"}]


@pytest.mark.parametrize("name", [name for name, one in templates().items() if one.kind != "import"])
def test_questions_survive_the_editor(name):
    template = templates()[name]
    assert from_csv(to_csv(template.question), template.kind) == template.question


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code": "Revenue"}, "JQ-SURVEY-003"),
        ({"zh": ""}, "JQ-SURVEY-003"),
        ({"type": "date"}, "JQ-SURVEY-003"),
        ({"nonsense": 1}, "JQ-SURVEY-003"),
        ({"unit": ""}, "JQ-SURVEY-004"),
        ({"unit": "人"}, "JQ-SURVEY-004"),
        ({"check": "total:nobody"}, "JQ-SURVEY-004"),
        ({"check": "total:revenue"}, "JQ-SURVEY-004"),
        ({"check": "within:people"}, "JQ-SURVEY-004"),
        ({"check": "import os"}, "JQ-SURVEY-004"),
        ({"prefill": "password"}, "JQ-SURVEY-004"),
        ({"type": "ties", "link": "supply", "unit": ""}, "JQ-SURVEY-004"),
    ],
)
def test_questions_that_cannot_be_are_refused(changes, code):
    good = {"code": "revenue", "zh": "收入", "en": "Revenue", "type": "money", "unit": "万元"}
    people = {"code": "people", "zh": "人数", "en": "People", "type": "integer", "unit": "人"}
    assert len(checked_questions([good, people], "indicators")) == 2
    with pytest.raises(InputError) as refused:
        checked_questions([good | changes, people], "indicators")
    assert refused.value.code == code


def test_two_questions_of_one_code_and_a_form_that_asks_nothing_are_refused():
    one = {"code": "a", "zh": "甲", "en": "A", "type": "number"}
    for questions in ([one, one], [], [one | {"type": "text"}]):
        with pytest.raises(InputError, match="JQ-SURVEY-004"):
            checked_questions(questions, "indicators")


@pytest.mark.parametrize(
    ("name", "content"),
    [("q.toml", b"\xff\xfe"), ("q.toml", b"[[question"), ("q.csv", b"\xff\xfe"), ("q.toml", b"a" * 300_000)],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"JQ-SURVEY-00[234]"):
        read_questions(path, "indicators")
    with pytest.raises(InputError, match="JQ-SURVEY-002"):
        read_questions(tmp_path / "absent.toml", "indicators")


def test_a_kept_value_is_typed_as_it_would_be():
    money = next(question for question in FIGURES if question.code == "revenue")
    share = next(question for question in FIGURES if question.code == "capacity_use")
    assert (typed(money, 3_500_000.0), shown(share, 0.851)) == ("350", "85.1 %")
    assert check({"revenue": typed(money, 1234.0)}, complete=False).values == {"revenue": 1234.0}
