"""The JSON API 接口 under /api/v1, derived from the declared operations: one route each, nothing written twice.

Questions are GET with the request's fields as query parameters and answer with an ETag; commands are POST with a JSON
body and an `Idempotency-Key`. Questions take a token or the browser's session, commands a token only, so that no page
of another site can give one.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of the functions made here, which hold types
# that exist only inside their scope.

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Header, Query, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel, TypeAdapter

from jiqun.core.errors import UsageError
from jiqun.core.operation import Operation, Room
from jiqun.web.visitor import ApiCallerDep

PREFIX = "/api/v1"
_KEY = re.compile(r"[!-~]{8,200}")


class Problem(BaseModel):
    """An error, after RFC 9457; `code` is one of the catalogue and does not change."""

    type: str
    title: str
    status: int
    detail: str | None = None
    code: str
    instance: str | None = None


_PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {**_PROBLEM, "description": "The request cannot be used as it is"},
    401: {**_PROBLEM, "description": "No token, or one that is not valid"},
    403: {**_PROBLEM, "description": "This role or organisation may not"},
    404: {**_PROBLEM, "description": "There is no such thing"},
    409: {**_PROBLEM, "description": "In conflict with what is stored"},
    422: {**_PROBLEM, "description": "A field is missing or not as declared"},
    429: {**_PROBLEM, "description": "Too many requests; see Retry-After"},
}


def routes(rooms: Iterable[Room]) -> APIRouter:
    """A route for every operation of the rooms 接口路由."""
    router = APIRouter(prefix=PREFIX)
    for room in rooms:
        for operation in room.operations.values():
            add = _add_command if operation.writes else _add_question
            add(router, room, operation)
    return router


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description of the app, made once; errors all have the form of `Problem`."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes)
        made.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        app.openapi_schema = made
    return app.openapi_schema


def path(operation: Operation) -> str:
    """Where an operation is reached, below `PREFIX`.

    Examples
    --------
    >>> from jiqun.core.document import Text
    >>> from jiqun.core.operation import Model
    >>> path(Operation("atlas.clusters", Text("", ""), frozenset(), len, Model, int))
    '/atlas/clusters'
    """
    return "/" + operation.name.replace(".", "/")


def _add_question(router: APIRouter, room: Room, operation: Operation) -> None:
    answer: TypeAdapter[Any] = TypeAdapter(operation.answer)

    def question(
        http: Request,
        caller: ApiCallerDep,
        asked: Annotated[operation.request, Query()],  # type: ignore[name-defined]
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        caller.require_scope(operation)
        content = answer.dump_json(operation(caller.actor, http.app.state.workspace, asked))
        return _tagged(content, if_none_match)

    router.add_api_route(
        path(operation), question, methods=["GET"], response_model=operation.answer, **_described(room, operation)
    )


def _add_command(router: APIRouter, room: Room, operation: Operation) -> None:
    answer: TypeAdapter[Any] = TypeAdapter(operation.answer)

    def command(
        http: Request,
        caller: ApiCallerDep,
        told: Annotated[operation.request, Body()],  # type: ignore[name-defined]
        idempotency_key: Annotated[
            str, Header(description="Made by the caller, new for each command; a retry carries the same one")
        ],
    ) -> Response:
        caller.require_token()
        caller.require_scope(operation)
        if not _KEY.fullmatch(idempotency_key):
            raise UsageError("JQ-WEB-015")
        done = operation(caller.actor, http.app.state.workspace, told, key=idempotency_key)
        return Response(answer.dump_json(done), media_type="application/json", headers={"Cache-Control": "no-store"})

    router.add_api_route(
        path(operation), command, methods=["POST"], response_model=operation.answer, **_described(room, operation)
    )


def _described(room: Room, operation: Operation) -> dict[str, Any]:
    roles = ", ".join(sorted(operation.roles))
    scope = " Reaches the caller's own organisation only, but for operators and auditors." if operation.own else ""
    return {
        "operation_id": operation.name,
        "summary": f"{operation.title.en} {operation.title.zh}",
        "description": f"{operation.help}\n\nRoles: {roles}.{scope}",
        "tags": [f"{room.title.en} {room.title.zh}"],
        "responses": _PROBLEMS,
    }


def _tagged(content: bytes, known: str | None) -> Response:
    """The content with its ETag, or 304 where the caller has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if known is not None and tag in {part.strip().removeprefix("W/") for part in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def problem(status: int, code: str, message: str, hint: str = "", *, instance: str | None = None) -> JSONResponse:
    """An error in the form of RFC 9457 问题详情; `type` names the code, so that programs need not read the words."""
    body = Problem(
        type=f"urn:jiqun:error:{code}",
        title=message,
        status=status,
        detail=hint or None,
        code=code,
        instance=instance,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )
