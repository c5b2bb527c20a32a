"""Data goes to stdout in the format asked for; progress goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from jiqun.core.progress import Progress
from jiqun.core.sheets import neutralise

WIDE = 160
"""Width of tables where nobody says how wide the page is."""


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"


def write(rows: pl.DataFrame, form: Format, *, title: str | None = None) -> None:
    """Write rows to stdout: a table for people, CSV for sheets (formulas neutralised), JSON for programs."""
    if form is Format.csv:
        sys.stdout.write(neutralise(rows).write_csv())
    elif form is Format.json:
        json.dump(rows.to_dicts(), sys.stdout, ensure_ascii=False, indent=1, default=str)
        sys.stdout.write("\n")
    else:
        table = Table(title=title, title_justify="left")
        for name, dtype in rows.schema.items():
            numeric = dtype.is_numeric()
            table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
        for row in rows.iter_rows():
            table.add_row(*(Text(_cell(value)) for value in row))
        terminal = Console()
        (terminal if terminal.is_terminal else Console(width=WIDE)).print(table)


def _cell(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def note(text: str) -> None:
    """Say something to the person, on stderr, where it does not mix with data."""
    Console(stderr=True, soft_wrap=True).print(Text(text))


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar per kind of work on stderr; silent where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks: dict[str, int] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield report
