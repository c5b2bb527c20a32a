"""Commands 命令: the only way to change the operational database.

A command is one transaction: what it changes, the row that makes a retry harmless, one leaf of the journal, and the
jobs it queues. It is acknowledged after the commit, or not at all.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, insert, select

from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError
from jiqun.store import proof
from jiqun.store.tables import JSON, table

LARGEST = 1 << 20
"""Most bytes of a command's request, of its answer, and of a job's payload or result."""
LONGEST_KEY = LONGEST_NAME = 200
LONGEST_SUBJECT = 500
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Digits and letters that are not taken for one another; 32 of them, so that 16 hold 80 random bits."""


def new_id(prefix: str) -> str:
    """A new id that nobody can guess, such as `acc_` and 16 characters."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(16))}"


def new_key() -> str:
    """A fresh idempotency key 幂等键, for a caller that does not retry."""
    return secrets.token_urlsafe(18)


def packed(value: JSON, what: str) -> bytes:
    """A value as canonical JSON, if it is not too large.

    Raises
    ------
    UsageError
        JQ-STORE-032: not JSON; JQ-STORE-033: more than `LARGEST` bytes.
    """
    try:
        content = proof.canonical(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError("JQ-STORE-032", what=what) from error
    if len(content) > LARGEST:
        raise UsageError("JQ-STORE-033", what=what, size=len(content), most=LARGEST)
    return content


class Transaction:
    """What a command's function works with: one connection, one moment."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now

    def execute(self, statement: Executable) -> CursorResult[Any]:
        """Run one statement in the command's transaction."""
        return self.connection.execute(statement)

    def new_id(self, prefix: str) -> str:
        """A new id, such as `acc_` and 16 characters that nobody can guess."""
        return new_id(prefix)

    def job(
        self,
        kind: str,
        payload: JSON,
        *,
        once: str | None = None,
        due_at: datetime | None = None,
        account: str | None = None,
        organisation: str | None = None,
        most_attempts: int = 8,
    ) -> str:
        """Queue a job 排入作业 that runs after, and only if, this transaction commits.

        `once` is a key under which a job is queued at most once while the first is kept (`keep_jobs_days` after it is
        done): the id of the first is returned.
        """
        jobs = table("jobs")
        packed(payload, "payload")
        if once is not None:
            first = self.execute(select(jobs.c.id).where(jobs.c.once == once)).scalar()
            if first is not None:
                return str(first)
        job = self.new_id("job")
        self.execute(
            insert(jobs).values(
                id=job,
                kind=kind,
                payload=payload,
                once=once,
                state="queued",
                attempt=0,
                most_attempts=most_attempts,
                due_at=due_at or self.now,
                account=account,
                organisation=organisation,
                created_at=self.now,
            )
        )
        return job


@dataclass(frozen=True)
class Command:
    """One command, checked and ready to run in any transaction."""

    actor: str
    key: str
    operation: str
    subject: str
    digest: str
    fn: Callable[[Transaction], JSON]

    @classmethod
    def of(
        cls, actor: Actor, key: str, operation: str, fn: Callable[[Transaction], JSON], *, request: JSON, subject: str
    ) -> Command:
        """Check what a caller asks for.

        Raises
        ------
        UsageError
            JQ-STORE-031: key, operation or subject is empty or too long; JQ-STORE-032, 033: see `packed`.
        """
        for what, value, most in (
            ("key", key, LONGEST_KEY),
            ("operation", operation, LONGEST_NAME),
            ("subject", subject, LONGEST_SUBJECT),
        ):
            if len(value) > most or not (value or what == "subject"):
                raise UsageError("JQ-STORE-031", what=what, most=most)
        packed(request, "request")
        return cls(actor.id, key, operation, subject, proof.request_digest(request), fn)

    def run(self, connection: Connection, now: datetime) -> JSON:
        """The answer: the stored one if the command was given before, else that of its function.

        Raises
        ------
        UsageError
            JQ-STORE-030: the key was used for something else.
        """
        commands, leaves = table("commands"), table("leaves")
        before = connection.execute(
            select(commands.c.operation, commands.c.request_digest, commands.c.answer).where(
                commands.c.actor == self.actor, commands.c.key == self.key
            )
        ).one_or_none()
        if before is not None:
            if (before.operation, before.request_digest) != (self.operation, self.digest):
                raise UsageError("JQ-STORE-030", operation=before.operation)
            answer: JSON = before.answer
            return answer
        content = packed(self.fn(Transaction(connection, now)), "answer")
        answer = json.loads(content)  # as a retry will get it
        salt = secrets.token_bytes(proof.SALT_BYTES)
        body = proof.body_digest(salt, request=self.digest, answer=answer)
        data = proof.leaf_data(actor=self.actor, at=now, body=body, operation=self.operation, subject=self.subject)
        leaf = connection.execute(
            insert(leaves)
            .values(
                hash=proof.leaf_hash(data),
                at=now,
                actor=self.actor,
                operation=self.operation,
                subject=self.subject,
                body_digest=body,
                salt=salt,
            )
            .returning(leaves.c.id)
        ).scalar_one()
        connection.execute(
            insert(commands).values(
                actor=self.actor,
                key=self.key,
                operation=self.operation,
                request_digest=self.digest,
                answer=answer,
                leaf=leaf,
                at=now,
            )
        )
        return answer
