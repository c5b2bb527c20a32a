"""`jiqun serve`: the console on this machine, and beside it the worker that does its jobs."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Annotated, Any

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from jiqun.accounts import desk as accounts
from jiqun.cli.output import say
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.errors import InputError, UsageError
from jiqun.store import Workspace

_LOG = logging.getLogger("jiqun.serve")
PORT = 8000
NEXT_PORTS = range(PORT, PORT + 100)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LIVED = 60.0
"""Seconds after which a worker that ends counts as one that had worked."""
_STOP_SECONDS = 15.0
_SILENT_SECONDS = 60
"""How long a web process may be silent before it is replaced: on a busy machine it takes a while to come up."""
CONSOLE = "jiqun.web.app:create_app"
"""By name: the command line and the pages do not import each other."""


def register(app: typer.Typer) -> None:
    """Add the console."""
    app.command("serve")(serve)


def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[
        str, typer.Option(help="Address 地址 to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port 端口 to listen on.", min=0, max=65535)] = PORT,
    work: Annotated[bool, typer.Option("--work/--no-work", help="Run a worker 作业进程 beside the console.")] = True,
    workers: Annotated[
        int, typer.Option(help="Web processes 网页进程; more than one takes PostgreSQL.", min=1, max=64)
    ] = 1,
) -> None:
    """The console 控制台 in the browser: pages, sign-in, API, and the worker for its jobs.

    Example: jiqun serve --port 8080
    """
    run(open_workspace(workspace), listen(host, port), work=work, workers=workers)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises
    ------
    InputError
        JQ-SERVE-001: it is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: without it asyncio sets no TCP_NODELAY, and each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise InputError("JQ-SERVE-001", host=host, port=port, reason=error.strerror or error) from None
    listener.set_inheritable(True)
    return listener


def next_free(host: str = "127.0.0.1") -> socket.socket:
    """A socket that listens on the first free port from 8000 on.

    Raises
    ------
    InputError
        JQ-SERVE-001: none of a hundred is free.
    """
    for port in NEXT_PORTS[:-1]:
        try:
            return listen(host, port)
        except InputError:
            continue
    return listen(host, NEXT_PORTS[-1])


def run(workspace: Workspace, listener: socket.socket, *, work: bool = True, workers: int = 1) -> None:
    """Serve the console until told to stop; the first time, make its operator.

    Raises
    ------
    UsageError
        JQ-SERVE-002: several web processes take PostgreSQL.
    """
    with listener:
        if workers > 1 and workspace.database.sqlite:
            raise UsageError("JQ-SERVE-002")
        _greet(workspace, listener)
        workspace.close()
        os.environ["JIQUN_WORKSPACE"] = str(workspace.path)
        config = uvicorn.Config(
            CONSOLE,
            factory=True,
            workers=workers,
            log_config=_logging(),
            access_log=False,
            server_header=False,
            forwarded_allow_ips=str(workspace.settings["proxies"].value),
            timeout_graceful_shutdown=10,
            timeout_worker_healthcheck=_SILENT_SECONDS,
            limit_concurrency=1000,
        )
        with _terminable(), _worker(workspace.path) if work else _nothing():
            if workers > 1:
                Multiprocess(config, sockets=[listener]).run()
            else:
                uvicorn.Server(config).run(sockets=[listener])


def _greet(workspace: Workspace, listener: socket.socket) -> None:
    first = accounts.first_operator(workspace, password=os.environ.pop("JIQUN_OPERATOR_PASSWORD", None))
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # all of them, this one among them
    shown = f"[{shown}]" if ":" in shown else shown
    address = f"http://{shown}:{port}/"
    if first is not None and first.password is not None:
        say(
            f"已建立运营方账户。登录名 {first.login}，口令 {first.password} (只显示这一次，登录后请修改)",
            f"An operator account was made. Name {first.login}, password {first.password} (shown only now; change it after signing in)",
        )
    say(f"请用浏览器打开 {address} ，按 Ctrl-C 停止。", f"Open {address} in a browser. Ctrl-C stops.")


def _logging() -> dict[str, Any]:
    """Requests are logged for a machine that reads them; a person at the terminal sees what goes wrong."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"jiqun": {"level": "WARNING" if sys.stderr.isatty() else "INFO"}},
    }


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that the worker is stopped as well."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _worker(path: Path) -> Iterator[None]:
    """`jiqun work` as a child, started again when it dies: after a second, then after twice as long each time."""
    stopping = threading.Event()
    starting = threading.Lock()
    children: list[subprocess.Popen[bytes]] = []
    jiqun = [sys.executable, "-c", "from jiqun.cli import main; main()"]
    command = [*jiqun, "work", "--workspace", str(path), "--beside", str(os.getpid())]

    def supervise() -> None:
        pause = _FIRST_PAUSE
        while True:
            with starting:
                if stopping.is_set():
                    return
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  # ours
                children[:] = [process]
            began = monotonic()
            status = process.wait()
            if stopping.is_set():
                return
            pause = _FIRST_PAUSE if monotonic() - began > _LIVED else min(2 * pause, _LONGEST_PAUSE)
            _LOG.warning("worker ended with status %s; it is started again in %g s", status, pause)
            stopping.wait(pause)

    thread = threading.Thread(target=supervise, name="jiqun-work", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with starting:
            stopping.set()
        for process in children:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        thread.join(_STOP_SECONDS)
