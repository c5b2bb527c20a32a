"""Audit of the journal 日志审计: everything that can be computed again is, and compared with what is stored."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from jiqun.core.progress import Progress, silent
from jiqun.store import proof
from jiqun.store.journal import Head, Journal, all_heads, chunks, leaf_fields
from jiqun.store.tables import table
from jiqun.store.tree import Node, extend, fold, nodes_of
from jiqun.store.workspace import Workspace

MOST_FLAWS = 1_000
_PAGE = 10_000


@dataclass(frozen=True)
class Flaw:
    """Something in the journal that is not as it must be 日志缺陷.

    `where` is such as `journal/leaves/12` (by id), `journal/nodes/3/7`, `journal/heads/40`, `journal/commands/ACTOR/KEY`.
    `problem` is `changed`, `missing` or `unexpected`; of a head also `unsigned`, of a leaf or command `contradiction`
    when leaf and command do not say the same.
    """

    where: str
    problem: str


def audit(workspace: Workspace, *, progress: Progress = silent) -> tuple[Flaw, ...]:
    """Compare leaves with their hashes and commands, numbers, nodes and heads with the leaves 审计.

    It reads one moment of the database, while others write. Flaws beyond `MOST_FLAWS` are not looked for. What it
    cannot see is a whole journal forged with the key in hand: only heads that others keep show that.

    Returns
    -------
    What is wrong; nothing if all is well.
    """
    with workspace.database.read() as connection:
        heads = all_heads(connection)
        flaws: list[Iterator[Flaw]] = []
        if heads:
            flaws.append(_signatures(heads, Journal(workspace).public_key()))
        flaws.append(_leaves(connection, {head.size: head.root for head in heads}, progress))
        flaws.append(_lost(connection))
        return tuple(islice(chain.from_iterable(flaws), MOST_FLAWS))


def _leaves(connection: Connection, roots: dict[int, bytes], progress: Progress) -> Iterator[Flaw]:
    leaves = table("leaves")
    total, done = connection.scalar(select(func.count()).select_from(leaves)) or 0, 0
    tree = _Tree(connection, roots)
    for sequenced, by in ((True, leaves.c.position), (False, leaves.c.id)):
        asked = select(leaves).where(leaves.c.position.is_not(None) if sequenced else leaves.c.position.is_(None))
        for page in _pages(connection, asked, by):
            recorded = _commands(connection, [row.id for row in page])
            for row in page:
                yield from _leaf(row, recorded.get(row.id))
            if sequenced:
                yield from tree.add(page)
            done += len(page)
            progress("audit", done, total)
    yield from tree.end()


def _lost(connection: Connection) -> Iterator[Flaw]:
    """Commands whose leaf is gone."""
    leaves, commands = table("leaves"), table("commands")
    has_leaf = select(leaves.c.id).where(leaves.c.id == commands.c.leaf).exists()
    for row in connection.execute(select(commands.c.actor, commands.c.key).where(~has_leaf).limit(MOST_FLAWS)):
        yield Flaw(f"journal/commands/{row.actor}/{row.key}", "missing")


def _pages(connection: Connection, asked: Select[Any], by: Any) -> Iterator[list[Row[Any]]]:
    """Rows in the order of a unique column, in pieces."""
    page = [*connection.execute(asked.order_by(by).limit(_PAGE))]
    while page:
        yield page
        page = [*connection.execute(asked.where(by > getattr(page[-1], by.name)).order_by(by).limit(_PAGE))]


def _commands(connection: Connection, ids: list[int]) -> dict[int, Row[Any]]:
    commands = table("commands")
    asked = (select(commands).where(commands.c.leaf.in_(some)) for some in chunks(ids))
    return {row.leaf: row for one in asked for row in connection.execute(one)}


def _leaf(row: Row[Any], command: Row[Any] | None) -> Iterator[Flaw]:
    where = f"journal/leaves/{row.id}"
    if proof.leaf_hash(proof.canonical(leaf_fields(row))) != bytes(row.hash):
        yield Flaw(where, "changed")
    if command is None:
        yield Flaw(where, "contradiction")
        return
    same = (row.actor, row.operation, row.at) == (command.actor, command.operation, command.at)
    if row.salt is None:  # erased: then nothing of the body is left
        same = same and command.answer is None and not command.request_digest
    else:
        body = proof.body_digest(bytes(row.salt), request=command.request_digest, answer=command.answer)
        same = same and body == row.body_digest
    if not same:
        yield Flaw(f"journal/commands/{command.actor}/{command.key}", "contradiction")


def _signatures(heads: Iterable[Head], key: bytes) -> Iterator[Flaw]:
    for head in heads:
        message = proof.head_data(size=head.size, tree_root=head.root, at=head.at, key=key)
        if head.key_id != proof.key_id(key) or not proof.verify_signature(key, head.signature, message):
            yield Flaw(f"journal/heads/{head.size}", "unsigned")


class _Tree:
    """The tree as the leaves make it, compared piece by piece with the stored one."""

    def __init__(self, connection: Connection, roots: dict[int, bytes]) -> None:
        self._connection = connection
        self._roots = roots
        self._sizes = sorted(roots)
        self._peaks: dict[Node, bytes] = {}
        self._size = 0
        self._whole = True

    def add(self, page: list[Row[Any]]) -> Iterator[Flaw]:
        """The next leaves in the order of their positions."""
        first, last = self._size, self._size + len(page)
        if not self._whole:
            return
        if [row.position for row in page] != [*range(first, last)]:
            odd = next(number for number, row in enumerate(page, first) if row.position != number)
            self._whole = False  # what stands behind a gap cannot be computed
            yield Flaw(f"journal/positions/{odd}", "missing")
            return
        made: dict[Node, bytes] = {}
        signed = self._sizes[bisect_right(self._sizes, first) : bisect_left(self._sizes, last)]
        for end in (*signed, last):
            added = [bytes(row.hash) for row in page[self._size - first : end - first]]
            completed = {(level, place): found for level, place, found in extend(self._peaks, self._size, added)}
            known = self._peaks | completed | {(0, self._size + number): found for number, found in enumerate(added)}
            self._size = end
            self._peaks = {node: known[node] for node in nodes_of(0, end)}
            made |= completed
            if end in self._roots and fold([*self._peaks.values()]) != self._roots[end]:
                yield Flaw(f"journal/heads/{end}", "changed")
        yield from self._compare(made)

    def end(self) -> Iterator[Flaw]:
        """What is stored beyond the last leaf."""
        if not self._whole:
            return
        yield from (Flaw(f"journal/heads/{size}", "unexpected") for size in self._roots if size > self._size)
        if self._size and self._size not in self._roots:
            yield Flaw(f"journal/heads/{self._size}", "missing")
        nodes = table("nodes")
        stored = self._connection.scalar(select(func.count()).select_from(nodes)) or 0
        if stored > self._size - self._size.bit_count():  # so many a tree has above its leaves
            yield Flaw("journal/nodes", "unexpected")

    def _compare(self, made: dict[Node, bytes]) -> Iterator[Flaw]:
        nodes = table("nodes")
        by_level: dict[int, list[int]] = {}
        for level, place in made:
            by_level.setdefault(level, []).append(place)
        for level, places in by_level.items():
            asked = select(nodes.c.position, nodes.c.hash).where(
                nodes.c.level == level, nodes.c.position.between(places[0], places[-1])
            )
            stored = {place: bytes(found) for place, found in self._connection.execute(asked)}
            for place in places:
                if stored.get(place) != made[level, place]:
                    yield Flaw(f"journal/nodes/{level}/{place}", "changed" if place in stored else "missing")
