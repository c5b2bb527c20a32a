"""An import whose worker is killed at any moment ends as if it had not been: one snapshot, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from jiqun.core.actor import Actor
from jiqun.intake import import_records, imports, room
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.store.worker import work

LI = Actor("acc_li", frozenset({"analyst"}))
ROWS = 60_000

WORKER = """
import os, signal, sys
from pathlib import Path
from jiqun.intake import import_jobs, findings, desk, load, room
from jiqun.store import Workspace, worker

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

module, name, when = sys.argv[2:5]
if module:
    place = {"jobs": import_jobs, "findings": findings, "load": load, "worker": worker, "desk": desk}[module]
    *owners, last = name.split(".")
    for owner in owners:
        place = getattr(place, owner)
    original = getattr(place, last)
    def after(*arguments, **options):
        answer = original(*arguments, **options)
        die()
    setattr(place, last, after if when == "after" else die)
print("ready", flush=True)
worker.work(Workspace.open(Path(sys.argv[1])), room.HANDLERS, once=True, threads=1)
"""


@pytest.fixture
def workspace(tmp_path, places):
    opened = Workspace.init(tmp_path / "ws")
    (opened.path / "cache").symlink_to(places)
    yield opened
    opened.database.close()


def start(workspace, module="", name="", when=""):
    command = [sys.executable, "-c", WORKER, str(workspace.path), module, name, when]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed(workspace, module, name, when):
    worker = start(workspace, module, name, when)
    worker.communicate()
    assert worker.returncode == -signal.SIGKILL


def go_on(workspace, import_id):
    """Another worker, once the lease of the one that died is over."""
    later = Workspace.open(workspace.path, clock=lambda: datetime.now(UTC) + timedelta(minutes=10))
    work(later, room.HANDLERS, once=True, threads=1)
    later.database.close()
    return import_records.find(LI, workspace, import_id)


def upload(workspace, rows=300):
    text = "企业名称,行业代码,城市\n" + "".join(
        f"企业{i},{'65O3' if i % 9 == 0 else '6513'},深圳\n" for i in range(rows)
    )
    return imports.receive(
        LI, workspace, [text.encode()], filename="firms.csv", table_name="organisations", key=new_key()
    )


def test_reading_is_taken_up_again(workspace):
    found = upload(workspace)
    killed(workspace, "jobs", "look", "after")
    assert go_on(workspace, found.id).state == "read"


@pytest.mark.parametrize(
    ("module", "name", "when"),
    [
        ("findings", "Keeper.keep", "after"),
        ("jobs", "_finish", "after"),
    ],
)
def test_a_check_is_taken_up_again(workspace, module, name, when):
    found = go_on(workspace, upload(workspace).id)
    room.check(LI, workspace, room.One(id=found.id), key=new_key())
    killed(workspace, module, name, when)
    found = go_on(workspace, found.id)
    assert (found.state, found.report.emptied) == ("checked", 34)
    folder = import_records.check_folder(workspace, found.id)
    assert [path.name for path in folder.iterdir()] == [found.report.check]
    assert len(import_records.findings(workspace, found).rows(0, 50)) == 34


@pytest.mark.parametrize(
    ("module", "name", "when"),
    [
        ("load", "_identified", "after"),
        ("desk", "_report", "after"),
        ("jobs", "_load", "after"),
        ("jobs", "_finish", "after"),
    ],
)
def test_a_load_gives_exactly_one_snapshot(workspace, module, name, when):
    first = checked(workspace, upload(workspace, 20))
    room.load(LI, workspace, room.LoadRequest(id=first.id), key=new_key())
    go_on(workspace, first.id)
    found = checked(workspace, upload(workspace))
    room.load(LI, workspace, room.LoadRequest(id=found.id), key=new_key())
    killed(workspace, module, name, when)
    found = go_on(workspace, found.id)
    history = workspace.history("organisations")
    assert [load.summary["import"] for load in history] == [found.id, first.id]
    assert (found.state, found.snapshot, found.before) == ("loaded", history[0].id, history[1].id)
    assert (found.changes.new, found.changes.gone) == (280, 0)
    assert workspace.verify() == ()
    room.undo(LI, workspace, room.One(id=found.id), key=new_key())
    assert workspace.snapshot("organisations").id == history[1].id


def checked(workspace, found):
    go_on(workspace, found.id)
    room.check(LI, workspace, room.One(id=found.id), key=new_key())
    return go_on(workspace, found.id)


def test_an_undo_that_was_cut_off_is_finished(workspace):
    """The table is back but not yet recorded so: the same button finishes it."""
    for rows in (20, 30):
        found = checked(workspace, upload(workspace, rows))
        room.load(LI, workspace, room.LoadRequest(id=found.id), key=new_key())
        found = go_on(workspace, found.id)
    workspace.revert("organisations", to=found.before)
    assert import_records.find(LI, workspace, found.id).state == "loaded"
    room.undo(LI, workspace, room.One(id=found.id), key=new_key())
    assert workspace.snapshot("organisations").id == found.before


def test_a_worker_killed_at_any_time_loses_and_doubles_nothing(workspace):
    """From outside, wherever it happens to be; the same job is taken up until it is done."""
    found = upload(workspace, ROWS)
    for step in (None, room.check, room.load):
        if step is not None:
            request = room.LoadRequest(id=found.id) if step is room.load else room.One(id=found.id)
            step(LI, workspace, request, key=new_key())
        worker = start(workspace)
        worker.stdout.readline()
        time.sleep(0.15)
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
        found = go_on(workspace, found.id)
    assert found.state == "loaded"
    assert [load.rows for load in workspace.history("organisations")] == [ROWS]
    states = {job.state for job in workspace.database.jobs.list() if job.kind in room.HANDLERS}
    assert states == {"done"}
