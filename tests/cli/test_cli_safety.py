"""Whatever goes wrong is one coded line, and nothing that data hold acts on the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import polars as pl
import pytest

from jiqun import __version__, taxonomy
from jiqun.cli import main
from jiqun.cli.output import Format, note, write
from jiqun.core.errors import InputError
from jiqun.core.sheets import FORMULA_START
from jiqun.core.text import visible

ACTS = "\x1b]0;gone\x07\x9b31m\u202egpj\r\x08"
COMMAND = [sys.executable, "-c", "from jiqun.cli import main; main()"]


def acting(text: str) -> set[str]:
    return {character for character in text if visible(character) not in (character, " ")}


def test_version(run):
    assert run("--version") == (0, f"jiqun {__version__}\n", "")


@pytest.fixture
def broken(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the first line\nthe second")

    monkeypatch.setattr(taxonomy, "digital_class", fail)


def test_a_fault_of_our_own_is_a_coded_line(run, broken):
    code, out, err = run("classify", "6513")
    assert (code, out) == (1, "")
    assert err.startswith("JQ-USE-006 Internal error: RuntimeError: the first line\n")
    assert "JIQUN_DEBUG=1" in err
    assert "second" not in err


def test_debugging_shows_the_fault_itself(broken, monkeypatch):
    monkeypatch.setenv("JIQUN_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["jiqun", "classify", "6513"])
    with pytest.raises(RuntimeError, match="the second"):
        main()


@pytest.mark.parametrize("arguments", [["classify", "6513"], ["classify", "软件"], ["--help"]])
def test_a_terminal_without_chinese_gets_codes_instead(arguments):
    quiet = os.environ | {"PYTHONIOENCODING": "ascii", "JIQUN_LANG": "zh"}
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, env=quiet, check=False)
    assert ended.returncode == (1 if "软件" in arguments else 0)
    said = (ended.stdout + ended.stderr).decode("ascii")
    assert "\\u" in said
    assert "Traceback" not in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = subprocess.run([*COMMAND, "classify", "6513"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"JQ-USE-005 stdout")
    assert b"Exception ignored" not in ended.stderr


@pytest.mark.parametrize("form", ["table", "json"])
def test_nothing_acts_on_the_terminal(run, capsys, form):
    _, out, err = run("classify", f"65{ACTS}", "--format", form)
    assert "JQ-TAXONOMY" in err
    assert not acting(out + err)
    write(pl.DataFrame({f"name{ACTS}": [ACTS]}), Format(form), title=ACTS)
    note(f"one{ACTS}\ntwo")
    out, err = capsys.readouterr()
    assert not acting(out.replace("\n", "") + err.replace("\n", ""))
    assert len(err.splitlines()) == 2
    if form == "json":
        assert json.loads(out) == [{f"name{ACTS}": ACTS}]


@pytest.mark.parametrize("terminal", [True, False])
def test_csv_is_made_visible_for_terminals_only(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    write(pl.DataFrame({"name": ["a\x1b[31m", "b"]}), Format.csv)
    assert capsys.readouterr().out.splitlines() == ["name", "a\ufffd[31m" if terminal else "a\x1b[31m", "b"]


def test_messages_keep_their_fields_on_one_visible_line():
    error = InputError("JQ-FILE-001", file="a\nJQ-FILE-999 forged\x1b[2J", reason=ValueError("x\x9b"))
    for language in ("zh", "en"):
        assert len(error.render(language).splitlines()) == 2
        assert not acting(error.render(language).replace("\n", ""))


def test_sheets_are_guarded_against_full_width_formulas_too(run, tmp_path, capsys):
    assert {*"=+-@＝＋－＠\t\r\n"} == set(FORMULA_START)
    write(pl.DataFrame({"name": ["＝1+1", "＠SUM", "－1", "＋1", "\n=1"]}), Format.csv)
    assert capsys.readouterr().out == "name\n'＝1+1\n'＠SUM\n'－1\n'＋1\n\"'\n=1\"\n"


def test_a_pipe_is_refused_and_not_waited_for(run, tmp_path):
    run("init", tmp_path / "ws")
    os.mkfifo(tmp_path / "firms.csv")
    code, _, err = run("load", tmp_path / "firms.csv", "--as", "links", "--workspace", tmp_path / "ws")
    assert code == 1
    assert err.startswith("JQ-FILE-023")


@pytest.mark.parametrize("name", ["hex", "base64", "rot13", "zlib", "undefined", "unicode_escape", "no\u00e9", ""])
def test_an_encoding_that_is_none_is_wrong_use(run, tmp_path, name):
    run("init", tmp_path / "ws")
    (tmp_path / "links.csv").write_bytes(b"source,target,kind\nA,B,supply\n")
    given = ["--encoding", name or "a\0b", "--workspace", tmp_path / "ws"]
    code, _, err = run("load", tmp_path / "links.csv", "--as", "links", *given)
    assert code == 2
    assert err.startswith("JQ-USE-001")
