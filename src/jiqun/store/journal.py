"""The journal 日志: every command leaves one leaf; leaves are numbered into a Merkle tree whose heads are signed.

A command's transaction inserts an unnumbered leaf. The sequencer, one at a time whatever the number of processes,
numbers committed leaves in the order of their ids, stores the tree nodes that they complete and signs the new head, all
in one transaction: a crash leaves a whole tree. A leaf that commits late (on PostgreSQL, ids may commit out of order)
gets a later number; a number once given never changes, and there are no gaps.

A leaf holds a salted digest of what was asked and answered, never a second copy. Deleting the salt (`erase`) keeps the
tree verifiable while nobody can find the content by trying. Proofs are checked by `jiqun.store.proof` alone.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.store import proof
from jiqun.store.commands import Transaction
from jiqun.store.committer import reason
from jiqun.store.files import make_folder, told, write_once
from jiqun.store.tables import JSON, table
from jiqun.store.tree import Node, Range, consistency_ranges, extend, fold, inclusion_ranges, nodes_of
from jiqun.store.workspace import Workspace

BATCH = 2_000
"""Leaves per transaction: on SQLite other writers wait for it."""
LEASE_SECONDS = 10
_LEASE = "journal"
_TOGETHER = 500
_UPSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Head:
    """A signed tree head 已签名的树头."""

    size: int
    root: bytes
    at: datetime
    key_id: str
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """As a bundle holds it."""
        return {
            "at": proof.instant(self.at),
            "key": self.key_id,
            "root": self.root.hex(),
            "signature": base64.b64encode(self.signature).decode(),
            "size": self.size,
            "v": proof.VERSION,
        }


@dataclass(frozen=True)
class Entry:
    """One leaf 日志条目, as people read it; `position` is empty until it is sequenced."""

    leaf: int
    position: int | None
    at: datetime
    actor: str
    operation: str
    subject: str


class Journal:
    """The journal of a workspace. Numbers leaves, signs heads, proves.

    Parameters
    ----------
    workspace
        Where it lies: leaves, nodes and heads in its database, the key in `keys/journal.pem` (made on first use, for
        its owner's eyes) with the public key beside it in `keys/journal.pub`.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._database = workspace.database
        self._clock = workspace.clock
        self._keys = workspace.path / "keys"
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    # Sequencing

    def sequence(self, limit: int = BATCH) -> int:
        """Number at most `limit` waiting leaves 排序, extend the tree and sign its head, in one transaction.

        Returns
        -------
        How many leaves were numbered; 0 also while another process holds the lease.

        Raises
        ------
        WorkspaceError
            JQ-JOURNAL-001: the key that signed the last head is gone; JQ-JOURNAL-002: it cannot be read.
        """
        leaves = table("leaves")
        with self._database.read() as connection:
            if connection.execute(select(leaves.c.id).where(leaves.c.position.is_(None)).limit(1)).first() is None:
                return 0
        return self._database.upkeep(lambda connection: self._sequence(connection, limit))

    def _sequence(self, connection: Connection, limit: int) -> int:
        if not self._leased(connection):
            return 0
        last = _head(connection)
        key = self._signing_key(last)
        size = last.size if last else 0
        added = _number(connection, size, limit)
        if not added:
            return 0
        known = _hashes(connection, nodes_of(0, size))
        completed = extend(known, size, added)
        if completed:
            rows = [{"level": level, "position": place, "hash": found} for level, place, found in completed]
            connection.execute(insert(table("nodes")), rows)
        known |= {(0, size + number): found for number, found in enumerate(added)}
        known |= {(level, place): found for level, place, found in completed}
        size += len(added)
        root = fold([known[node] for node in nodes_of(0, size)])
        at, public = self._clock(), key.public_key().public_bytes_raw()
        signature = key.sign(proof.head_data(size=size, tree_root=root, at=at, key=public))
        head = {"size": size, "root": root, "at": at, "key_id": proof.key_id(public), "signature": signature}
        connection.execute(insert(table("heads")).values(head))
        return len(added)

    def tick(self) -> int:
        """Number all that waits; how many leaves that was."""
        total = 0
        while added := self.sequence():
            total += added
            if added < BATCH:
                break
        return total

    def follow(self, stop: Event, *, every_seconds: float = 0.5) -> None:
        """Number leaves as they come, until `stop` is set; a database that is away for a while is waited for."""
        wait = every_seconds
        while not stop.wait(wait):
            try:
                self.tick()
                wait = every_seconds
            except (DBAPIError, WorkspaceError) as error:
                wait = min(wait * 2, 30.0)
                _log.warning("journal: %s; next try in %.1f s", reason(error), wait)

    def _leased(self, connection: Connection) -> bool:
        """Take or keep the lease. Its row stays locked until the transaction ends, so that there are never two."""
        leases, now = table("leases"), self._clock()
        mine = {"holder": self._holder, "until": now + timedelta(seconds=LEASE_SECONDS)}
        statement = _UPSERT[connection.dialect.name](leases).values(name=_LEASE, **mine)
        free = or_(leases.c.holder == self._holder, leases.c.until <= now)
        taken = connection.execute(
            statement.on_conflict_do_update(index_elements=[leases.c.name], set_=mine, where=free)
        )
        return taken.rowcount == 1

    # Questions

    def head(self, size: int | None = None) -> Head | None:
        """The newest signed head, or that of a size; None if there is none."""
        with self._database.read() as connection:
            return _head(connection, size)

    def entries(self, *, subject: str | None = None, actor: str | None = None, limit: int = 50) -> tuple[Entry, ...]:
        """Leaves, newest first; `subject` keeps those about one thing, `actor` those of one account."""
        leaves = table("leaves")
        columns = (leaves.c[name] for name in ("id", "position", "at", "actor", "operation", "subject"))
        asked = select(*columns).order_by(leaves.c.id.desc()).limit(limit)
        for column, value in ((leaves.c.subject, subject), (leaves.c.actor, actor)):
            if value is not None:
                asked = asked.where(column == value)
        with self._database.read() as connection:
            return tuple(Entry(*row) for row in connection.execute(asked))

    def inclusion_proof(self, leaf: int, size: int | None = None) -> list[bytes]:
        """Hashes that lead from a leaf (by id) to the root of the tree of `size` leaves; default: the newest head's.

        Raises
        ------
        UsageError
            JQ-JOURNAL-003: no such leaf in a tree of this size; JQ-JOURNAL-004: no such tree.
        """
        with self._database.read() as connection:
            size = _size(connection, size)
            position = _rows(connection, [leaf], size)[leaf].position
            return _proofs(connection, [inclusion_ranges(position, size)])[0]

    def consistency_proof(self, first: int, second: int | None = None) -> list[bytes]:
        """Hashes that show that the tree of `first` leaves begins that of `second`; default: the newest head's.

        Raises
        ------
        UsageError
            JQ-JOURNAL-004: no such tree.
        """
        with self._database.read() as connection:
            second = _size(connection, second)
            if not 0 < first <= second:
                raise UsageError("JQ-JOURNAL-004", size=first, most=second)
            return _proofs(connection, [consistency_ranges(first, second)])[0]

    def bundle(
        self,
        leaves: Sequence[int],
        *,
        since: Sequence[int] = (),
        opened: bool = False,
        requests: Mapping[int, JSON] | None = None,
    ) -> dict[str, Any]:
        """Proofs of some leaves (by id) under the newest head 证明文件, for `proof.verify_bundle`.

        Parameters
        ----------
        leaves
            Which leaves; none proves the head and its consistency alone.
        since
            Sizes of earlier heads that the tree is shown to continue.
        opened
            Show what was answered too, of leaves that were not erased. It may hold what is not for every eye.
        requests
            What was asked, by leaf: the database keeps only its digest. Goes with the opened leaf.

        Raises
        ------
        UsageError
            JQ-JOURNAL-003: a leaf is not in the tree; JQ-JOURNAL-004: there is no such head.
        WorkspaceError
            JQ-JOURNAL-001: the public key is gone.
        """
        requests = requests or {}
        with self._database.read() as connection:
            heads = [_needed(_head(connection, size), size) for size in (None, *since)]
            head, earlier = heads[0], heads[1:]
            rows = _rows(connection, leaves, head.size)
            proofs = _proofs(connection, [inclusion_ranges(rows[leaf].position, head.size) for leaf in leaves])
            steps = _proofs(connection, [consistency_ranges(one.size, head.size) for one in earlier])
        return {
            "format": proof.FORMAT,
            "v": proof.VERSION,
            "key": base64.b64encode(self.public_key(head)).decode(),
            "head": head.to_json(),
            "earlier": [
                {"head": one.to_json(), "consistency": _hex(step)} for one, step in zip(earlier, steps, strict=True)
            ],
            "leaves": [
                _leaf_json(rows[leaf], steps, requests if opened else None)
                for leaf, steps in zip(leaves, proofs, strict=True)
            ],
        }

    # Keys

    @property
    def public_key_path(self) -> Path:
        """Where the public key lies, as PEM."""
        return self._keys / "journal.pub"

    def public_key(self, head: Head | None = None) -> bytes:
        """The 32 bytes of the public key 公钥; it must be the one that signed `head`.

        Raises
        ------
        WorkspaceError
            JQ-JOURNAL-001: it is not, or there is none yet.
        """
        path = self.public_key_path
        try:
            found = proof.read_key(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            found = b""
        if not found or (head is not None and proof.key_id(found) != head.key_id):
            raise WorkspaceError("JQ-JOURNAL-001", path=path)
        return found

    def _signing_key(self, last: Head | None) -> Ed25519PrivateKey:
        """The private key; made if there is neither a key nor a head that one has signed."""
        path = self._keys / "journal.pem"
        if last is None and not path.exists():
            self._make_key(path)
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except FileNotFoundError:
            raise WorkspaceError("JQ-JOURNAL-001", path=path) from None
        except (OSError, ValueError, TypeError) as error:
            raise WorkspaceError("JQ-JOURNAL-002", path=path) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise WorkspaceError("JQ-JOURNAL-002", path=path)
        public = key.public_key()
        if last is not None and proof.key_id(public.public_bytes_raw()) != last.key_id:
            raise WorkspaceError("JQ-JOURNAL-001", path=path)
        beside = self.public_key_path
        if not beside.exists():
            with told(beside):
                content = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                write_once(beside, content, mode=0o644)
        return key

    def _make_key(self, path: Path) -> None:
        content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with told(path):
            make_folder(path.parent)
            path.parent.chmod(0o700)
            write_once(path, content)


def erase(tx: Transaction, leaves: Iterable[int]) -> int:
    """Make the content of leaves unfindable 抹除: salt, recorded answer and digest of the request go.

    The tree stays verifiable; what remains of the leaf is who did which operation to which id, and when.
    A retry of such a command finds its key taken.

    Parameters
    ----------
    tx
        The command that erases, so that the erasing is itself on record.
    leaves
        Ids of leaves.

    Returns
    -------
    How many leaves were erased now.
    """
    kept, commands, erased = table("leaves"), table("commands"), 0
    for ids in chunks(list(leaves)):
        gone = tx.execute(update(kept).where(kept.c.id.in_(ids), kept.c.salt.is_not(None)).values(salt=None))
        erased += gone.rowcount
        tx.execute(update(commands).where(commands.c.leaf.in_(ids)).values(answer=None, request_digest=""))
    return erased


def _number(connection: Connection, size: int, limit: int) -> list[bytes]:
    """Give the next positions from `size` on to the first waiting leaves; their hashes in this order."""
    leaves = table("leaves")
    ids = select(leaves.c.id).where(leaves.c.position.is_(None)).order_by(leaves.c.id).limit(limit).subquery()
    order = func.row_number().over(order_by=ids.c.id)
    places = select(ids.c.id, (order + (size - 1)).label("position")).subquery()
    connection.execute(update(leaves).values(position=places.c.position).where(leaves.c.id == places.c.id))
    numbered = select(leaves.c.hash).where(leaves.c.position >= size).order_by(leaves.c.position)
    return [bytes(found) for found in connection.scalars(numbered)]


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many as one statement takes."""
    for start in range(0, len(values), _TOGETHER):
        yield values[start : start + _TOGETHER]


def all_heads(connection: Connection) -> list[Head]:
    """Every signed head, by size."""
    return [_as_head(row) for row in connection.execute(select(table("heads")).order_by(table("heads").c.size))]


def _head(connection: Connection, size: int | None = None) -> Head | None:
    heads = table("heads")
    asked = select(heads)
    asked = asked.order_by(heads.c.size.desc()).limit(1) if size is None else asked.where(heads.c.size == size)
    row = connection.execute(asked).first()
    return None if row is None else _as_head(row)


def _as_head(row: Row[Any]) -> Head:
    return Head(row.size, bytes(row.root), row.at, row.key_id, bytes(row.signature))


def _needed(head: Head | None, size: int | None) -> Head:
    if head is None:
        raise UsageError("JQ-JOURNAL-004", size=size or 0)
    return head


def _size(connection: Connection, size: int | None) -> int:
    """A size that the tree has, or had: not beyond the newest head."""
    newest = _needed(_head(connection), size).size
    if size is None:
        return newest
    if not 0 < size <= newest:
        raise UsageError("JQ-JOURNAL-004", size=size)
    return size


def _rows(connection: Connection, ids: Sequence[int], size: int) -> dict[int, Row[Any]]:
    """Leaves by id with what their commands recorded; all must be in the tree of `size`."""
    leaves, commands = table("leaves"), table("commands")
    asked = select(leaves, commands.c.request_digest, commands.c.answer).join(
        commands, commands.c.leaf == leaves.c.id, isouter=True
    )
    found: dict[int, Row[Any]] = {}
    for some in chunks(ids):
        found |= {row.id: row for row in connection.execute(asked.where(leaves.c.id.in_(some)))}
    for number in ids:
        if number not in found or found[number].position is None or found[number].position >= size:
            raise UsageError("JQ-JOURNAL-003", leaf=number, size=size)
    return found


def _proofs(connection: Connection, proofs: Sequence[Sequence[Range]]) -> list[list[bytes]]:
    parts = {one: nodes_of(*one) for ranges in proofs for one in ranges}
    known = _hashes(connection, {node for nodes in parts.values() for node in nodes})
    return [[fold([known[node] for node in parts[one]]) for one in ranges] for ranges in proofs]


def _hashes(connection: Connection, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """Stored hashes; those of level 0 are the leaves' own."""
    leaves, nodes = table("leaves"), table("nodes")
    found: dict[Node, bytes] = {}
    for some in chunks(sorted(wanted)):
        by_level: dict[int, list[int]] = {}
        for level, position in some:
            by_level.setdefault(level, []).append(position)
        if 0 in by_level:
            in_leaves = select(leaves.c.position, leaves.c.hash).where(leaves.c.position.in_(by_level.pop(0)))
            found |= {(0, position): bytes(hashed) for position, hashed in connection.execute(in_leaves)}
        if by_level:
            where: list[ColumnElement[bool]] = [
                and_(nodes.c.level == level, nodes.c.position.in_(positions)) for level, positions in by_level.items()
            ]
            in_nodes = select(nodes.c.level, nodes.c.position, nodes.c.hash).where(or_(*where))
            found |= {(level, position): bytes(hashed) for level, position, hashed in connection.execute(in_nodes)}
    return found


def leaf_fields(row: Row[Any]) -> dict[str, Any]:
    """What a leaf's hash is of."""
    return {
        "actor": row.actor,
        "at": proof.instant(row.at),
        "body": row.body_digest,
        "operation": row.operation,
        "subject": row.subject,
        "v": proof.VERSION,
    }


def _leaf_json(row: Row[Any], steps: Sequence[bytes], requests: Mapping[int, JSON] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"position": row.position, "data": leaf_fields(row), "proof": _hex(steps)}
    if requests is not None and row.salt is not None and row.request_digest:
        found["opening"] = {"salt": bytes(row.salt).hex(), "request": row.request_digest, "answer": row.answer}
        if row.id in requests:
            found["request"] = requests[row.id]
    return found


def _hex(hashes: Iterable[bytes]) -> list[str]:
    return [one.hex() for one in hashes]
