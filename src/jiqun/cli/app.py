"""Puts the rooms' commands together and turns errors into exit statuses: 0 done, 1 refused input, 2 wrong use."""

from __future__ import annotations

import os
import sys

import typer

from jiqun.cli import atlas, demo, intake, store, taxonomy
from jiqun.core.errors import JiqunError

app = typer.Typer(
    name="jiqun",
    help="集群 jiqun: see digital industry clusters and know how sure that is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (store, intake, taxonomy, atlas, demo):
    room.register(app)


def main() -> None:
    """Entry point of the `jiqun` command."""
    try:
        app()
    except JiqunError as error:
        sys.stderr.write(f"{error.render()}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
