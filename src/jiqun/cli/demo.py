"""`jiqun demo`: the real registry that a package ships, from file to atlas, and the console in the browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from jiqun.cli import serve as console
from jiqun.cli.atlas import tell, write_clusters
from jiqun.cli.output import Format, note, progress, say
from jiqun.core.errors import current_language
from jiqun.demo import scenario

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the demo."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder of the demo workspace.")] = Path("demo-workspace"),
    serve: Annotated[
        bool | None,
        typer.Option(
            help="Serve the console 控制台 on this machine; default: on a terminal, or as JIQUN_DEMO_SERVE says."
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.table,
) -> None:
    """Clusters of the world's network-device makers 演示, from the IEEE registry: load, search, report.

    Example: jiqun demo --no-serve --format csv
    """
    with progress() as report:
        made = scenario.build(folder, progress=report)
    if made.load is not None:
        note(made.load.text(current_language()))
    tell(made.result)
    write_clusters(made.result.table("clusters").head(SHOWN), form)
    say(f"报告(中英文)：{made.report}", f"Report, both languages: {made.report}")
    if _serves(serve):
        console.run(made.workspace, console.next_free())


def _serves(asked: bool | None) -> bool:
    if asked is not None:
        return asked
    setting = os.environ.get("JIQUN_DEMO_SERVE", "")
    return setting not in {"0", "no", "false"} if setting else sys.stdin.isatty()
