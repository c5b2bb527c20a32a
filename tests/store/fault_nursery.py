"""Starts writers and workers that are killed, for test_store_faults: imports once, then forks one child per round.

Reads one JSON command a line, answers with one JSON line. It kills and reaps only its own children.
"""

import json
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from jiqun.core.actor import LOCAL
from jiqun.core.clock import system_clock
from jiqun.store import Workspace
from jiqun.store.database import table
from jiqun.store.journal import Journal
from jiqun.store.worker import work

WRITERS = 4


def opened(path, round_):
    """The clock of each round is later than the leases of the one before."""
    return Workspace.open(Path(path), clock=lambda: system_clock() + timedelta(minutes=5 * round_))


def command(workspace, key):
    """One row, its id made anew at each run, so that a repetition would show; and a job."""

    def fn(tx):
        view = {"id": tx.new_id("view"), "organisation": key, "account": "w", "role": "r", "operation": "o"}
        tx.execute(insert(table("views")).values(**view, at=tx.now))
        tx.job("note", {"key": key}, most_attempts=1_000_000)
        return view["id"]

    return workspace.database.command(LOCAL, key, "write", fn, request={"key": key}, subject=key)


def note(workspace, job, report):
    """A handler that writes twice, each time with a key of the job."""
    for step in ("one", "two"):
        report(step, 0, 2)

        def fn(tx, step=step):
            view = {"id": tx.new_id("view"), "organisation": job.id, "account": "w", "role": "r", "operation": step}
            tx.execute(insert(table("views")).values(**view, at=tx.now))
            return view["id"]

        workspace.database.command(LOCAL, job.key(step), "note", fn, subject=job.id)
    return {"done": True}


def write_forever(path, round_, acknowledge):
    workspace = opened(path, round_)

    def run(thread):
        number = 0
        while True:
            key = f"{round_}-{thread}-{number}"
            os.write(acknowledge, f"begun {key}\n".encode())
            os.write(acknowledge, f"done {key} {command(workspace, key)}\n".encode())
            number += 1

    for thread in range(WRITERS):
        threading.Thread(target=run, args=(thread,), daemon=True).start()
    Journal(workspace).follow(threading.Event(), every_seconds=0.02)


def work_forever(path, round_, acknowledge):
    workspace = opened(path, round_)

    def handler(workspace, job, report):
        os.write(acknowledge, f"begun {job.id}\n".encode())
        return note(workspace, job, report)

    work(workspace, {"note": handler}, threads=3)


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            doing = {"write": write_forever, "work": work_forever}[asked["do"]]
            try:
                doing(asked["workspace"], asked["round"], write)
            finally:
                os._exit(1)  # only a fault gets here
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            heard = pipe.readline()
            time.sleep(asked["seconds"])
            os.kill(child, signal.SIGKILL)
            heard += pipe.read()
        _, status = os.waitpid(child, 0)
        lines = [part.split() for part in heard.decode().splitlines()]
        begun = [part[1] for part in lines if part[0] == "begun"]
        done = {part[1]: part[2] for part in lines if part[0] == "done"}
        sys.stdout.write(json.dumps({"killed": status == signal.SIGKILL, "begun": begun, "done": done}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
