"""What the atlas's pages share 图谱页面共用: reading the address, fragments that are drawn once, twins and files."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import quote, urlencode

from fastapi import Path, Request, Response
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor

from jiqun.atlas.reading import Run
from jiqun.core.document import Document, Figure, Section, Table, Text
from jiqun.core.errors import Language, UsageError
from jiqun.report.blocks import walk
from jiqun.report.fragment import fragment
from jiqun.report.markup import Html
from jiqun.report.render import render
from jiqun.report.tables import as_json, csv
from jiqun.web.errors import checked
from jiqun.web.visitor import Visitor

M = TypeVar("M", bound=BaseModel)
KEPT = 256
Form = Literal["docx", "pdf", "xlsx", "html"]
"""Reports."""
Twin = Literal["csv", "json"]
"""What programs and sheets read."""
Name = Annotated[str, Path(pattern=r"^[\w.:-]{1,80}$")]


class _Ending(Convertor[str]):
    """The ending of a file's name; other dots belong to the name, as in the region CN.30."""

    regex = "|".join((*get_args(Form), *get_args(Twin)))

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("ending", _Ending())


def asked(request: Request, model: type[M], **more: Any) -> M:
    """What an address asks for; parameters that the model does not know, such as `lang`, are left alone.

    Raises
    ------
    RequestValidationError
        A value is not as declared.
    """
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        values = [value for value in request.query_params.getlist(key) if value]
        if values and name not in more:
            given[key] = values if get_origin(field.annotation) is tuple else values[-1]
    return checked(model, **given, **more)


def run_query(run: Run) -> dict[str, str]:
    """The parameters that name a run: none for the current one of all firms."""
    query = {"class": run.digital} if run.digital else {}
    return query if run.result.current else {**query, "run": run.id[:12]}


def suffix(query: dict[str, str]) -> str:
    """Parameters as the end of an address."""
    return f"?{urlencode(query)}" if query else ""


@dataclass(frozen=True)
class Drawn:
    """A document as a fragment of a page, with its title and its sentence."""

    title: Text
    sentence: Text
    body: Html


class _Kept:
    """The fragments drawn last, by what they show. Results do not change, so neither do they."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[object, Drawn] = OrderedDict()
        self._lock = Lock()

    def get(self, key: object, draw: Callable[[], Drawn]) -> Drawn:
        """The fragment of a key, drawn now if it is not kept."""
        with self._lock:
            found = self._drawn.get(key)
            if found is not None:
                self._drawn.move_to_end(key)
                return found
        drawn = draw()
        with self._lock:
            self._drawn[key] = drawn
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
        return drawn


_KEPT = _Kept()


def drawn(
    run: Run,
    base: str,
    language: Language,
    make: Callable[[], Document],
    *,
    full: bool = False,
    front: bool = False,
    beside: str = "",
) -> Drawn:
    """A document of a run as a fragment, drawn once.

    Parameters
    ----------
    base
        The address that its tables' twins lie below (`/clusters/c0001`), which also names what it shows; with
        parameters of its own after a question mark.
    full
        Whether it shows what is not for everybody.
    beside
        What it shows besides the run: the snapshot of another table.
    front
        Whether it is the first page, which leaves lineage to the others and whose twins are the whole list.
    """
    query = suffix(run_query(run))
    key = (run.result.path, run.hidden, base, query, language, full, beside)
    return _KEPT.get(key, lambda: _draw(make(), base, language, query, front=front))


def drawn_once(
    key: object,
    base: str,
    language: Language,
    query: dict[str, str],
    make: Callable[[], Document],
    *,
    bare: bool = False,
) -> Drawn:
    """A document of a stored result that is no run as a fragment, drawn once for each `key`; the rest as in `drawn`.

    `bare`: without lineage, for a part of a page that shows it elsewhere.
    """
    tail = suffix(query)
    return _KEPT.get((key, base, tail, language), lambda: _draw(make(), base, language, tail, front=False, bare=bare))


def _draw(document: Document, base: str, language: Language, query: str, *, front: bool, bare: bool = False) -> Drawn:
    if front:
        body = fragment(document.blocks, language, twin=lambda _: _twins(base, query), href=linker(query))
    else:
        path, _, own = base.partition("?")
        more = query.replace("?", "&", 1) if own else query
        own = f"?{own}" if own else ""
        content = document.blocks if bare else document
        body = fragment(
            content, language, twin=lambda table: _twins(f"{path}/{table.id}", own + more), href=linker(query)
        )
    return Drawn(document.title, document.subtitle, body)


def _twins(base: str, query: str) -> dict[str, str]:
    return {form: f"{base}.{form}{query}" for form in ("csv", "json")}


def list_twin(request: Request, base: str) -> Callable[[str], str]:
    """The addresses of a list's CSV and JSON: with its filters, whole."""
    kept = [
        (name, value) for name, value in request.query_params.multi_items() if name not in {"cursor", "limit", "lang"}
    ]
    return lambda form: f"{base}.{form}{suffix(dict(kept))}"


def linker(query: str) -> Callable[[str], str]:
    """Addresses of links in a document: another page where there is a slash, else a place on this one."""

    def address(anchor: str) -> str:
        more = query.replace("?", "&", 1) if "?" in anchor else query
        return f"/{anchor}{more}" if "/" in anchor else f"#{anchor}"

    return address


def find_table(document: Document, name: str) -> Table:
    """A table of a document by its id.

    Raises
    ------
    UsageError
        JQ-USE-001: it has no such table.
    """
    tables: dict[str, Table] = {}
    for block in walk(document.blocks):
        table = block.table if isinstance(block, Figure) else block
        if isinstance(table, Table) and not isinstance(block, Section):
            tables[table.id] = table
    if name not in tables:
        raise UsageError("JQ-USE-001", what="table", value=name, known=", ".join(tables))
    return tables[name]


def table_answer(request: Request, table: Table, form: Twin) -> Response:
    """A table as CSV or JSON."""
    if form == "csv":
        return answer(request, csv(table), "text/csv; charset=utf-8", name=f"{table.id}.csv")
    return answer(request, as_json(table), "application/json")


def file_answer(request: Request, visitor: Visitor, document: Document, form: Form) -> Response:
    """A document as a file to save."""
    file = render(document, form, visitor.language)
    return answer(request, file.content, file.media_type, name=file.name)


def answer(request: Request, content: bytes, media_type: str, *, name: str | None = None) -> Response:
    """Content with its tag, or 304 where the browser has it already; with a name it is saved."""
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Accept-Language, Accept-Encoding"}
    if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    if name:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=media_type, headers=headers)
