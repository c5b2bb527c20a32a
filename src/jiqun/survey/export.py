"""What leaves the room as a file 导出: answers as a frame, and templates to begin with.

Neither holds contacts, nor who filled a form in.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter
import xlsxwriter.exceptions

from jiqun.accounts.views import record_view
from jiqun.core.actor import Actor
from jiqun.core.errors import InputError, Language, UsageError
from jiqun.core.schema import schema
from jiqun.core.sheets import neutralise
from jiqun.intake.check import choices
from jiqun.store import Workspace
from jiqun.survey import records
from jiqun.survey.questions import NUMERIC, Template, templates
from jiqun.survey.records import Round

_ROWS = 10_000


def answers_frame(actor: Actor, workspace: Workspace, survey: str) -> pl.DataFrame:
    """Single answers of a round 答卷导出: one row per organisation, or per tie in a round of links. Looking is recorded.

    Numbers are in the unit in which they are kept (CNY, shares from 0 to 1, persons); formulas are neutralised.

    Raises
    ------
    PermissionDeniedError
        JQ-SURVEY-014: the round does not let this role.
    """
    found = records.find(workspace, survey)
    records.require_reader(actor, found)
    there = {one.organisation: one for one in records.roster(workspace, survey)}
    rows: list[dict[str, Any]] = []
    for answer in records.handed_in(workspace, survey):
        record_view(workspace, actor, answer.organisation, "survey.answers")
        due = there[answer.organisation]
        base = {
            "organisation": due.organisation, "name": due.name, "region": due.region, "size_class": due.size_class,
            "version": answer.version, "at": answer.at.isoformat(),
        }  # fmt: skip
        kept = dict(answer.kept or {})
        if found.kind == "indicators":
            rows.append(base | {question.code: kept.get(question.code) for question in found.questions})
            continue
        for question in found.questions:
            for tie in kept.get(question.code, ()) if question.type == "ties" else ():
                named = {"partner": tie.get("id"), "partner_name": tie["name"], "strength": tie.get("strength")}
                rows.append(
                    base | {"question": question.code, "kind": question.link, "side": question.direction} | named
                )
    return neutralise(pl.DataFrame(rows, schema=_columns(found)))


def _columns(found: Round) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(("organisation", "name", "region", "size_class"), pl.String)
    base |= {"version": pl.Int64, "at": pl.String}
    if found.kind == "indicators":
        return base | {
            question.code: pl.Float64 if question.type in NUMERIC else pl.String for question in found.questions
        }
    texts = dict.fromkeys(("question", "kind", "side", "partner", "partner_name"), pl.String)
    return base | texts | {"strength": pl.Int64}


def template(name: str) -> Template:
    """A template by its name.

    Raises
    ------
    UsageError
        JQ-SURVEY-031: there is none.
    """
    found = templates().get(name)
    if found is None:
        raise UsageError("JQ-SURVEY-031", value=name[:60], known=", ".join(templates()))
    return found


def write_template(name: str, path: Path, language: Language = "zh", *, force: bool = False) -> Path:
    """Write a template 写模板: of a round as .toml, of a table of links as .xlsx or .csv, to be loaded as `links`.

    Raises
    ------
    UsageError
        JQ-SURVEY-031: no such template; JQ-FILE-017: another kind of file is needed; JQ-FILE-031: the file exists.
    InputError
        JQ-FILE-022: it cannot be written.
    """
    found = template(name)
    known = (".xlsx", ".csv") if found.kind == "import" else (".toml",)
    if path.suffix.lower() not in known:
        raise UsageError("JQ-FILE-017", file=path, known=" / ".join(known))
    if path.exists() and not force:
        raise UsageError("JQ-FILE-031", file=path)
    try:
        if found.kind != "import":
            path.write_bytes(Path(__file__).with_name("data").joinpath(f"{name}.toml").read_bytes())
        elif path.suffix.lower() == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerow(_headers(found, language))
        else:
            _workbook(found, path, language)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        raise InputError("JQ-FILE-022", file=path, reason=getattr(error, "strerror", None) or error) from error
    return path


def template_bytes(name: str, language: Language) -> bytes:
    """A template of a table of links as a workbook, in memory.

    Raises
    ------
    UsageError
        JQ-SURVEY-031: there is none of this name.
    """
    found = template(name)
    if found.kind != "import":
        raise UsageError("JQ-SURVEY-031", value=name, known=_imports())
    out = io.BytesIO()
    _workbook(found, out, language)
    return out.getvalue()


def _imports() -> str:
    return ", ".join(one.name for one in templates().values() if one.kind == "import")


def _headers(found: Template, language: Language) -> tuple[str, ...]:
    return tuple(zh if language == "zh" else en for zh, en in found.columns.values())


def _workbook(found: Template, path: Path | io.BytesIO, language: Language) -> None:
    """The empty table, and a second sheet that explains it by an example."""
    book = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False})
    bold = book.add_format({"bold": True, "bottom": 1})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet(found.title.get(language)[:31])
    word = choices().get(found.link, (found.link,))[0] if language == "zh" else found.link
    for place, (name, header) in enumerate(zip(found.columns, _headers(found, language), strict=True)):
        sheet.write_string(0, place, header, bold)
        sheet.set_column(place, place, 22, day if name == "since" else None)
        if name == "kind":
            sheet.data_validation(1, place, _ROWS, place, {"validate": "list", "source": [word]})
    sheet.freeze_panes(1, 0)
    help_ = book.add_worksheet({"zh": "说明", "en": "help"}[language])
    help_.write_string(0, 0, found.about.get(language))
    described = schema("links")
    for place, (name, header) in enumerate(zip(found.columns, _headers(found, language), strict=True)):
        help_.write_string(2, place, header, bold)
        about = described[name]
        help_.write_string(3, place, about.description_zh if language == "zh" else about.description_en)
        for row, example in enumerate(found.examples, 4):
            help_.write_string(row, place, word if name == "kind" else example[place])
        help_.set_column(place, place, 26)
    book.close()
