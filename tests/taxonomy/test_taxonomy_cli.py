"""`jiqun classify`: rows to stdout, unknown codes to stderr, exit status."""

import csv
import io
import json

import pytest
import typer
from typer.testing import CliRunner

from jiqun.cli import classify as room
from jiqun.core.errors import UsageError


@pytest.fixture
def classify(monkeypatch):
    monkeypatch.setenv("JIQUN_LANG", "en")
    app = typer.Typer()
    app.callback()(lambda: None)
    room.register(app)
    return lambda *words, stdin=None: CliRunner().invoke(app, ["classify", *words], input=stdin)


def test_json_is_a_list_of_rows(classify):
    done = classify("3912", "4910", "0111", "--format", "json")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert list(rows[0]) == [
        "input",
        "digital_code",
        "name_zh",
        "name_en",
        "core",
        "partial",
        "decided",
        "candidates",
        "evidence",
        "note",
    ]
    assert [row["core"] for row in rows] == [True, None, False]
    assert rows[0] | {"note": ""} == {
        "input": "3912",
        "digital_code": "010102",
        "name_zh": "计算机零部件制造",
        "name_en": "Computer parts and components manufacturing",
        "core": True,
        "partial": False,
        "decided": True,
        "candidates": ["010102"],
        "evidence": "derived",
        "note": "",
    }
    assert rows[1]["candidates"] == ["040501", "040502", "040503"]


def test_unknown_codes_lose_no_good_row(classify):
    done = classify("65O3", "6513", "99999", "3912", "--format", "json")
    assert done.exit_code == 1
    assert [row["input"] for row in json.loads(done.stdout)] == ["6513", "3912"]
    assert "JQ-TAXONOMY-003 '65O3'" in done.stderr
    assert "Did you mean 6513?" in done.stderr
    assert "JQ-TAXONOMY-001 '99999'" in done.stderr


def test_codes_from_stdin_one_per_line(classify):
    done = classify("-", "--definition", "broad", "--format", "csv", stdin="6513\r\n\n 0111 \n")
    assert done.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["input"], row["core"], row["decided"], row["candidates"]) for row in rows] == [
        ("6513", "true", "true", "030103"),
        ("0111", "false", "false", "050101"),
    ]


def test_schemes_and_language(classify, monkeypatch):
    monkeypatch.setenv("JIQUN_LANG", "zh")
    done = classify("62.01", "--scheme", "nace2", "--format", "json")
    (row,) = json.loads(done.stdout)
    assert (row["digital_code"], row["evidence"]) == ("0301", "own-mapping")
    assert "自拟对照" in row["note"]


def test_many_unknown_codes_are_told_in_short(classify):
    done = classify("-", "--format", "json", stdin="\n".join(f"x{i}" for i in range(1000)))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "980 more" in done.stderr
    assert done.stderr.count("JQ-TAXONOMY") == 21


def test_wrong_use(classify):
    assert isinstance(classify("-", stdin="\n").exception, UsageError)
    assert classify("6513", "--scheme", "sic").exit_code == 2
    assert classify().exit_code == 2


def test_a_table_for_people_is_short(classify, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    done = classify("6513", "39")
    assert done.exit_code == 0
    assert "Application software development" in done.stdout
    assert "010101 010102 010103 010104 … (" in done.stdout
