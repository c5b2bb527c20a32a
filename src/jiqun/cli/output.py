"""Data goes to stdout in the format asked for; progress goes to stderr."""

from __future__ import annotations

import json
import re
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

from jiqun.core.errors import current_language
from jiqun.core.progress import Progress
from jiqun.core.sheets import neutralise
from jiqun.core.text import visible

WIDE = 160
"""Width of tables where nobody says how wide the page is."""

_UNSEEN = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON need not escape and a terminal may obey."""


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"


def write(rows: pl.DataFrame, form: Format, *, title: str | None = None) -> None:
    """Write rows to stdout: a table for people, CSV for sheets (formulas neutralised), JSON for programs."""
    if form is Format.csv:
        text = neutralise(rows).write_csv()
        sys.stdout.write("\n".join(map(visible, text.split("\n"))) if sys.stdout.isatty() else text)
    elif form is Format.json:
        sys.stdout.write(as_json(rows.to_dicts(), indent=1) + "\n")
    else:
        table = Table(title=Text(visible(title)) if title else None, title_justify="left")
        for name, dtype in rows.schema.items():
            numeric = dtype.is_numeric()
            table.add_column(
                Text(visible(name)), justify="right" if numeric else "left", overflow="fold", no_wrap=numeric
            )
        for row in rows.iter_rows():
            table.add_row(*(Text(_cell(value)) for value in row))
        terminal = Console()
        (terminal if terminal.is_terminal else Console(width=WIDE)).print(table)


def as_json(value: object, indent: int | None = None) -> str:
    """A value as JSON that a terminal shows as it is."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _cell(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:,.4g}" if isinstance(value, float) else visible(str(value))


def note(text: str) -> None:
    """Say something to the person, on stderr, where it does not mix with data."""
    Console(stderr=True, soft_wrap=True).print(Text("\n".join(map(visible, text.split("\n")))))


def say(zh: str, en: str) -> None:
    """`note`, in the language that messages are in."""
    note(zh if current_language() == "zh" else en)


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
