"""The command line is put together from rooms, of which only the one that is asked for is imported."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import typer
from typer.main import get_command

from jiqun import cli
from jiqun.cli.app import COMMANDS, assembled


def names(app):
    return set(get_command(app).commands)


def test_each_room_has_the_commands_that_are_said_of_it():
    for room, commands in COMMANDS.items():
        app = typer.Typer()
        app.callback()(lambda: None)
        import_module(f"jiqun.cli.{room}").register(app)
        assert names(app) == set(commands), room
    assert names(assembled()) == {name for commands in COMMANDS.values() for name in commands}


def test_no_room_is_forgotten():
    assert cli.__file__
    texts = {path.stem: path.read_text(encoding="utf-8") for path in Path(cli.__file__).parent.glob("*.py")}
    assert {name for name, text in texts.items() if "\ndef register(app: typer.Typer)" in text} == COMMANDS.keys()


def test_a_command_imports_its_own_room_only():
    assert names(assembled("address")) == set(COMMANDS["place"])
    assert names(assembled("nonsense")) == names(assembled()) == names(assembled(None))
    code = (
        "import sys; sys.argv = ['jiqun', 'address', '--help']\ntry:\n    from jiqun.cli import main; main()\n"
        "finally:\n    print({'jiqun.cli.atlas', 'sklearn', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("set()")
