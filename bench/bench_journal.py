"""The journal: numbering, auditing and proving made-up leaves; the peer is hashing as many nodes and nothing else."""

from __future__ import annotations

import secrets
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from jiqun.store import Workspace, proof
from jiqun.store.audit import audit
from jiqun.store.journal import Journal
from jiqun.store.tables import table

LEAVES = 200_000
BATCH = 20_000
PROOFS = 200
AT = datetime(2026, 1, 1, tzinfo=UTC)


def rows(start: int, end: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Leaves and the commands that they belong to."""
    leaves, commands = [], []
    for number in range(start, end):
        salt, request, what = secrets.token_bytes(proof.SALT_BYTES), proof.request_digest(number), "bench.act"
        body = proof.body_digest(salt, request=request, answer=number)
        leaf = {"actor": "acc_bench", "at": AT, "operation": what, "subject": str(number)}
        hashed = proof.leaf_hash(proof.leaf_data(body=body, **leaf))
        leaves.append({**leaf, "id": number + 1, "hash": hashed, "body_digest": body, "salt": salt})
        command = {"actor": "acc_bench", "key": str(number), "operation": what, "request_digest": request}
        commands.append({**command, "answer": number, "leaf": number + 1, "at": AT})
    return leaves, commands


def fill(workspace: Workspace) -> None:
    """Leaves that wait to be numbered."""
    for start in range(0, LEAVES, BATCH):
        leaves, commands = rows(start, start + BATCH)

        def write(connection: Connection, leaves: Any = leaves, commands: Any = commands) -> None:
            connection.execute(insert(table("leaves")), leaves)
            connection.execute(insert(table("commands")), commands)

        workspace.database.upkeep(write)


def main() -> None:
    """Print what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.init(Path(folder) / "ws")
        fill(workspace)
        journal = Journal(workspace)
        start, longest, added = time.perf_counter(), 0.0, 1
        while added:
            before = time.perf_counter()
            added = journal.sequence()
            longest = max(longest, time.perf_counter() - before)
        numbered = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(LEAVES):
            proof.node_hash(bytes(32), bytes(32))
        hashed = time.perf_counter() - start
        print(
            f"numbering {LEAVES / numbered:,.0f} leaves/s, {numbered / hashed:.0f} times their hashing; "
            f"longest batch {longest * 1000:.0f} ms"
        )
        start = time.perf_counter()
        if audit(workspace):
            raise SystemExit("the audit found flaws")
        print(f"audit {LEAVES / (time.perf_counter() - start):,.0f} leaves/s")
        start = time.perf_counter()
        for number in range(PROOFS):
            journal.inclusion_proof(1 + number * (LEAVES // PROOFS))
        print(f"inclusion proof {(time.perf_counter() - start) / PROOFS * 1000:.1f} ms")
        workspace.close()


if __name__ == "__main__":
    main()
