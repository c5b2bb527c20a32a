"""Reports as Word: an office's own template gives the look, the document fills its fields.

A template is a Word file with Jinja fields (docxtpl): `{{ title }}` and, in a paragraph of its own, `{{p body }}` are
required, the rest of `FIELDS` is free. The body is set in named styles; those that a template lacks come from the
shipped one (`templates/report.docx`, made by `scripts/word_template.py`).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from jiqun.core.document import Document
from jiqun.core.errors import InputError, Language
from jiqun.report.markup import Html
from jiqun.report.picture import Picture
from jiqun.report.plain import Drawing, Item, Plain, Words, plain
from jiqun.report.typesetting import SANS, installed, pngs
from jiqun.report.word_body import NAMESPACES, PARAGRAPHS, TABLES, Body

if TYPE_CHECKING:
    from docx.document import Document as WordFile
    from docxtpl import DocxTemplate
    from jinja2.sandbox import SandboxedEnvironment

FIELDS = ("title", "subtitle", "lead", "figures", "made", "digest", "body")
"""What a template may ask for: `lead` is the first leading paragraph and `figures` the first key figures, which the body
then leaves out; `made` is the date in words, `digest` the result's name."""

REQUIRED = ("title", "body")
_BLOCKS = ("figures", "body")
_APART = {"lead": "lead", "figures": "keys"}
"""The fields that take an item out of the body, and its kind."""

_MAIN = "word/document.xml"
_MARK = re.compile(rb'<w:p><w:bookmarkStart w:id="0" w:name="jiqun_(\w+)"/><w:bookmarkEnd w:id="0"/></w:p>')
_PLACE = "//*[self::w:body or self::w:tc or self::w:sdtContent]/w:p/w:bookmarkStart[@w:name='jiqun_{}']"
_LONGEST_PROPERTY = 255
_NARROWEST = 4000
"""Twips: what a text needs, whatever a template says of its page."""
_UNCHANGING = (1980, 1, 1, 0, 0, 0)


def docx(
    document: Document, language: Language, *, template: Path | None = None, made: datetime | None = None
) -> bytes:
    """A document as Word, editable, with real tables and captions 文档.

    Parameters
    ----------
    template
        An office's own template; default: the one that comes with jiqun.
    made
        The date on the cover and in the file; without one there is none, and equal documents give equal bytes.

    Raises
    ------
    InputError
        JQ-REPORT-001: no typeface for the Chinese in pictures. JQ-REPORT-002: the template cannot be read. JQ-REPORT-003: it lacks a required field.
        JQ-REPORT-004: it asks for a field that there is not, or is no valid template.
    ValueError
        As `jiqun.report.html`.
    """
    told = plain(document, language, made=made, font=", ".join([*installed(SANS), "sans-serif"]))
    name = str(template or "report.docx")
    filled, environment, asked = _opened(_read(template), name)
    apart = {field: _first(told, kind) for field, kind in _APART.items() if field in asked}
    lead = apart.get("lead")
    marked = ["body", *(["figures"] if apart.get("figures") else [])]
    fields = {
        "title": told.title,
        "subtitle": told.subtitle,
        "lead": lead.text if isinstance(lead, Words) else "",
        "figures": "",
        "made": told.made,
        "digest": told.digest,
        **{field: _mark(field) for field in marked},
    }
    with _refusing(name):
        filled.render(fields, environment)
    file: WordFile = filled.docx
    if lost := [field for field in marked if not file.element.xpath(_PLACE.format(field))]:
        raise InputError("JQ-REPORT-003", file=name, missing=_listed(lost))
    _complete_styles(file)
    body = _body(file, told)
    parts = {"body": body.written([item for item in apart.values() if item])}
    if figures := apart.get("figures"):
        parts["figures"] = body.item(figures)
    properties = file.core_properties
    properties.title, properties.author = told.title[:_LONGEST_PROPERTY], "jiqun"
    properties.language = {"zh": "zh-CN", "en": "en-GB"}[language]
    if made:
        properties.created = properties.modified = made
    out = io.BytesIO()
    file.save(out)
    return steady(out.getvalue(), parts)


def _opened(content: bytes, name: str) -> tuple[DocxTemplate, SandboxedEnvironment, set[str]]:
    """The template, what its fields are read with, and the fields it asks for, which are known and enough."""
    from docxtpl import DocxTemplate  # noqa: PLC0415  # slow to import, and only this form needs it
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415

    environment = SandboxedEnvironment(autoescape=True)
    with _refusing(name):
        filled = DocxTemplate(io.BytesIO(content))
        asked = filled.get_undeclared_template_variables(environment)
    if missing := [field for field in REQUIRED if field not in asked]:
        raise InputError("JQ-REPORT-003", file=name, missing=_listed(missing))
    if unknown := sorted(asked - set(FIELDS)):
        raise InputError("JQ-REPORT-004", file=name, found=_listed(unknown), known=_listed(FIELDS))
    return filled, environment, asked


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say of a template what is wrong with it."""
    from jinja2 import TemplateError  # noqa: PLC0415

    try:
        yield
    except TemplateError as error:
        raise InputError("JQ-REPORT-004", file=name, found=error, known=_listed(FIELDS)) from error
    except (KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise InputError("JQ-REPORT-002", file=name, reason=error) from error


def _read(template: Path | None) -> bytes:
    if template is None:
        return files("jiqun.report").joinpath("templates", "report.docx").read_bytes()
    try:
        return template.read_bytes()
    except OSError as error:
        raise InputError("JQ-REPORT-002", file=template, reason=error.strerror or error) from error


def _listed(fields: Sequence[str]) -> str:
    """Fields as a template holds them; those that are more than words are told from the rest by a p."""
    return " ".join(f"{{{{{'p' if field in _BLOCKS else ''} {field} }}}}" for field in fields)


def _complete_styles(file: WordFile) -> None:
    """Add the shipped form of every style that the template lacks."""
    import docx  # noqa: PLC0415

    there = {style.name for style in file.styles}
    lacking = [name for name in (*PARAGRAPHS, *TABLES) if name not in there]
    if not lacking:
        return
    shipped = docx.Document(io.BytesIO(_read(None)))
    known = {style.style_id for style in file.styles}
    for name in lacking:
        copied = deepcopy(shipped.styles[name].element)
        for reference in copied.xpath("w:basedOn | w:next | w:link"):
            if reference.get(f"{{{NAMESPACES['w']}}}val") not in known:
                copied.remove(reference)
        file.styles.element.append(copied)


def _first(told: Plain, kind: str) -> Item | None:
    return next((item for item in told.items if item.kind == kind), None)


def _mark(name: str) -> Html:
    """A paragraph that gives way in the saved file: to move long bodies between XML trees takes lxml minutes."""
    return Html(f'<w:p><w:bookmarkStart w:id="0" w:name="jiqun_{name}"/><w:bookmarkEnd w:id="0"/></w:p>')


def _body(file: WordFile, told: Plain) -> Body:
    """What writes the body, its pictures embedded."""
    drawings = [item for item in told.items if isinstance(item, Drawing)]
    legends = [piece for item in drawings for entry in item.legend for piece in entry if isinstance(piece, Picture)]
    drawn = list(dict.fromkeys([*(item.picture for item in drawings), *legends]))
    embedded = {
        each: file.part.get_or_add_image(io.BytesIO(png))[0] for each, png in zip(drawn, pngs(drawn), strict=True)
    }
    page = file.sections[-1]
    sides = [length.twips if length else 0 for length in (page.page_width, page.left_margin, page.right_margin)]
    width = max(sides[0] - sides[1] - sides[2], _NARROWEST)
    ids = {name: file.styles[name].style_id for name in (*PARAGRAPHS, *TABLES)}
    return Body(told, ids, embedded.__getitem__, width)


def steady(content: bytes, parts: Mapping[str, str] | None = None) -> bytes:
    """The same Word file with the same bytes whenever it is written; `parts` stand where their marks stood."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, _UNCHANGING)
            entry.compress_type = zipfile.ZIP_DEFLATED
            held = old.read(name)
            if name == _MAIN:
                held = _MARK.sub(lambda found: (parts or {}).get(found[1].decode(), found[0].decode()).encode(), held)
            new.writestr(entry, held)
    return out.getvalue()
