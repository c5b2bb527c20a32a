"""`jiqun classify`: by code, by text, and by a model of one's own: sample, label, train, choose."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from typer.core import TyperGroup

from jiqun import taxonomy
from jiqun.classify import desk, records
from jiqun.cli.output import Format, progress, say, write
from jiqun.cli.taxonomy import Definition, codes
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.errors import InputError, UsageError
from jiqun.core.schema import schema
from jiqun.intake.columns import match_columns
from jiqun.intake.desk import open_source
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.taxonomy.firms import COLUMNS

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Output format.")]
SampleArgument = Annotated[str, typer.Argument(metavar="SAMPLE", help="Id of a sample 样本, from `classify samples`.")]


class KindName(StrEnum):
    """Kinds of text."""

    main_business = "main_business"
    scope = "scope"
    summary = "summary"
    name = "name"


class HandName(StrEnum):
    """The two annotators."""

    first = "first"
    second = "second"


class By(StrEnum):
    """What reads texts."""

    lexicon = "lexicon"
    model = "model"


KindOption = Annotated[KindName, typer.Option(help="Kind of text 文本种类: main business, scope, profile, name.")]
HandOption = Annotated[HandName, typer.Option(help="Whose labels 标注人; the two label without seeing each other's.")]


class _Codes(TyperGroup):
    """What is no command of the group is a code: `jiqun classify 3912 6513`."""

    otherwise = "codes"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `codes` in front of what is not a command."""
        if args and args[0] != "--help" and args[0] not in self.commands:
            args = [self.otherwise, *args]
        return list(super().parse_args(ctx, args))


def register(app: typer.Typer) -> None:
    """Add the commands of classification."""
    group = typer.Typer(
        help="Digital classes 数字经济类别 by code, by text, by a model of one's own.", cls=_Codes, no_args_is_help=True
    )
    for command in (codes, text, sample, samples, export, label, agreement, settle, train, show, choose):
        group.command(command.__name__)(command)
    app.add_typer(group, name="classify")


def text(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|TEXT", help="A CSV, Excel or Parquet file, or texts; - reads one per line from stdin."
        ),
    ] = None,
    kind: KindOption = KindName.main_business,
    column: Annotated[
        str | None, typer.Option(metavar="HEADER", help="Column 列 of texts; default: recognised.")
    ] = None,
    definition: Annotated[
        Definition, typer.Option(help="narrow 窄口径: divisions 01-04; broad 宽口径: 05 as well.")
    ] = Definition.narrow,
    form: FormatOption = Format.table,
) -> None:
    """Digital class 数字经济类别 by what firms say of themselves, and the words that decided.

    Of a file, a column of industry codes is used where there is one: a decisive code decides. `decided` false is undecided;
    the score is a difference of words' weights and no probability.

    Example: jiqun classify text "集成电路设计；技术服务" --kind scope
    """
    if not given:
        raise UsageError("JQ-TAXONOMY-013")
    path = Path(given[0])
    if len(given) == 1 and path.suffix.lower() in {".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".parquet"}:
        rows = _of_file(path, kind.value, column, definition.value)
    else:
        asked = [line for one in given for line in (_lines() if one == "-" else [one])]
        found = taxonomy.classify_text(asked, kind.value, definition=definition.value)
        rows = pl.concat([pl.DataFrame({"text": asked}, schema={"text": pl.String}), found], how="horizontal")
    if form is Format.table:
        rows = rows.with_columns(pl.col(pl.String).str.slice(0, 60)).drop("digital_division")
    write(rows, form)


def _lines() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def _of_file(path: Path, kind: taxonomy.Kind, column: str | None, definition: str) -> pl.DataFrame:
    """The rows of a file: name, text, and the answer of `classify_text`."""
    described = schema("organisations")
    reading = open_source(path, described, (), sheet=None, encoding=None)
    places = {found.target: str(found.position) for found in match_columns(reading.headers, described)[0]}
    at = str(reading.headers.index(column)) if column in reading.headers else None
    wanted = places.get(COLUMNS[kind]) if column is None else at
    if wanted is None:
        raise InputError("JQ-TAXONOMY-005", column=column or COLUMNS[kind], known=", ".join(reading.headers))
    named, coded = places.get("name"), places.get("industry_code")
    rows = pl.concat([batch.cells for batch in reading.batches], how="vertical_relaxed")
    texts = rows[wanted].alias("text")
    codes = rows[coded] if coded is not None else None
    found = taxonomy.classify_text(texts, kind, codes=codes, definition=definition)
    heads = [rows[named].alias("name")] if named not in {None, wanted} else []
    answers: pl.DataFrame = pl.concat([pl.DataFrame([*heads, texts]), found], how="horizontal")
    return answers


def sample(
    kind: KindOption,
    size: Annotated[int, typer.Option(help="How many texts 条数, 20 to 2000.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 1,
    workspace: WorkspaceOption = None,
) -> None:
    """Draw a sample 抽样 of texts to label from the organisations that are loaded now.

    In strata by the lexicon's score, so that rare classes appear; what each text stands for is kept with it.

    Example: jiqun classify sample --kind scope --size 200
    """
    opened = open_workspace(workspace)
    made = desk.draw_sample(LOCAL, opened, kind=kind.value, size=size, seed=seed, key=new_key())
    say(
        f"{made.id}: {made.size} 条文本，{len(made.strata)} 层。",
        f"{made.id}: {made.size} texts in {len(made.strata)} strata.",
    )
    sys.stdout.write(f"{made.id}\n")


def samples(workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """List samples 样本 and how far their labels are.

    Example: jiqun classify samples
    """
    opened = open_workspace(workspace)
    write(pl.DataFrame([_told(opened, one) for one in desk.samples(LOCAL, opened)], schema=_SAMPLES), form)


_SAMPLES = {
    "sample": pl.String,
    "kind": pl.String,
    "texts": pl.Int64,
    "first": pl.Int64,
    "second": pl.Int64,
    "disputed": pl.Int64,
    "drawn_at": pl.String,
}


def _told(opened: Workspace, one: records.Sample) -> dict[str, Any]:
    found = records.items(opened, one.id)
    given: dict[str, int] = {hand: sum(getattr(item, hand) is not None for item in found) for hand in records.HANDS}
    disputed = sum(item.disputed and item.settled is None for item in found)
    at = one.created_at.isoformat(timespec="minutes")
    return {"sample": one.id, "kind": one.text_kind, "texts": one.size, **given, "disputed": disputed, "drawn_at": at}


def export(
    sample: SampleArgument,
    hand: HandOption,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File 文件; default: stdout.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a sample as CSV for one annotator 导出标注表: fill in the column label with 01 to 05, none or unsure.

    Example: jiqun classify export smp_2f7k0q9xw4d1m8ze --hand first --out first.csv
    """
    content = desk.sheet(LOCAL, open_workspace(workspace), sample, hand.value)
    if out is None:
        sys.stdout.write(content)
    else:
        out.write_text(content, encoding="utf-8-sig")


def label(
    sample: SampleArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The filled-in sheet of `classify export`.")],
    hand: HandOption,
    workspace: WorkspaceOption = None,
) -> None:
    """Take in the labels of one annotator 读入标注.

    Example: jiqun classify label smp_2f7k0q9xw4d1m8ze first.csv --hand first
    """
    _given(sample, file, workspace, hand.value)


def settle(
    sample: SampleArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with item and label of what is disputed.")],
    workspace: WorkspaceOption = None,
) -> None:
    """Settle what the annotators disagree on 裁定.

    Example: jiqun classify settle smp_2f7k0q9xw4d1m8ze settled.csv
    """
    _given(sample, file, workspace, None)


def _given(sample: str, file: Path, workspace: Path | None, hand: records.Hand | None) -> None:
    opened = open_workspace(workspace)
    try:
        labels = desk.read_sheet(file.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("JQ-USE-005", file=file, reason=reason) from error
    if hand is None:
        changed = desk.settle(LOCAL, opened, sample, labels, key=new_key())
    else:
        changed = desk.give_labels(LOCAL, opened, sample, labels, hand=hand, key=new_key())
    say(f"{changed} 条标注有变动。", f"{changed} labels changed.")


def agreement(sample: SampleArgument, workspace: WorkspaceOption = None, form: FormatOption = Format.table) -> None:
    """Cohen's kappa 科恩卡帕 of the two annotators, and the texts they disagree on.

    Example: jiqun classify agreement smp_2f7k0q9xw4d1m8ze
    """
    found = desk.sample_items(LOCAL, open_workspace(workspace), sample)
    told = desk.agree(found)
    kappa = "—" if told.kappa is None else f"{told.kappa:.2f} ({told.low:.2f}–{told.high:.2f})"
    say(
        f"两人都标注的有 {told.items} 条，相同 {told.same} 条，kappa {kappa}。",
        f"Both labelled {told.items}, alike {told.same}, kappa {kappa}.",
    )
    names = ("item", "text", "first", "second")
    open_ = [tuple(getattr(item, name) for name in names) for item in found if item.disputed and item.settled is None]
    write(pl.DataFrame(open_, schema=dict.fromkeys(names, pl.String) | {"item": pl.Int64}, orient="row"), form)


def train(
    kind: KindOption,
    seed: Annotated[int, typer.Option(help="Seed of the folds.", min=0)] = 1,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Train a local linear model 训练 on all labels of a kind of text, and say how well it does on texts not seen.

    Nothing changes until `classify choose`: see what it and the lexicon reach on the same texts first.

    Example: jiqun classify train --kind scope
    """
    opened = open_workspace(workspace)
    LOCAL.require(desk.TRAIN, *desk.WHO)
    with progress() as report:
        desk.train_now(opened, kind.value, seed, progress=report)
    _show(opened, [kind.value], form)


def show(
    kind: Annotated[KindName | None, typer.Option(help="Kind of text 文本种类; default: all.")] = None,
    workspace: WorkspaceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """How well texts are classified here 质量: precision, recall, F1; "unmeasured" where nothing was labelled.

    Example: jiqun classify show --format json
    """
    _show(open_workspace(workspace), [kind.value] if kind else taxonomy.KINDS, form)


def _show(opened: Workspace, kinds: Sequence[taxonomy.Kind], form: Format) -> None:
    chosen = desk.chosen(LOCAL, opened)
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        stored = desk.quality(LOCAL, opened, kind)
        told: Any = stored.values["quality"] if stored else None
        for by in By:
            used = (chosen[kind] is not None) == (by is By.model)
            row: dict[str, Any] = {"kind": kind, "by": by.value, "used": used, "measured": "unmeasured 未测"}
            if told:
                row["measured"] = f"{told['texts']} labelled, {told['core']} core"
                row |= {
                    name: _rounded(told[by.value][name])
                    for name in ("precision", "recall", "f1", "low", "high", "abstained")
                }
            rows.append(row)
    write(pl.DataFrame(rows, schema=_QUALITY), form)


_QUALITY: dict[str, Any] = {
    "kind": pl.String,
    "by": pl.String,
    "used": pl.Boolean,
    "measured": pl.String,
} | dict.fromkeys(("precision", "recall", "f1", "low", "high", "abstained"), pl.Float64)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def choose(
    by: Annotated[By, typer.Argument(help="What is to read texts of the kind.")],
    kind: KindOption,
    workspace: WorkspaceOption = None,
) -> None:
    """Choose model or lexicon 选用 for a kind of text; the next `jiqun atlas run` reads by it. It goes on record.

    Example: jiqun classify choose model --kind scope
    """
    desk.choose(LOCAL, open_workspace(workspace), kind=kind.value, model=by is By.model, key=new_key())
