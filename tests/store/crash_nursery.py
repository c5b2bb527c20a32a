"""Starts writers that are killed, for test_store_crash: imports once, then forks one child per round.

Reads one JSON command a line, answers with one JSON line. It kills and reaps only its own children.
"""

import json
import os
import signal
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from jiqun.core.lineage import Lineage
from jiqun.store import Workspace

FIRST_DAY = date(2025, 1, 1)


def rows(number: int, size: int = 60_000) -> pl.DataFrame:
    """The rows of load `number`: each says which load it belongs to."""
    return pl.DataFrame(
        {"number": pl.repeat(number, size, eager=True), "row": pl.int_range(size, eager=True) * 7919 % 4093}
    )


def load(workspace: Workspace, number: int, size: int = 60_000) -> None:
    day = FIRST_DAY + timedelta(days=number)
    with workspace.new_snapshot("organisations", as_of=day, source=f"load {number}") as writer:
        for part in rows(number, size).iter_slices(size // 3 + 1):
            writer.write(part)
        writer.quarantine(pl.DataFrame({"number": [number]}))
        writer.summary["read"] = size + 1


def analyse(workspace: Workspace, number: int) -> None:
    lineage = Lineage("test", "1", {"number": number})
    workspace.put_result("test", lineage, {"rows": rows(number, 20_000)}, {"number": number})


def write_forever(path: Path, number: int, acknowledge: int) -> None:
    """Load and analyse, saying each number once both are stored."""
    workspace = Workspace.open(path)
    while True:
        load(workspace, number)
        analyse(workspace, number)
        os.write(acknowledge, f"{number}\n".encode())
        number += 1


def die_at(step: int) -> None:
    """Have this process killed when it is about to flush or rename for the `step`-th time."""
    left = [step]

    def counted(call):
        def wrapper(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return wrapper

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)


def child(command: dict, acknowledge: int) -> None:
    path = Path(command["workspace"])
    if command["do"] == "forever":
        write_forever(path, command["number"], acknowledge)
    elif command["do"] == "step":
        workspace = Workspace.open(path)
        die_at(command["step"])
        load(workspace, command["number"], 3000)
        analyse(workspace, command["number"])
    elif command["do"] == "hold":
        with Workspace.open(path).writing():
            os.write(acknowledge, b"0\n")
            time.sleep(60)


def run(command: dict) -> None:
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        try:
            child(command, send)
        finally:
            os._exit(1 if sys.exc_info()[0] else 0)
    os.close(send)
    with os.fdopen(receive) as said:
        heard = []
        if command["do"] == "forever":
            time.sleep(command["delay"])
            os.kill(pid, signal.SIGKILL)
        elif command["do"] == "hold":
            heard.append(said.readline())
            answer({"pid": pid})
            sys.stdin.readline()
            os.kill(pid, signal.SIGKILL)
        heard += said.readlines()
    _, status = os.waitpid(pid, 0)
    answer({"acknowledged": [int(line) for line in heard], "status": os.waitstatus_to_exitcode(status)})


def answer(content: dict) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for line in sys.stdin:
        run(json.loads(line))
