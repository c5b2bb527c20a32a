"""Puts the rooms' commands together and turns errors into exit statuses: 0 done, 1 refused input, 2 wrong use."""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module
from typing import Annotated, NoReturn

import typer
from polars.exceptions import PanicException

from jiqun import __version__
from jiqun.core.errors import InputError, JiqunError

_LONGEST_REASON = 300
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)

COMMANDS = {
    "store": ("init", "tables", "history", "revert", "verify", "backup", "restore", "config"),
    "intake": ("load", "template"),
    "place": ("address", "geocode", "points"),
    "changes": ("changes",),
    "classify": ("classify",),
    "atlas": ("atlas",),
    "chain": ("chain",),
    "assess": ("assess",),
    "parks": ("parks",),
    "report": ("report",),
    "roster": ("roster",),
    "account": ("account",),
    "demo": ("demo",),
    "journal": ("journal",),
    "serve": ("serve",),
    "work": ("work",),
    "search": ("search",),
    "survey": ("survey",),
}
"""The commands of each room."""


def assembled(first: str | None = None) -> typer.Typer:
    """The whole command line; with `first`, only the room that has this command, since importing all takes seconds."""
    app = typer.Typer(
        name="jiqun",
        help="集群 jiqun: see digital industry clusters and know how sure that is.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    if first != "--version":
        for room in [room for room, names in COMMANDS.items() if first in names] or COMMANDS:
            import_module(f"jiqun.cli.{room}").register(app)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"jiqun {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version 版本 and stop.")
    ] = False,
) -> None:
    # the options of the program itself
    del version


def main() -> None:
    """Entry point of the `jiqun` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show Chinese shows its code
    try:
        try:
            assembled(next(iter(sys.argv[1:]), None))()
        finally:
            sys.stdout.flush()
    except JiqunError as error:
        _refuse(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _abandon_stdout()
        sys.exit(0)
    except (Exception, PanicException) as error:
        if os.environ.get("JIQUN_DEBUG"):
            raise
        if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
            _abandon_stdout()
            _refuse(InputError("JQ-USE-005", file="stdout", reason=error.strerror))
        reason = str(error).partition("\n")[0][:_LONGEST_REASON]
        _refuse(InputError("JQ-USE-006", type=type(error).__name__, reason=reason))


def _refuse(error: JiqunError) -> NoReturn:
    sys.stderr.write(f"{error.render()}\n")
    sys.exit(error.exit_code)


def _abandon_stdout() -> None:
    """What is still unwritten goes nowhere, or it would be tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
