"""Writes docs/cli.md from the commands themselves: the words of `--help`, one section per command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from jiqun.cli.app import assembled

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """\
# Command line 命令行

Data goes to standard output (`--format table|csv|json`), progress and messages to standard error.
Exit status: 0 done, 1 the input was refused, 2 wrong use. Messages are in the language of `JIQUN_LANG` (`zh`, `en`)
or of the system; [every message](messages.md) has a stable code.
"""


def render() -> str:
    """The page as it should be now."""
    return "\n".join([HEAD, *_command(get_command(assembled()), "jiqun", None)]).rstrip() + "\n"


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name, parent=parent)
    subcommands = {key: sub for key, sub in getattr(command, "commands", {}).items() if not sub.hidden}
    yield f"{'##' if parent is None or parent.parent is None else '###'} {context.command_path}\n"
    yield f"{_text(command.help or '')}\n"
    if not subcommands:
        yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```\n"
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    rows = [f"| `{_cell(what)}` | {_cell(meaning)} |" for what, meaning in records if what != "--help"]
    if rows:
        yield "\n".join(["| argument or option | meaning |", "|---|---|", *rows]) + "\n"
    for key, subcommand in subcommands.items():
        yield from _command(subcommand, key, context)


def _text(help_text: str) -> str:
    lines = (line.strip().removeprefix("\b") for line in help_text.splitlines())
    return "\n".join(
        f"{line[:8]} `{line[8:].strip()}`" if line.startswith("Example:") else line for line in lines
    ).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
