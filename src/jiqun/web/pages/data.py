"""Data 数据: what is loaded, from where, as of when, and what was refused."""

from __future__ import annotations

import re
from itertools import takewhile

from fastapi import APIRouter, Request, Response

from jiqun.atlas import operations as atlas
from jiqun.core.document import Column, Table, Text
from jiqun.core.errors import Language, catalogue
from jiqun.core.schema import schema
from jiqun.intake.gazetteer import ATTRIBUTION
from jiqun.report.land import SOURCE
from jiqun.web.pages import atlas_parts as parts
from jiqun.web.render import page
from jiqun.web.visitor import VisitorDep, WorkspaceDep

router = APIRouter()
_CLAUSES = re.compile(r"(?<=[；。;])|(?<=\.)(?= [A-Z])")
SEVERITIES = {
    "refused": Text("拒收的行", "rows refused"),
    "emptied": Text("清空的单元格", "cells emptied"),
    "warning": Text("提醒", "warnings"),
    "duplicate": Text("重复的行", "duplicate rows"),
}


@router.get("/data")
def data(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Every table that is loaded."""
    tables = atlas.tables(visitor.actor, workspace, atlas.TablesRequest())
    return page(
        request,
        visitor,
        "data.html",
        tables=[(one, _problems(one, visitor.language), _columns(one)) for one in tables],
        attributions=(ATTRIBUTION, SOURCE),
    )


@router.get("/data.json")
def data_twin(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Every table that is loaded, as JSON."""
    tables = atlas.tables(visitor.actor, workspace, atlas.TablesRequest())
    content = b"[" + b",".join(one.model_dump_json().encode() for one in tables) + b"]"
    return parts.answer(request, content, "application/json")


@router.get("/data.csv")
def data_sheet(request: Request, visitor: VisitorDep, workspace: WorkspaceDep) -> Response:
    """Every load of every table, as CSV."""
    tables = atlas.tables(visitor.actor, workspace, atlas.TablesRequest())
    names = ("load", "as_of", "created", "source", "rows", "quarantined", "current")
    columns = tuple(Column(name, Text(name, name), "code") for name in ("table", *names))
    rows = [(one.table, *(str(getattr(load, name)) for name in names)) for one in tables for load in one.loads]
    return parts.table_answer(request, Table("loads", Text("装载", "Loads"), columns, rows, Text("", "")), "csv")


def _problems(table: atlas.TableRow, language: Language) -> list[tuple[str, Text, str, int]]:
    """Code, what became of it, how it reads, how often."""
    told = []
    for name, count in sorted(table.problems.items(), key=lambda one: -one[1]):
        code, _, severity = name.partition(" ")
        message = catalogue().get(code)
        hint = (message.hint_zh if language == "zh" else message.hint_en) if message else ""
        told.append((code, SEVERITIES.get(severity, Text(severity, severity)), _general(hint), count))
    return told


def _general(hint: str) -> str:
    """How a hint begins, up to the clause that speaks of a single row."""
    return "".join(takewhile(lambda part: "{" not in part, _CLAUSES.split(hint))).rstrip("；; ")


def _columns(table: atlas.TableRow) -> list[tuple[str, Text | None, str]]:
    """Name, description and unit of each column; columns that loading adds have no description."""
    known = {attribute.name: attribute for attribute in schema(table.table).attributes}
    return [
        (name, Text(known[name].description_zh, known[name].description_en), known[name].unit)
        if name in known
        else (name, None, "")
        for name in table.columns
    ]
