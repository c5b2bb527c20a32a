import csv
from datetime import date
from importlib.resources import files
from typing import get_args

import pytest

from jiqun.core.errors import UsageError
from jiqun.core.schema import Home, Type, schema, schemas

FOLDER = files("jiqun.core").joinpath("schema")
BOTH = {**schemas(), **schemas("operational"), **schemas("given")}
TABLES = sorted(BOTH)


def test_every_file_is_a_listed_table():
    names = {path.name.removesuffix(".csv") for path in FOLDER.iterdir() if path.name.endswith(".csv")}
    assert names == {*TABLES, "tables"}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_well_formed(table):
    found = BOTH[table]
    assert found.home in get_args(Home)
    assert found.title_zh
    assert found.title_en
    assert len(set(found.names)) == len(found.names)
    assert found.key
    assert set(found.key) <= set(found.names)
    assert {name for group in (*found.unique, *found.index) for name in group} <= set(found.names)
    assert any(attribute.required for attribute in found.attributes)
    for attribute in found.attributes:
        assert attribute.type in get_args(Type), attribute.name
        assert attribute.name.isidentifier()
        assert attribute.name == attribute.name.lower()
        assert attribute.description_zh, attribute.name
        assert attribute.description_en, attribute.name
        assert not (attribute.required and attribute.default), attribute.name
        assert not (attribute.type in {"string", "code", "date", "boolean"} and attribute.unit), attribute.name
        if attribute.check.startswith("ref:"):
            assert attribute.check.removeprefix("ref:") in schemas("operational")
        if found.home == "snapshot":
            assert attribute.type not in {"datetime", "json", "bytes"}, attribute.name
        if attribute.type == "money":
            assert (attribute.unit, attribute.name[-4:]) == ("CNY", "_cny")


@pytest.mark.parametrize("table", [*TABLES, "tables"])
def test_no_row_has_a_cell_too_many_or_too_few(table):
    rows = list(csv.reader(FOLDER.joinpath(f"{table}.csv").read_text(encoding="utf-8").splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert all(cell == cell.strip() for row in rows for cell in row)
    if table == "tables":
        assert {row[3] for row in rows[1:]} <= set(get_args(Home))
    else:
        assert {row[3] for row in rows[1:]} <= {"true", "false"}


@pytest.mark.parametrize("table", TABLES)
def test_a_header_means_one_attribute(table):
    """Compared as intake compares: without case, and with blanks and underscores alike."""
    meaning: dict[str, str] = {}
    for attribute in BOTH[table].attributes:
        for header in {attribute.name, *attribute.aliases}:
            key = header.casefold().replace("_", " ").strip()
            assert meaning.setdefault(key, attribute.name) == attribute.name, header


@pytest.mark.parametrize("table", TABLES)
def test_defaults_pass_their_own_checks(table):
    for attribute in BOTH[table].attributes:
        if not attribute.default:
            continue
        if attribute.check.startswith("enum:"):
            assert attribute.default in attribute.check.removeprefix("enum:").split("|")
        if attribute.type in {"integer", "number", "money"}:
            float(attribute.default)
        if attribute.type == "date":
            date.fromisoformat(attribute.default)


def test_an_unknown_table_names_the_known_ones():
    with pytest.raises(UsageError) as caught:
        schema("firms")
    assert caught.value.code == "JQ-USE-001"
    assert all(table in str(caught.value) for table in schemas())


def test_an_attribute_is_found_by_name():
    assert schema("organisations")["employees"].unit == "person"
