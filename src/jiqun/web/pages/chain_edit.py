"""The editor of a chain 产业链编辑: its nodes and edges as a form, or the whole as TOML; checked before it is saved.

A form holds up to `MOST_NODES` nodes; longer chains are edited as TOML. Without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from jiqun.atlas import chain_records as records
from jiqun.atlas import chain_room as room
from jiqun.atlas.chain_data import (
    ID,
    LARGEST_FILE,
    STAGE_NAMES,
    TEMPLATE,
    Chain,
    Checked,
    Node,
    check_body,
    check_toml,
    to_toml,
)
from jiqun.core.errors import JiqunError
from jiqun.web.errors import explained
from jiqun.web.render import page, see_other
from jiqun.web.visitor import Visitor, VisitorDep, WorkspaceDep

router = APIRouter()
MOST_NODES = 60
_PLAIN = ("id", "zh", "en", "version", "about_zh", "about_en")
_LISTS = ("gbt", "digital", "words_zh", "words_en")
_NODE = ("id", "zh", "en", "stage", *_LISTS, "source", "status")
_LONGEST = 4_000
ChainId = Annotated[str, Path(pattern=ID)]
Key = Annotated[str, Form(min_length=8, max_length=200)]
AsToml = Annotated[bool, Query(alias="toml")]


async def _filled(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value[:LARGEST_FILE] for name, value in form.items() if isinstance(value, str)}


FilledDep = Annotated[Mapping[str, str], Depends(_filled)]


@router.get("/chains/new")
def new(request: Request, visitor: VisitorDep, toml: AsToml = False) -> Response:
    """A new chain."""
    visitor.require("atlas.save_chain", *room.EDITS)
    given: dict[str, Any] = {"nodes": [{}, {}], "edges": "", "version": "1", "layered": "yes"}
    if toml:
        given["toml"] = TEMPLATE.replace("{id}", "my-chain")
    return _editor(request, visitor, given)


@router.post("/chains/new")
def save_new(request: Request, visitor: VisitorDep, workspace: WorkspaceDep, key: Key, fields: FilledDep) -> Response:
    """Save it, or change its lines."""
    visitor.require("atlas.save_chain", *room.EDITS)
    return _saved(request, visitor, workspace, key, fields, None)


@router.get("/chains/{chain}/edit")
def edit(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, toml: AsToml = False
) -> Response:
    """A chain to change."""
    visitor.require("atlas.save_chain", *room.EDITS)
    found = records.find_chain(workspace, chain)
    given = _of_chain(found.chain) | {"base": found.revision}
    if toml or len(found.chain.nodes) > MOST_NODES:
        given["toml"] = to_toml(found.chain)
    return _editor(request, visitor, given, found=found)


@router.post("/chains/{chain}/edit")
def save(
    request: Request, visitor: VisitorDep, workspace: WorkspaceDep, chain: ChainId, key: Key, fields: FilledDep
) -> Response:
    """Save a revision, or change its lines."""
    visitor.require("atlas.save_chain", *room.EDITS)
    return _saved(request, visitor, workspace, key, fields, records.find_chain(workspace, chain))


def _saved(
    request: Request,
    visitor: Visitor,
    workspace: Any,
    key: str,
    fields: Mapping[str, str],
    found: records.KeptChain | None,
) -> Response:
    given, do = _given(fields), fields.get("do", "save")
    if (changed := _relined(given, do)) is not None:
        return _editor(request, visitor, changed, found=found)
    checked = check_toml(given["toml"]) if "toml" in given else check_body(_body(given))
    problems = list(checked.problems)
    base = fields.get("base", "0")
    if not problems and do == "save" and checked.chain is not None:
        same = found is None or checked.chain.id == found.chain.id
        asked = room.SaveRequest(
            chain=checked.chain,
            base=int(base) if same and base.isdigit() and len(base) < 7 else 0,
            note=fields.get("note", "")[:200],
        )
        try:
            row = room.save_chain(visitor.actor, workspace, asked, key=key)
        except JiqunError as error:
            problems = [error]
        else:
            return see_other(f"/chains/{row.id}", done="saved")
    return _editor(request, visitor, given, found=found, checked=Checked(checked.chain, tuple(problems)))


def _editor(
    request: Request,
    visitor: Visitor,
    given: Mapping[str, Any],
    *,
    found: records.KeptChain | None = None,
    checked: Checked | None = None,
) -> Response:
    nodes = [dict.fromkeys(_NODE, "") | dict(one) for one in given.get("nodes", [])]
    told = [explained(problem, visitor.language) for problem in checked.problems] if checked else []
    return page(
        request,
        visitor,
        "chain_edit.html",
        status=422 if told else 200,
        keep=False,
        found=found,
        given=dict.fromkeys((*_PLAIN, "edges", "note", "base", "layered"), "") | dict(given) | {"nodes": nodes},
        problems=told,
        fine=checked is not None and not told,
        stages=STAGE_NAMES,
        full=len(nodes) >= MOST_NODES,
    )


def _of_chain(chain: Chain) -> dict[str, Any]:
    """A chain as the editor's fields."""
    edges = [" | ".join((f"{edge.start} -> {edge.end}", edge.zh, edge.en)).rstrip(" |") for edge in chain.edges]
    given: dict[str, Any] = {name: getattr(chain, name) for name in _PLAIN}
    return given | {
        "layered": "yes" if chain.layered else "",
        "edges": "\n".join(edges),
        "nodes": [_cells(node) for node in chain.nodes],
    }


def _cells(node: Node) -> dict[str, str]:
    lists = {name: "; ".join(getattr(node, name)) for name in _LISTS}
    return {name: getattr(node, name) for name in _NODE if name not in _LISTS} | lists


def _given(fields: Mapping[str, str]) -> dict[str, Any]:
    """What stands in the editor."""
    given: dict[str, Any] = {name: fields.get(name, "").strip()[:_LONGEST] for name in (*_PLAIN, "note", "base")}
    given |= {"layered": fields.get("layered", ""), "edges": fields.get("edges", "").replace("\r", "")}
    if "toml" in fields:
        given["toml"] = fields["toml"].replace("\r\n", "\n")
    nodes: list[dict[str, str]] = []
    while len(nodes) < MOST_NODES and f"n-{len(nodes)}-id" in fields:
        stem = f"n-{len(nodes)}-"
        nodes.append({name: fields.get(stem + name, "").strip()[:_LONGEST] for name in _NODE})
    return given | {"nodes": nodes}


def _relined(given: dict[str, Any], do: str) -> dict[str, Any] | None:
    """The fields with a node more, less or moved up; None where the chain is to be checked or saved."""
    action, _, place = do.partition(":")
    nodes, at = given["nodes"], int(place) if place.isdigit() and len(place) < 4 else -1
    if action == "add" and len(nodes) < MOST_NODES:
        nodes.append({})
    elif action == "drop" and 0 <= at < len(nodes):
        del nodes[at]
    elif action == "up" and 0 < at < len(nodes):
        nodes[at - 1], nodes[at] = nodes[at], nodes[at - 1]
    return given if action in {"add", "drop", "up"} else None


def _body(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as a chain is written; lines that say nothing are left out."""
    nodes = [one for one in given["nodes"] if any(one.get(name) for name in ("id", "zh", "en"))]
    return {name: given[name] for name in _PLAIN} | {
        "layered": given["layered"] == "yes",
        "nodes": [
            {name: one[name] for name in _NODE if name not in _LISTS and (one.get(name) or name != "status")}
            | {name: _split(one.get(name, "")) for name in _LISTS}
            for one in nodes
        ],
        "edges": [_edge(line) for line in given["edges"].split("\n") if line.strip()],
    }


def _split(text: str) -> list[str]:
    parts = text.replace("；", ";").replace("\n", ";").split(";")
    return [part.strip() for part in parts if part.strip()]


def _edge(line: str) -> dict[str, str]:
    """An edge from its line: `from -> to | what flows, in Chinese | in English`."""
    ends, _, words = line.replace("→", "->").partition("|")
    start, _, end = ends.partition("->")
    zh, _, en = words.partition("|")
    return {"start": start.strip(), "end": end.strip(), "zh": zh.strip(), "en": en.strip()}
