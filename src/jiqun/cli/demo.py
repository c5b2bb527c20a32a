"""`jiqun demo`: the real registry that a package ships, from file to atlas, and a look at it in the browser."""

from __future__ import annotations

import os
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer

from jiqun.cli.atlas import tell, write_clusters
from jiqun.cli.output import Format, note, progress, say
from jiqun.core.errors import current_language
from jiqun.demo import scenario

SHOWN = 20
PORTS = range(8000, 8100)


def register(app: typer.Typer) -> None:
    """Add the demo."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder of the demo workspace.")] = Path("demo-workspace"),
    serve: Annotated[
        bool | None,
        typer.Option(help="Serve the report on this machine; default: on a terminal, or as JIQUN_DEMO_SERVE says."),
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
        _serve(made.report)


def _serves(asked: bool | None) -> bool:
    if asked is not None:
        return asked
    setting = os.environ.get("JIQUN_DEMO_SERVE", "")
    return setting not in {"0", "no", "false"} if setting else sys.stdin.isatty()


class _Report(BaseHTTPRequestHandler):
    """Hands out the report and nothing else."""

    def __init__(self, *request: object, report: Path) -> None:
        self.report = report
        super().__init__(*request)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/":
            self.send_error(404)
            return
        body = self.report.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the terminal quiet."""


def _serve(report: Path) -> None:
    for port in PORTS:
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Report, report=report))
        except OSError:
            continue
        with server:
            address = f"http://127.0.0.1:{port}/"
            say(f"请用浏览器打开 {address} ，按 Ctrl-C 停止。", f"Open {address} in a browser. Ctrl-C stops.")
            server.serve_forever()
        return
    say("8000 至 8099 端口均被占用，请直接打开文件。", "No port from 8000 to 8099 is free; open the file instead.")
