"""What a killed writer leaves. SIGKILL keeps what the system has cached: loss of power is not tried here."""

import json
import random
import subprocess
import sys
from itertools import count
from pathlib import Path

import crash_nursery
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jiqun.core.errors import WorkspaceError
from jiqun.store import Workspace


class Nursery:
    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", str(Path(crash_nursery.__file__))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(self, line: str) -> dict:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, do: str, workspace: Workspace, **options) -> dict:
        return self.send(json.dumps({"do": do, "workspace": str(workspace.path), **options}))


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.process.communicate(timeout=10)


def kept_files(workspace: Workspace) -> set[str]:
    folders = [workspace.path / name for name in ("tables", "quarantine", "results")]
    return {str(path.relative_to(workspace.path)) for folder in folders for path in folder.rglob("*") if path.is_file()}


def assert_sound(workspace: Workspace, size: int) -> tuple[int, int]:
    """Everything that counts is whole; returns the load and the result that are current."""
    assert workspace.verify() == ()
    snapshot = workspace.snapshot("organisations")
    number = int(snapshot.source.removeprefix("load "))
    assert_frame_equal(workspace.scan("organisations").collect(), crash_nursery.rows(number, size))
    assert snapshot.rows == size
    assert workspace.scan_quarantine(snapshot).collect()["number"].to_list() == [number]
    result = workspace.result("test")
    assert_frame_equal(result.table("rows"), crash_nursery.rows(result.values["number"], 20_000))
    return number, result.values["number"]


def test_writers_killed_at_random_moments_lose_nothing_they_acknowledged(workspace, nursery):
    """30 writers in a row on one workspace, each killed within a quarter of a second."""
    moments = random.Random(20250630)  # moments, not secrets
    crash_nursery.load(workspace, 0)
    crash_nursery.analyse(workspace, 0)
    number = acknowledged = 0
    for _ in range(30):
        said = nursery.run("forever", workspace, number=number + 1, delay=moments.uniform(0.0, 0.25))
        assert said["status"] == -9
        acknowledged = max([acknowledged, *said["acknowledged"]])
        number, result = assert_sound(Workspace.open(workspace.path), 60_000)
        assert number in {acknowledged, acknowledged + 1}
        assert result in {number - 1, number}
        # carry on from a state in which load and result are of one number again
        crash_nursery.analyse(workspace, number)
        acknowledged = number
        assert not (workspace.path / ".tmp").exists()
    assert acknowledged > 0


def test_a_writer_killed_before_any_flush_or_rename_leaves_the_state_before_or_after(tmp_path, nursery):
    before: list[tuple[int, int]] = []
    for step in count(1):
        workspace = Workspace.init(tmp_path / f"ws{step}")
        crash_nursery.load(workspace, 0, 3000)
        crash_nursery.analyse(workspace, 0)
        status = nursery.run("step", workspace, number=1, step=step)["status"]
        before.append(assert_sound(workspace, 3000))
        # the same work again finds its way, and leaves nothing that does not count
        workspace = Workspace.open(workspace.path)
        crash_nursery.load(workspace, 1, 3000)
        crash_nursery.analyse(workspace, 1)
        assert assert_sound(workspace, 3000) == (1, 1)
        assert kept_files(workspace) == set(workspace.manifest().files())
        assert not (workspace.path / ".tmp").exists()
        if status == 0:
            break
        assert status == -9
    assert list(dict.fromkeys(before)) == [(0, 0), (1, 0), (1, 1)]
    assert len(before) > 10


def test_the_second_writer_is_told_who_the_first_is_and_death_frees_the_lock(workspace, nursery):
    holder = nursery.run("hold", workspace)["pid"]
    with pytest.raises(WorkspaceError) as caught, workspace.writing(wait_seconds=0.1):
        pass
    assert (caught.value.code, caught.value.fields["pid"]) == ("JQ-STORE-005", str(holder))
    assert str(holder) in caught.value.render("zh")
    assert workspace.tables() == ()  # reading needs no lock
    nursery.send("release")
    with workspace.new_snapshot("links", as_of="2025-01-01", source="me") as writer:
        writer.write(pl.DataFrame({"source": ["A"]}))
    assert workspace.snapshot("links").rows == 1
