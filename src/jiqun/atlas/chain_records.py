"""The chains that a workspace has 产业链清单: those that come with the program, files of its own, edited revisions.

Of one id the edited revision counts, else the file in the workspace's folder `chains`, else what comes with the program.
A revision is never changed: an edit, and taking all edits back, add one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select

from jiqun.atlas.chain_data import ID, TEMPLATE, Chain, check_body, parse_chain, settled, to_toml
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.store import Workspace
from jiqun.store.database import Transaction, table
from jiqun.store.tables import JSON

FOLDER = "chains"
Origin = Literal["shipped", "file", "edited"]
MOST_REVISIONS = 200


@dataclass(frozen=True)
class KeptChain:
    """A chain and where it comes from; `revision` 0: not edited here."""

    chain: Chain
    origin: Origin
    revision: int = 0


@dataclass(frozen=True)
class Revision:
    """One saving of a chain 修订; `back`: it took the edits back."""

    revision: int
    version: str | None
    note: str
    account: str
    at: datetime
    back: bool


@cache
def shipped() -> dict[str, Chain]:
    """The chains that come with the program, by id.

    Examples
    --------
    >>> sorted(shipped())
    ['digital-security-video', 'integrated-circuits']
    """
    folder = files("jiqun.atlas").joinpath("data", FOLDER)
    found = [path for path in folder.iterdir() if path.name.endswith(".toml")]
    made = [parse_chain(path.read_text(encoding="utf-8"), path.name) for path in sorted(found, key=lambda p: p.name)]
    return {chain.id: chain for chain in made}


def own_files(workspace: Workspace) -> tuple[dict[str, Chain], dict[str, JiqunError]]:
    """The chains of the workspace's folder by id, and what is wrong with the files that are none, by name."""
    found: dict[str, Chain] = {}
    wrong: dict[str, JiqunError] = {}
    for path in sorted((workspace.path / FOLDER).glob("*.toml")):
        try:
            chain = parse_chain(path.read_text(encoding="utf-8-sig"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            wrong[path.name] = InputError("JQ-CHAIN-001", file=path.name, reason=type(error).__name__)
        except JiqunError as error:
            wrong[path.name] = error
        else:
            if chain.id in found:
                before = f"{chain.id}.toml"
                wrong[path.name] = InputError("JQ-CHAIN-007", file=path.name, place="id", value=chain.id, before=before)
            found.setdefault(chain.id, chain)
    return found, wrong


def kept(workspace: Workspace) -> dict[str, KeptChain]:
    """Every chain by id, in order of id 产业链."""
    made = {name: KeptChain(chain, "shipped") for name, chain in shipped().items()}
    made |= {name: KeptChain(chain, "file") for name, chain in own_files(workspace)[0].items()}
    made |= _edited(workspace)
    return dict(sorted(made.items()))


def find_chain(workspace: Workspace, wanted: str) -> KeptChain:
    """One chain.

    Raises
    ------
    UsageError
        JQ-CHAIN-010: there is none; names those there are.
    """
    known = kept(workspace)
    if wanted not in known:
        raise UsageError("JQ-CHAIN-010", value=wanted[:60], known=", ".join(known))
    return known[wanted]


def _edited(workspace: Workspace) -> dict[str, KeptChain]:
    return workspace.database.remembered("atlas.chains", _newest) if workspace.has_database else {}


def _newest(connection: Connection) -> dict[str, KeptChain]:
    rows = table("chains")
    newest = select(rows.c.id, func.max(rows.c.revision).label("revision")).group_by(rows.c.id).subquery()
    query = select(rows).join(newest, (rows.c.id == newest.c.id) & (rows.c.revision == newest.c.revision))
    found = connection.execute(query.where(rows.c.body.is_not(None))).mappings().all()
    return {row["id"]: KeptChain(_of_body(row["body"]), "edited", row["revision"]) for row in found if row["body"]}


def _of_body(body: Any) -> Chain:
    return Chain.model_validate(body)


def revisions(workspace: Workspace, wanted: str) -> tuple[Revision, ...]:
    """The savings of a chain, newest first 修订历史."""
    if not workspace.has_database:
        return ()
    rows = table("chains")
    query = select(rows).where(rows.c.id == wanted).order_by(rows.c.revision.desc()).limit(MOST_REVISIONS)
    with workspace.database.read() as connection:
        found = connection.execute(query).mappings().all()
    return tuple(
        Revision(
            row["revision"], row["body"]["version"] if row["body"] else None, row["note"] or "", row["account"],
            row["at"], not row["body"],
        )
        for row in found
    )  # fmt: skip


def save(actor: Actor, workspace: Workspace, body: Any, *, base: int, note: str = "", key: str) -> KeptChain:
    """Save a chain as a new revision 保存产业链.

    Parameters
    ----------
    body
        As `Chain`.
    base
        The revision that it was made from; 0 where it was not edited before.

    Raises
    ------
    InputError
        JQ-CHAIN-002 to 009: it cannot be so.
    UsageError
        JQ-CHAIN-011: someone else saved it since.
    """
    actor.require("atlas.save_chain", "operator", "analyst")
    chain = settled(check_body(body), "—")
    content: JSON = chain.model_dump(mode="json")
    revision = _put(actor, workspace, chain.id, content, base=base, note=note, key=key, operation="atlas.save_chain")
    return KeptChain(chain, "edited", revision)


def take_back(actor: Actor, workspace: Workspace, wanted: str, *, base: int, key: str) -> None:
    """Take all edits of a chain back 撤回修改: its file, or what comes with the program, counts again.

    Raises
    ------
    UsageError
        JQ-CHAIN-010: there is none; -011: someone else saved it since; -019: it was not edited.
    """
    actor.require("atlas.unsave_chain", "operator", "analyst")
    if find_chain(workspace, wanted).origin != "edited":
        raise UsageError("JQ-CHAIN-019", value=wanted)
    _put(actor, workspace, wanted, None, base=base, note="", key=key, operation="atlas.unsave_chain")


def _put(
    actor: Actor, workspace: Workspace, chain: str, body: JSON, *, base: int, note: str, key: str, operation: str
) -> int:
    rows = table("chains")

    def write(tx: Transaction) -> int:
        last = tx.execute(select(func.max(rows.c.revision)).where(rows.c.id == chain)).scalar() or 0
        if last != base:
            raise UsageError("JQ-CHAIN-011", value=chain, revision=last)
        tx.execute(
            insert(rows).values(
                id=chain, revision=last + 1, body=body, note=note[:200] or None, account=actor.id, at=tx.now
            )
        )
        return int(last) + 1

    request: JSON = {"id": chain, "base": base, "note": note, "body": body}
    revision: Any = workspace.database.command(actor, key, operation, write, request=request, subject=chain)
    return int(revision)


def write_new(workspace: Workspace, name: str, chain: Chain | None = None, *, force: bool = False) -> str:
    """Write a file for a chain of one's own into the workspace's folder; its path 新建产业链文件.

    Raises
    ------
    InputError
        JQ-CHAIN-016: the name cannot be an id; -013: the file is there already; JQ-FILE-022: it cannot be written.
    """
    if not re.fullmatch(ID, name):
        raise InputError("JQ-CHAIN-016", value=name[:60])
    path = workspace.path / FOLDER / f"{name}.toml"
    if path.exists() and not force:
        raise InputError("JQ-CHAIN-013", file=path)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(to_toml(chain) if chain else TEMPLATE.replace("{id}", name), encoding="utf-8")
    except OSError as error:
        raise InputError("JQ-FILE-022", file=path, reason=error.strerror or error) from error
    return str(path)
