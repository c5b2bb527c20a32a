"""Commands of the operational store on SQLite: one writer, many writers that share flushes, many that each flush alone."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from jiqun.core.actor import LOCAL
from jiqun.store.database import Database, new_key

WRITERS = 32
SECONDS = 4.0


def rate(writers: int, do: Callable[[], object]) -> float:
    """How often per second `do` is done by so many threads."""
    end = time.perf_counter() + SECONDS

    def run(_: int) -> int:
        count = 0
        while time.perf_counter() < end:
            do()
            count += 1
        return count

    with ThreadPoolExecutor(writers) as pool:
        return sum(pool.map(run, range(writers))) / SECONDS


def main() -> None:
    """Print commands per second and what sharing gains."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/jiqun.db")
        alone = threading.Lock()

        def command() -> None:
            database.command(LOCAL, new_key(), "bench", lambda tx: {"job": tx.job("none", {"a": 1})})

        def singly() -> None:
            with alone:
                command()

        command()
        one, each, shared = rate(1, command), rate(WRITERS, singly), rate(WRITERS, command)
        database.close()
        print(f"one writer {one:,.0f}/s; {WRITERS} writers, each its own transaction {each:,.0f}/s")
        print(f"{WRITERS} writers, group commit {shared:,.0f}/s: {shared / each:.1f} times as many")


if __name__ == "__main__":
    main()
