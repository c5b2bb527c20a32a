"""From an error to an answer 错误应答: a page in the visitor's language, or problem+json under /api.

Every message comes from the catalogue, says what to do next, and never shows a traceback.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from jiqun.core.document import Text
from jiqun.core.errors import (
    InputError,
    JiqunError,
    Language,
    PermissionDeniedError,
    UsageError,
    WorkspaceError,
    catalogue,
)
from jiqun.web import api
from jiqun.web.render import page
from jiqun.web.visitor import FORGED, Visitor, signed_out, visitor

_LOG = logging.getLogger("jiqun.web")
M = TypeVar("M", bound=BaseModel)
_OF_STATUS = {
    401: "JQ-WEB-001",
    403: "JQ-WEB-002",
    404: "JQ-WEB-003",
    405: "JQ-WEB-004",
    413: "JQ-WEB-005",
    422: "JQ-WEB-006",
    429: "JQ-WEB-007",
    500: "JQ-WEB-008",
}
_STATUS = {
    **dict.fromkeys((f"JQ-ATLAS-{n}" for n in ("013", "014", "017", "018", "019", "020", "030")), 404),
    "JQ-STORE-005": 503,
    "JQ-STORE-006": 409,
    "JQ-STORE-007": 404,
    "JQ-STORE-011": 404,
    "JQ-STORE-030": 409,
    "JQ-STORE-043": 404,
    "JQ-JOURNAL-003": 404,
    "JQ-USE-001": 404,
    **dict.fromkeys((f"JQ-SURVEY-{n}" for n in ("001", "006", "015", "016", "028", "029", "031")), 404),
    **dict.fromkeys((f"JQ-SURVEY-{n}" for n in ("005", "010", "011", "012", "013", "030", "032")), 409),
    **dict.fromkeys((f"JQ-CLASSIFY-{n}" for n in ("001", "003")), 404),
    **dict.fromkeys((f"JQ-CLASSIFY-{n}" for n in ("004", "005", "006", "009")), 409),
    **dict.fromkeys((f"JQ-ROSTER-{n}" for n in ("001", "002", "005", "006", "008", "009")), 404),
    **dict.fromkeys((f"JQ-ROSTER-{n}" for n in ("004", "010")), 409),
    **dict.fromkeys((f"JQ-CHAIN-{n}" for n in ("010", "014")), 404),
    **dict.fromkeys((f"JQ-CHAIN-{n}" for n in ("011", "015", "019")), 409),
    **dict.fromkeys((f"JQ-NETWORK-{n}" for n in ("004", "005", "006")), 404),
    **dict.fromkeys((f"JQ-ASSESS-{n}" for n in ("089", "090", "091", "097", "098")), 404),
    "JQ-NETWORK-003": 409,
    **dict.fromkeys((f"JQ-ASSESS-{n}" for n in ("034", "061", "069", "070", "071")), 404),
    **dict.fromkeys((f"JQ-ASSESS-{n}" for n in ("062", "064")), 409),
    "JQ-ASSESS-120": 409,
    "JQ-ASSESS-123": 404,
    "JQ-ASSESS-121": 404,
    "JQ-ASSESS-128": 404,
    "JQ-ASSESS-130": 409,
    "JQ-ASSESS-145": 409,
    "JQ-ASSESS-146": 404,
    "JQ-IMPORT-001": 404,
    "JQ-IMPORT-007": 429,
    "JQ-IMPORT-009": 409,
    "JQ-IMPORT-010": 409,
    "JQ-IMPORT-011": 409,
    "JQ-IMPORT-012": 409,
    "JQ-IMPORT-013": 409,
}
"""Errors whose status their kind does not tell."""


class Refused(HTTPException):
    """A request refused by the shell, with the code that says why and what its message needs."""

    def __init__(self, status: int, code: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> None:
        super().__init__(status, code, dict(headers or {}))
        self.code = code
        self.fields = fields


def too_many(seconds: float) -> Refused:
    """The refusal of one request too many: when the next may come."""
    after = math.ceil(seconds)
    return Refused(429, "JQ-WEB-007", headers={"Retry-After": str(after)}, seconds=after)


def checked(model: type[M], **values: Any) -> M:
    """A request made of what a visitor gave: where it cannot be, the mistake is theirs; any other model's is ours.

    Raises
    ------
    RequestValidationError
        A value is not as declared.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error


def install(app: FastAPI) -> None:
    """Let the app answer its errors so."""
    for kind in (JiqunError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)


def answer(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in `error`."""
    if isinstance(error, PermissionDeniedError) and not request.url.path.startswith(api.PREFIX):
        who = _who(request)
        if who.account is None and request.method in {"GET", "HEAD"}:
            query = f"?{request.url.query}" if request.url.query else ""
            address = f"/sign-in?next={quote(request.url.path + query, safe='/')}"
            return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
    status, code, fields = _classified(request, error)
    headers = getattr(error, "headers", None) or {}
    if request.url.path.startswith(api.PREFIX):
        words, hint = _words(code, "zh" if _language(request) == "zh" else "en", fields)
        response: Response = api.problem(status, code, words, hint, instance=request.url.path)
    else:
        response = error_page(request, status, code, fields)
    for name, value in headers.items():
        response.headers[name] = value
    return response


def error_page(request: Request, status: int, code: str, fields: Mapping[str, Any]) -> Response:
    """A page that says what was wrong and what to do."""
    who = _who(request)
    title, hint = _words(code, who.language, fields)
    back = request.url.path if request.method == "GET" and status in {429, 500, 503} else ""
    return page(request, who, "error.html", status=status, title=title, hint=hint, back=back, mark=code)


def _classified(request: Request, error: Exception) -> tuple[int, str, Mapping[str, Any]]:
    if isinstance(error, Refused):
        return error.status_code, error.code, error.fields
    if isinstance(error, HTTPException):
        code = "JQ-WEB-009" if error.detail == FORGED else _OF_STATUS.get(error.status_code, "JQ-WEB-012")
        return error.status_code, code, {"limit": "—", "fields": "—", "seconds": 1, "id": "—"}
    if isinstance(error, RequestValidationError):
        fields = ", ".join(dict.fromkeys(str(part["loc"][-1]) for part in error.errors() if part.get("loc")))
        lost = any(part["loc"][:1] == ("path",) for part in error.errors())  # no page has such an address
        return (404, "JQ-WEB-003", {}) if lost else (422, "JQ-WEB-006", {"fields": fields[:200]})
    if isinstance(error, JiqunError):
        return _status(request, error), error.code, error.fields
    return 500, "JQ-WEB-008", {"id": request.state.id}


def _status(request: Request, error: JiqunError) -> int:
    if isinstance(error, PermissionDeniedError):
        return 403 if "authorization" in request.headers or _who(request).account else 401
    return _STATUS.get(error.code, _of_kind(error))


def _of_kind(error: JiqunError) -> int:
    kinds: tuple[tuple[type[JiqunError], int], ...] = ((UsageError, 400), (InputError, 422), (WorkspaceError, 503))
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


def explained(error: JiqunError, language: Language) -> tuple[str, str]:
    """What was wrong and what to do, for a form that is shown again."""
    return _words(error.code, language, error.fields)


def refused_value(title: Text, given: str, expected: Text) -> UsageError:
    """JQ-ASSESS-032 in the words of a form: what a field is for, what was given, what it may be."""
    what, may = ({"zh": text.zh, "en": text.en} for text in (title, expected))
    return UsageError("JQ-ASSESS-032", what=what, value=given.strip()[:80] or "—", expected=may)


def by_field(
    wrong: Mapping[str, JiqunError], fields: Iterable[str], language: Language
) -> tuple[list[tuple[str, str, str, str]], dict[str, str]]:
    """What is wrong with a form: field, code, words and hint of each, in the order of the fields; and the text at each field.

    An error of no field ("") comes first.
    """
    names = list(fields)
    told = [(name, wrong[name].code, *explained(wrong[name], language)) for name in ("", *names) if name in wrong]
    return told, dict.fromkeys(names, "") | {name: f"{words} {hint}".strip() for name, _, words, hint in told}


def _words(code: str, language: Language, fields: Mapping[str, Any]) -> tuple[str, str]:
    first, _, rest = catalogue()[code].render(language, **fields).partition("\n")
    return first.partition(" ")[2], rest.strip()


def _who(request: Request) -> Visitor:
    """The visitor; one who is signed out where even that cannot be found out."""
    with suppress(Exception):
        return visitor(request)
    return signed_out(request)


def _language(request: Request) -> Language:
    return _who(request).language
