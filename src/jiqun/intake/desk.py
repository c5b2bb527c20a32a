"""Intake's desk 装载台: load a file or dataframe into a workspace; make a template to fill in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from jiqun.core.actor import Actor
from jiqun.core.document import Text
from jiqun.core.errors import InputError, UsageError, WorkspaceError, current_language
from jiqun.core.progress import Progress, silent
from jiqun.core.remarks import Remark
from jiqun.core.schema import Schema
from jiqun.core.schema import schema as table_schema
from jiqun.intake.check import TYPES, Rules
from jiqun.intake.columns import recognise, split_unit
from jiqun.intake.crs import Crs
from jiqun.intake.delimited import open_delimited
from jiqun.intake.derived import hanging
from jiqun.intake.excel import open_excel
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.identity import Register
from jiqun.intake.load import Tally, run
from jiqun.intake.own_points import OwnPoints
from jiqun.intake.quarantine import Export, Sink, worded
from jiqun.intake.read import Reading, open_frame, open_parquet, source_kind
from jiqun.intake.sources import Sources
from jiqun.intake.summary import LoadReport, Problem
from jiqun.store import Workspace
from jiqun.store.snapshots import SnapshotWriter, parsed_date

_ORDER = {"refused": 0, "duplicate": 1, "emptied": 2, "warning": 3}
_MANY = 0.5
_FEW_POINTS = 10
_LISTED = 20


def load(
    actor: Actor,
    workspace: Workspace,
    source: Any,
    table: str,
    *,
    mapping: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    crs: Crs = "wgs84",
    sheet: str | None = None,
    encoding: str | None = None,
    as_of: date | str | None = None,
    name: str | None = None,
    check_only: bool = False,
    quarantine: Path | None = None,
    on_problems: Callable[[pl.DataFrame], None] | None = None,
    on_rows: Callable[[pl.DataFrame], None] | None = None,
    amend: Callable[[Reading], Reading] | None = None,
    replace_all: bool = False,
    label: str | None = None,
    remarks: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> LoadReport:
    """Load a table 装载 from a CSV, Excel or Parquet file or any dataframe; it becomes the current snapshot.

    Good rows are kept whatever is wrong with others; what is wrong goes to the quarantine beside the snapshot
    (`Workspace.scan_quarantine`). An organisation that the previous snapshot has keeps its id.

    Parameters
    ----------
    source
        A path, or a pandas, Polars, PyArrow, DuckDB or Spark frame.
    table
        A table of `jiqun.core.schema`.
    mapping
        Header → attribute, where headers are not recognised; several headers for one attribute are alternatives.
    crs
        Coordinate system of the file's coordinates; they are kept as WGS-84.
    sheet, encoding
        Which sheet of a workbook, and the encoding of a text file, if not as found.
    as_of
        The date the rows speak of; today by the workspace's clock. Dates after it are refused.
    name
        What the source is called, in messages and in the table's history; default: the file's name.
    check_only
        Do all but write.
    quarantine
        Also write the findings to this .xlsx or .csv, even if no row can be used; an older file is replaced.
    on_problems
        Also hand each frame of findings to this function (columns as in `jiqun.intake.quarantine`).
    on_rows
        With `check_only`: hand the good rows to this function, as they would be written.
    amend
        What to make of the opened source before its rows are checked, such as `fixes.amended`.
    label
        Which source the rows of links or indicators are of: it replaces what it gave before; default: `name`.
    replace_all
        Links and indicators: replace all rows that are there, those of other sources and of surveys too.
    remarks
        What the table's history is to keep of this load beside its counts.

    Returns
    -------
    `LoadReport`: counts, columns, problems by code with the first of each in full.

    Raises
    ------
    InputError
        JQ-FILE-…: the source cannot be read, or no row of it can be used (013; not with `check_only`).
    WorkspaceError
        JQ-STORE-016: the current snapshot, whose ids are to be kept, is damaged.
    UsageError
        An unknown table, attribute, coordinate system or date; JQ-FILE-030: `quarantine` is the source itself.
    PermissionDeniedError
        The actor is neither operator nor analyst.
    """
    actor.require("intake.load", "operator", "analyst")
    schema = table_schema(table)
    pairs = tuple(mapping.items()) if isinstance(mapping, Mapping) else tuple(mapping)
    day = parsed_date(as_of) if as_of is not None else workspace.clock().date()
    if quarantine is not None:
        _spare(source, quarantine)
    reading = open_source(source, schema, pairs, sheet=sheet, encoding=encoding)
    reading = reading.called(name)
    if amend is not None:
        reading = amend(reading)
    columns = recognise(reading.headers, schema, pairs)
    gazetteer = Gazetteer.load(workspace.cache)
    rules = Rules(
        schema, columns, day, gazetteer.region_codes(), excel=reading.kind == "excel", since_1904=reading.since_1904
    )
    with ExitStack() as stack:
        sinks = [on_problems] if on_problems else []
        if quarantine is not None:
            export = Export(quarantine)
            sinks.append(export.write)
        writer = None
        if not check_only:
            # entered first, so that it is left last: the export is complete when the load counts
            writer = stack.enter_context(workspace.new_snapshot(table, as_of=day, source=reading.name))
            sinks.append(writer.quarantine)
        if quarantine is not None:
            stack.enter_context(export)
        loads = workspace.history(table)
        register = Register(schema, next_id=max((load.summary.get("next_id", 1) for load in loads), default=1))
        before = _remember(workspace, table, register)
        number = len(loads) + 1
        write = writer.write if writer else on_rows or _nowhere
        sources = Sources(workspace, table, label or reading.name, off=replace_all)
        tally = run(
            reading,
            rules,
            register,
            write=lambda rows: write(sources.taken(rows)),
            quarantine=_worded_to(sinks, reading, number),
            gazetteer=gazetteer,
            own=OwnPoints.of(workspace, table, gazetteer),
            crs=crs,
            progress=progress,
        )
        if not tally.read:
            raise InputError("JQ-FILE-003", file=reading.name, headers=", ".join(reading.headers))
        _follow(register, writer)
        report = _with_hanging(_report(reading, rules, crs, tally, register, before), workspace, register)
        report = _with_rest(report, sources, write)
        if writer is not None:
            if quarantine is not None and not report.kept:
                export.finish()  # what is wrong is wanted most where nothing is right
            _refuse_nothing(report)
            told = {"next_id": register.next_id, "responses": sources.responses}
            writer.summary = _kept_summary(report) | told | dict(remarks or {})
    if writer is None or writer.snapshot is None:
        return report
    return replace(report, snapshot=writer.snapshot.id, load=writer.snapshot.load)


def open_source(
    source: Any, schema: Schema, pairs: tuple[tuple[str, str], ...], *, sheet: str | None, encoding: str | None
) -> Reading:
    """Open a file of any kind, or a dataframe, as a stream of batches; errors as for `load`."""
    if not isinstance(source, str | Path):
        return open_frame(source)
    path = Path(source)
    kind = source_kind(path)
    if kind == "excel":
        return open_excel(path, schema, pairs, sheet=sheet)
    if sheet is not None:
        raise UsageError("JQ-FILE-014", file=path.name)
    if kind == "parquet":
        return open_parquet(path)
    return open_delimited(path, schema, pairs, encoding=encoding)


def _spare(source: Any, quarantine: Path) -> None:
    """Findings must not be written over what is being read."""
    if isinstance(source, str | Path):
        with suppress(OSError):  # one of them is not there
            if Path(source).samefile(quarantine):
                raise UsageError("JQ-FILE-030", file=quarantine)


def _nowhere(_: pl.DataFrame) -> None:
    """Check only: rows go nowhere."""


def _worded_to(sinks: Sequence[Sink], reading: Reading, load_number: int) -> Sink:
    def sink(problems: pl.DataFrame) -> None:
        if sinks:
            told = worded(problems, file=reading.name, load=load_number, sheets=reading.sheets)
            for write in sinks:
                write(told)

    return sink


def _remember(workspace: Workspace, table: str, register: Register) -> int | None:
    """Enter the keys of the current snapshot; its number of rows, None where there is none."""
    current = next((snapshot for snapshot in workspace.tables() if snapshot.table == table), None)
    if current is None:
        return None
    # the keys that the source gave, not those that people or rosters have mended since
    current = workspace.snapshot(table, current.summary.get("base", current.id))
    scan = workspace.scan(table, current.id)
    try:
        known = scan.collect_schema()
        if "id" in known:
            schema = table_schema(table)
            absent = [name for name in register.columns if name not in known]
            keys = scan.with_columns(pl.lit(None, TYPES[schema[name].type]).alias(name) for name in absent)
            for rows in keys.select("id", *register.columns).collect_batches(chunk_size=250_000, maintain_order=True):
                register.remember(rows)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise WorkspaceError("JQ-STORE-016", path=current.path) from error
    return current.rows


def _follow(register: Register, writer: SnapshotWriter | None) -> None:
    """Let new ids give way to those that the firms had, in what was written too."""
    known = register.follow().rename({"before": "_before"})

    def called_as_before(rows: pl.DataFrame) -> pl.DataFrame:
        both = rows.join(known, on="id", how="left", maintain_order="left")
        return both.with_columns(id=pl.coalesce("_before", "id")).drop("_before")

    if writer is not None and known.height:
        writer.amend(called_as_before)


def _with_rest(report: LoadReport, sources: Sources, write: Sink) -> LoadReport:
    """Write the rows that other sources gave, and say how many these are."""
    if sources.off or report.before is None:
        return report
    for rows in sources.rest():
        write(rows)
    told: tuple[Remark, ...] = ()
    if sources.surveyed:
        told = (Remark.of("JQ-IMPORT-033", file=report.file, count=sources.surveyed),)
    return replace(
        report,
        stay=sources.stay,
        replaced=sources.replaced,
        gone=report.gone - sources.stay,
        remarks=(*report.remarks, *told),
    )


def _with_hanging(report: LoadReport, workspace: Workspace, register: Register) -> LoadReport:
    """Say what people have said of firms that this load does not have."""
    left = hanging(workspace, register.lacks) if report.table == "organisations" and report.kept else ()
    if not left:
        return report
    listed = ", ".join(f"{one.organisation} {one.name}".strip() for one in left[:_LISTED])
    counts = {what: sum(getattr(one, what) for one in left) for what in ("decisions", "corrections", "statements")}
    more = " …" if len(left) > _LISTED else ""
    remark = Remark.of("JQ-IMPORT-032", file=report.file, count=len(left), listed=f"{listed}{more}", **counts)
    return replace(report, remarks=(*report.remarks, remark), hanging=left)


def _report(
    reading: Reading, rules: Rules, crs: str, tally: Tally, register: Register, before: int | None
) -> LoadReport:
    severities = {severity: sum(n for (_, s), n in tally.by_code.items() if s == severity) for severity in _ORDER}
    return LoadReport(
        table=rules.schema.name,
        file=reading.name,
        kind=reading.kind,
        sheet=reading.sheet,
        as_of=rules.as_of.isoformat(),
        crs=crs,
        columns=rules.columns,
        read=tally.read,
        blank=tally.blank,
        kept=tally.kept,
        refused=tally.refused,
        duplicates=tally.duplicates,
        emptied=severities["emptied"],
        warnings=severities["warning"],
        problems=tuple(_problems(reading, tally)),
        precision=dict(tally.precision),
        placed_by=dict(sorted(tally.placed_by.items(), key=lambda item: -item[1])),
        before=before,
        new=register.new,
        gone=register.gone if before is not None else 0,
        notes=reading.notes,
        remarks=(*reading.remarks, *_odd_columns(reading.name, rules, tally)),
        cautions=tuple(_cautions(tally)),
        snapshot=None,
        load=None,
    )


def _odd_columns(file: str, rules: Rules, tally: Tally) -> Iterator[Remark]:
    """What is odd about columns as a whole: personal data, units mixed."""
    persons = [column.header for column in rules.columns if column.why == "personal"]
    if persons:
        yield Remark.of("JQ-FILE-034", file=file, columns=", ".join(persons))
    for column, (stated, bare) in tally.units.items():
        if stated and bare:
            units = ", ".join(f"{unit} {count:,}" for unit, count in stated.most_common(5))
            unit = split_unit(column.header)[1] or rules.schema[column.target].unit or "—"
            yield Remark.of("JQ-FILE-042", file=file, column=column.header, units=units, count=bare, unit=unit)


def _problems(reading: Reading, tally: Tally) -> list[Problem]:
    out = []
    for (code, severity), first in tally.first.items():
        row = worded(first, file=reading.name, load=0, sheets=reading.sheets).row(0, named=True)
        message, hint = Text(row["message_zh"], row["message_en"]), Text(row["hint_zh"], row["hint_en"])
        out.append(Problem(code, severity, tally.by_code[code, severity], row["row"], message, hint))
    return sorted(out, key=lambda problem: (_ORDER[problem.severity], -problem.count, problem.code))


def _cautions(tally: Tally) -> list[Text]:
    out = []
    if tally.points >= _FEW_POINTS and not tally.points_differ and tally.one_point:
        x, y = tally.one_point
        out.append(
            Text(
                f"{tally.points:,} 行坐标完全相同（{x:g}, {y:g}），多半不是真实位置",
                f"all {tally.points:,} coordinates are the same ({x:g}, {y:g}); hardly where all of them are",
            )
        )
    if tally.duplicates > _MANY * tally.read:
        out.append(
            Text(
                "半数以上的行重复；请检查标识列是否真的标识一行（可用 --map 表头=- 排除）",
                "more than half of the rows repeat others; does the identifying column identify rows? (--map HEADER=- leaves it out)",
            )
        )
    if tally.refused > _MANY * tally.read:
        out.append(Text("半数以上的行被拒收", "more than half of the rows were refused"))
    return out


def _refuse_nothing(report: LoadReport) -> None:
    """A load that keeps no row must not replace what is there."""
    if report.kept:
        return
    first = report.problems[0].message.get(current_language())
    raise InputError("JQ-FILE-013", file=report.file, count=report.read, first=first)


def _kept_summary(report: LoadReport) -> dict[str, Any]:
    """What the manifest keeps of a report."""
    names = (
        "kind",
        "sheet",
        "crs",
        "read",
        "blank",
        "kept",
        "refused",
        "duplicates",
        "emptied",
        "warnings",
        "precision",
        "placed_by",
        "new",
        "gone",
        "stay",
        "replaced",
    )
    plain = report.to_dict()
    return {name: plain[name] for name in names} | {
        "columns": {column.header: column.target for column in report.columns},
        "problems": {f"{problem.code} {problem.severity}": problem.count for problem in report.problems},
    }
