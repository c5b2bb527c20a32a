import csv
import re
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest

import jiqun
from jiqun.core.errors import InputError, JiqunError, UsageError, catalogue, current_language

SOURCE = Path(jiqun.__file__).parent
CODE = re.compile(r"JQ-[A-Z]+-\d{3}")


MESSAGES = sorted(SOURCE.joinpath("core", "messages").glob("*.csv"))


def raw_codes() -> list[str]:
    """Codes as the files have them, so that a broken row fails its own test and not the collection of all."""
    rows = (row for path in MESSAGES for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    return sorted({row["code"] for row in rows})


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_row_has_the_five_cells_of_the_header_and_a_code_of_its_file(path):
    header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert header == ["code", "zh", "en", "hint_zh", "hint_en"]
    for row in rows:
        assert len(row) == len(header), row
        assert row[0].startswith(f"JQ-{path.stem.upper()}-"), row[0]


def placeholders(*templates: str) -> set[str]:
    return {name for template in templates for _, name, _, _ in Formatter().parse(template) if name is not None}


def codes_in_source() -> Counter[str]:
    """Codes as string literals in code; in docstrings they stand without quotes."""
    quoted = re.compile(rf'"({CODE.pattern})"')
    return Counter(code for path in SOURCE.rglob("*.py") for code in quoted.findall(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("code", raw_codes())
def test_every_message_is_said_in_both_languages_about_the_same_things(code):
    message = catalogue()[code]
    assert CODE.fullmatch(code)
    assert message.zh
    assert message.en
    assert bool(message.hint_zh) == bool(message.hint_en)
    assert placeholders(message.zh) == placeholders(message.en)
    assert placeholders(message.hint_zh) == placeholders(message.hint_en)
    assert re.search(r"[\u4e00-\u9fff]", message.zh)
    fields = dict.fromkeys(placeholders(message.zh, message.hint_zh), 0)
    for language in ("zh", "en"):
        text = message.render(language, **fields)
        assert text.startswith(f"{code} ")
        assert "{" not in text


def test_every_code_raised_is_in_the_catalogue_and_every_code_in_the_catalogue_is_raised():
    assert set(codes_in_source()) == set(catalogue())


def test_codes_named_in_docstrings_exist():
    named = {code for path in SOURCE.rglob("*.py") for code in CODE.findall(path.read_text(encoding="utf-8"))}
    assert named <= set(catalogue())


def test_an_error_speaks_the_language_asked_for(monkeypatch):
    error = UsageError("JQ-USE-001", what="table", value="x", known="a, b")
    assert error.render("en") == "JQ-USE-001 table: 'x' is not known.\n  Use one of: a, b."
    assert "不认识" in error.render("zh")
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("JIQUN_LANG", "zh")
    assert str(error) == error.render("zh")
    monkeypatch.setenv("JIQUN_LANG", "")
    assert current_language() == "en"
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert current_language() == "zh"
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert current_language() == "en"


def test_exit_statuses():
    assert (InputError.exit_code, UsageError.exit_code) == (1, 2)
    assert issubclass(UsageError, JiqunError)


def test_a_code_without_a_message_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        JiqunError("JQ-NONE-999")
