"""Every word of the pages is there in both languages, and none is left over."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import jiqun.web
from jiqun.cli.work import HANDLERS
from jiqun.web.rooms import ROOMS
from jiqun.web.words import ENTRIES, JOBS, STEPS

ROOT = Path(jiqun.web.__file__).parent
PLACE = re.compile(r"%\(\w+\)[sd]")
METHODS = [("**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "say": None}


@pytest.fixture(scope="module")
def said():
    """What templates and code say in English: text (or singular) → where."""
    found = {}
    options = {"**.html": {"encoding": "utf-8", "trimmed": "false"}}
    for name, line, message, _, _ in extract_from_dir(ROOT, METHODS, options, KEYWORDS):
        if message:
            found.setdefault(message if isinstance(message, str) else message[0], (message, f"{name}:{line}"))
    return found


@pytest.fixture(scope="module")
def written():
    """The Chinese catalogue: text → its entries, one for each file that has it."""
    found = {}
    for path in sorted((ROOT / "locale" / "zh").glob("*.po")):
        with path.open("rb") as lines:
            for entry in read_po(lines, locale="zh"):
                if entry.id:
                    found.setdefault(entry.id if isinstance(entry.id, str) else entry.id[0], []).append(
                        (path.name, entry)
                    )
    return found


def test_every_text_is_translated(said, written):
    missing = {text: where for text, (_, where) in said.items() if text not in written}
    assert not missing


def test_no_translation_is_stale_and_one_given_twice_is_the_same(said, written):
    assert not set(written) - set(said)
    for text, entries in written.items():
        assert len({str(entry.string) for _, entry in entries}) == 1, (text, [name for name, _ in entries])


def test_placeholders_agree_and_nothing_is_fuzzy_or_empty(written):
    for text, entries in written.items():
        for name, entry in entries:
            forms = [entry.string] if isinstance(entry.string, str) else list(entry.string)
            assert not entry.fuzzy, (name, text)
            for form in forms:
                assert form, (name, text)
                many = text if isinstance(entry.id, str) else entry.id[1]
                assert sorted(PLACE.findall(form)) == sorted(PLACE.findall(many)), (name, text)


def test_singular_and_plural_are_said_alike_everywhere(said, written):
    for text, (message, where) in said.items():
        plural = isinstance(message, tuple | list)
        assert all(isinstance(entry.id, str) != plural for _, entry in written.get(text, [])), (text, where)


def test_every_kind_of_job_has_a_name():
    assert set(HANDLERS) <= set(JOBS)


def test_every_entry_of_the_journal_has_a_name():
    declared = {operation.name for room in ROOMS for operation in room.operations.values()}
    calls = [
        node
        for file in ROOT.parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "command"
    ]
    said = {each.value for call in calls for each in call.args if isinstance(each, ast.Constant)}
    rooms = "|".join(["jobs", *{name.split(".")[0] for name in declared}])
    made = {name for name in said if isinstance(name, str) and re.fullmatch(rf"({rooms})\.[a-z_]+", name)}
    assert len(made) > len(ENTRIES)
    assert made - declared - set(ENTRIES) == set()


def test_every_step_that_a_job_tells_has_words():
    """What rooms hand to their progress, or on to what does; that of backups and checks shows in a terminal only."""
    direct, handed = (
        r'\b(?:progress|report)\("([\w ]+)"',
        r'"([\w ]+)"(?=(?: if \w+ else "[\w ]+")?, (?:progress|report)\b(?!=))',
    )
    told = {
        step
        for room in ("accounts", "assess", "atlas", "intake", "store", "survey", "classify", "roster")
        for path in (ROOT.parent / room).rglob("*.py")
        for step in (found for how in (direct, handed) for found in re.findall(how, path.read_text(encoding="utf-8")))
    }
    assert told - {"audit", "backup", "restore", "verify"} == set(STEPS)
