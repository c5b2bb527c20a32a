"""From a template and its values to an answer 页面生成: escaped, in the visitor's language, tagged, compressed.

`page` compresses in the thread of the page, so that the event loop never waits for it.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.report.formats import cell, spoken
from jiqun.report.markup import LANGUAGES, TAGS, Html, element, join
from jiqun.store.commands import new_key
from jiqun.web import i18n
from jiqun.web.assets import static
from jiqun.web.navigation import entries
from jiqun.web.visitor import FORM, FORM_HOURS, Visitor, set_cookie
from jiqun.web.words import AT_WORK, ENTRIES, JOBS, STEPS

_SMALLEST = 800
_LEVEL = 4
"""Three quarters of what level 9 saves, in a quarter of its time."""
_YEAR = 31_536_000


@cache
def environment(language: Language) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=PackageLoader("jiqun.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        partial(i18n.gettext, language), partial(i18n.ngettext, language), newstyle=True
    )
    made.filters |= {
        "t": lambda text: text.get(language) if isinstance(text, Text) else text,
        "spoken": lambda value: spoken(value).get(language),
        "number": lambda value, kind="integer", digits=1: cell(value, kind, language, digits),
        "moment": moment,
        "reason": partial(reason, language),
        "step": lambda name: STEPS.get(name or "", AT_WORK).get(language),
        "day": lambda value: "—" if value is None else str(value)[:10],
    }
    made.globals |= {
        "static": static,
        "language": language,
        "tag": TAGS[language],
        "tags": TAGS,
        "languages": LANGUAGES,
    }
    return made


def reason(language: Language, why: Any) -> str:
    """Why something failed: in the reader's language where both are known, else as it is."""
    if isinstance(why, dict):
        return str(why.get(language) or why.get("en") or why)
    return str(why)


def moment(value: Any) -> Html:
    """A time as `<time>`, to the minute, in UTC and saying so."""
    if value is None:
        return Html("—")
    return element("time", f"{value:%Y-%m-%d %H:%M} UTC", datetime=f"{value:%Y-%m-%dT%H:%M:%SZ}")


def page(
    request: Request,
    visitor: Visitor,
    template: str,
    *,
    status: int = 200,
    keep: bool = True,
    notes: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """A page from its template.

    Parameters
    ----------
    keep
        Whether the browser may keep it, to ask again with its tag; False for what shows a secret.
    notes
        What `?done=key` says at the top of the page after a form was done (`see_other(url, done="key")`).
    """
    used: list[str] = []

    def csrf(key: bool = True) -> Html:
        used.append("csrf")
        fields = [element("input", type="hidden", name="csrf", value=visitor.csrf)]
        if key:
            fields.append(element("input", type="hidden", name="key", value=new_key()))
        return join(fields)

    text = (
        environment(visitor.language)
        .get_template(template)
        .render(
            context,
            request=request,
            visitor=visitor,
            csrf=csrf,
            nav=entries(visitor, request.url.path),
            here=partial(here, request),
            done=(notes or {}).get(request.query_params.get("done", "")),
        )
    )
    response = _answer(request, text.encode(), status=status, keep=keep and status == 200)
    if used and visitor.form_cookie:
        set_cookie(request, response, FORM, visitor.form_cookie, seconds=FORM_HOURS * 3600)
    asked = i18n.asked(request)
    if asked and request.cookies.get(i18n.COOKIE) != asked:
        remember_language(response, asked)
    return response


def remember_language(response: Response, language: Language) -> None:
    """Keep the visitor's language for a year."""
    response.set_cookie(i18n.COOKIE, language, max_age=_YEAR, path="/", httponly=True, samesite="lax")


def _answer(request: Request, content: bytes, *, status: int, keep: bool) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Cookie, Accept-Language, Accept-Encoding"}
    if keep:
        tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers |= {"Cache-Control": "private, no-cache", "ETag": tag}
        if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
    if len(content) >= _SMALLEST and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, _LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(content, status_code=status, headers=headers)


def titles(request: Request) -> dict[str, Text]:
    """What operations are called, by name; entries and jobs bear their names."""
    return (
        JOBS
        | ENTRIES
        | {
            operation.name: operation.title
            for room in request.app.state.rooms
            for operation in room.operations.values()
        }
    )


def here(request: Request, **changes: Any) -> str:
    """The address of this page with some of its parameters changed; None takes one out.

    `done` belongs to one visit and is always taken out.
    """
    changes = {"done": None, **changes}
    kept = [
        (name, value) for name, value in parse_qsl(request.url.query, keep_blank_values=True) if name not in changes
    ]
    kept += [(name, str(value)) for name, value in changes.items() if value is not None]
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")


def see_other(url: str, *, done: str | None = None) -> RedirectResponse:
    """Send the browser on after a form; `done` names what `page(notes=…)` then says."""
    if done:
        url += f"{'&' if '?' in url else '?'}{urlencode({'done': done})}"
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})


def local(path: str | None, default: str = "/") -> str:
    r"""A path of this site to go on to, or the default: never another site.

    Examples
    --------
    >>> local("/clusters?size=10"), local("//example.org"), local("https://example.org/"), local("/\\example.org")
    ('/clusters?size=10', '/', '/', '/')
    """
    if not path or not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return default
    parts = urlsplit(path)
    return default if parts.scheme or parts.netloc else path


def attachment(content: bytes, name: str, kind: str) -> Response:
    """A file to keep. `name` is ours, of letters, digits, dots and hyphens."""
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
