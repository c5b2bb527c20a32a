"""`jiqun work`: does the jobs that pages and the API leave, numbers the journal."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Annotated

import typer

from jiqun.accounts import delivery
from jiqun.assess import declared as assess
from jiqun.atlas import declared as atlas
from jiqun.atlas.entries import ENTRIES
from jiqun.classify import room as classify
from jiqun.cli.output import say
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.intake import place_room as place
from jiqun.intake import room as intake
from jiqun.roster import room as roster
from jiqun.store.jobs import Handler
from jiqun.store.journal import Journal
from jiqun.store.search import keep_fresh
from jiqun.store.worker import tidy
from jiqun.store.worker import work as do_work
from jiqun.survey import room as survey

HANDLERS: Mapping[str, Handler] = {
    **intake.HANDLERS,
    **place.HANDLERS,
    **atlas.HANDLERS,
    **assess.HANDLERS,
    **delivery.HANDLERS,
    **survey.HANDLERS,
    **roster.HANDLERS,
    **classify.HANDLERS,
}
"""What each room's workers do, by the kind of job."""
_LOOK_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add the worker."""
    app.command("work")(work)


def work(
    workspace: WorkspaceOption = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is due.")] = False,
    threads: Annotated[int, typer.Option(help="How many jobs 作业 at once.", min=1, max=64)] = 2,
    beside_: Annotated[int | None, typer.Option("--beside", metavar="PID", hidden=True)] = None,
) -> None:
    """Do jobs 处理作业: imports, searches, mail; number the journal. Several may run beside each other.

    Example: jiqun work --workspace my-region
    """
    opened = open_workspace(workspace)
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING
    )
    logging.getLogger("jiqun").setLevel(logging.INFO)
    journal = Journal(opened)
    beside = [journal.follow, keep_fresh(opened, ENTRIES), tidy(opened)]
    if beside_ is not None:
        beside.append(_with(beside_))
    with _until_told() as stop:
        done = do_work(opened, HANDLERS, once=once, stop=stop, threads=threads, beside=() if once else beside)
    journal.tick()
    opened.close()
    say(f"已处理 {done} 个作业。", f"{done} jobs done.")


def _with(parent: int) -> Callable[[Event], None]:
    """End with the console that started this worker, also where it was killed or its terminal closed."""

    def follow(stop: Event) -> None:
        while not stop.wait(_LOOK_SECONDS):
            if os.getppid() != parent:
                stop.set()

    return follow


@contextmanager
def _until_told() -> Iterator[Event]:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends at once."""
    stop = Event()

    def tell(_: int, __: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
