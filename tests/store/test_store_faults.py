"""Writers and workers killed at random moments: nothing acknowledged is lost, nothing is done twice.

`JIQUN_FAULT_ROUNDS` says how many kills of each.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from engines import OnPostgres, OnSqlite
from fault_nursery import command, note, opened
from sqlalchemy import select

from jiqun.store import Workspace, proof
from jiqun.store.audit import audit
from jiqun.store.database import table
from jiqun.store.journal import Journal
from jiqun.store.worker import work

ROUNDS = int(os.environ.get("JIQUN_FAULT_ROUNDS", "20"))


class Faults:
    @pytest.fixture
    def path(self, tmp_path, url, monkeypatch):
        if url.startswith("postgresql"):
            monkeypatch.setenv("JIQUN_DATABASE_URL", url)
        return Workspace.init(tmp_path / "ws").path

    @pytest.fixture
    def nursery(self):
        script = Path(__file__).with_name("fault_nursery.py")
        with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

            def ask(**asked):
                process.stdin.write(json.dumps(asked, default=str).encode() + b"\n")
                process.stdin.flush()
                heard = json.loads(process.stdout.readline())
                assert heard["killed"]
                return heard

            yield ask
            process.stdin.close()

    def test_killed_at_random_moments(self, path, nursery):
        moments = random.Random(11)
        begun, done = [], {}
        for round_ in range(ROUNDS):
            heard = nursery(do="write", workspace=path, round=round_, seconds=moments.uniform(0, 0.3))
            begun += heard["begun"]
            done |= heard["done"]
            workspace = opened(path, round_)
            for key in heard["begun"]:  # the client does not know and tries again
                answer = command(workspace, key)
                assert done.setdefault(key, answer) == answer
            workspace.close()
        assert {*done} == {*begun}
        self.check(path, ROUNDS, dict.fromkeys(begun, 1))
        for round_ in range(ROUNDS + 1, 2 * ROUNDS + 1):
            nursery(do="work", workspace=path, round=round_, seconds=moments.uniform(0, 0.15))
        workspace = opened(path, 2 * ROUNDS + 1)
        work(workspace, {"note": note}, once=True)
        jobs = workspace.database.jobs.list(limit=1_000_000)
        assert workspace.database.jobs.counts() == {"done": len(begun)}
        assert sorted(job.payload["key"] for job in jobs) == sorted(begun)
        assert max(job.attempt for job in jobs) > 1  # some were cut off
        workspace.close()
        self.check(path, 2 * ROUNDS + 2, dict.fromkeys(begun, 1) | {job.id: 2 for job in jobs})

    def check(self, path, round_, effects):
        """Each effect as often as it should be; commands and leaves one to one; the journal whole."""
        workspace = opened(path, round_)
        commands, leaves, views = table("commands"), table("leaves"), table("views")
        with workspace.database.read() as connection:
            assert Counter(connection.execute(select(views.c.organisation)).scalars()) == effects
            pairs = connection.execute(select(commands, leaves).join(leaves, commands.c.leaf == leaves.c.id)).mappings()
            pairs = pairs.all()
            assert len(pairs) == len(connection.execute(select(leaves.c.id)).all())
        assert len({pair[leaves.c.id] for pair in pairs}) == len(pairs) == sum(effects.values())
        for pair in pairs:
            request, answer = pair[commands.c.request_digest], pair[commands.c.answer]
            body = proof.body_digest(pair[leaves.c.salt], request=request, answer=answer)
            fields = {name: pair[leaves.c[name]] for name in ("actor", "at", "operation", "subject")}
            assert pair[leaves.c.hash] == proof.leaf_hash(proof.leaf_data(**fields, body=body))
        Journal(workspace).tick()
        assert list(audit(workspace)) == []
        assert Journal(workspace).head().size == len(pairs)
        workspace.close()


class TestFaultsOnSqlite(Faults, OnSqlite):
    pass


class TestFaultsOnPostgres(Faults, OnPostgres):
    pass
