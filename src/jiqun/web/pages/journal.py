"""The journal 日志 for those who do not want to trust it: heads, proofs, the checker, the key."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from jiqun.core.operation import Model
from jiqun.store import room as store
from jiqun.web.render import attachment, page, titles
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()


@router.get("/journal")
def journal(
    request: Request,
    visitor: VisitorDep,
    workspace: WorkspaceDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The newest head, how to check it, and the entries that the visitor may see."""
    head = store.head(visitor.actor, workspace, Model())
    entries = None
    if visitor.account:
        entries = store.entries(visitor.actor, workspace, store.EntriesRequest(limit=limit))
    return page(request, visitor, "journal.html", head=head, entries=entries, limit=limit, titles=titles(request))


@router.get("/journal/head.json")
def head_json(visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The newest head, for those who keep it and compare later."""
    head = store.head(visitor.actor, workspace, Model())
    if head is None:
        raise HTTPException(404)
    return attachment(head.model_dump_json(indent=1).encode(), "head.json", "application/json")


@router.get("/journal/proof/{leaf}.json")
def proof_json(visitor: VisitorDep, workspace: WorkspaceDep, leaf: Annotated[int, Path(ge=1, le=2**53)]) -> Response:
    """The proof of one entry, as a bundle for the checker."""
    bundle: dict[str, Any] = store.proof(visitor.actor, workspace, store.ProofRequest(leaf=(leaf,)))
    content = json.dumps(bundle, ensure_ascii=False, indent=1).encode()
    return attachment(content, f"proof-{leaf}.json", "application/json")


@router.get("/journal/key.pem")
def key_pem(visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """The public key that signs the heads."""
    head = store.head(visitor.actor, workspace, Model())
    if head is None:
        raise HTTPException(404)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(head.public_key))
    content = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return attachment(content, "journal-key.pem", "application/x-pem-file")


@router.get("/journal/check.py")
def checker() -> Response:
    """The checker: one file that needs neither jiqun nor trust in it."""
    content = files("jiqun.store").joinpath("proof.py").read_bytes()
    return attachment(content, "check.py", "text/x-python; charset=utf-8")
