"""What a load says of itself 装载小结: read, kept, placed, refused and why, in both languages."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import Language
from jiqun.core.remarks import Remark
from jiqun.intake.columns import Column
from jiqun.intake.derived import Hanging


@dataclass(frozen=True)
class Problem:
    """One kind of finding 问题: how often, and the first in full."""

    code: str
    severity: str
    count: int
    row: int
    message: Text
    hint: Text


@dataclass(frozen=True)
class LoadReport:
    """What came of a load.

    `read` counts rows with content, of which `kept` are in the snapshot, `refused` cannot be used and `duplicates`
    repeat an earlier one. `emptied` counts cells. `precision` counts kept rows by how exactly they are placed: within
    1, 10, 30 km, `coarse` (a region or country), `none`. `new` and `gone` compare with the snapshot before
    (`before` rows; None if there was none). `snapshot` is None if nothing was written. `hanging` is what people have said
    of organisations that the load does not have. Of links and indicators `stay` and `replaced` say what becomes of the rows
    before: those of other sources stay. None where all are replaced.
    """

    table: str
    file: str
    kind: str
    sheet: str
    as_of: str
    crs: str
    columns: tuple[Column, ...]
    read: int
    blank: int
    kept: int
    refused: int
    duplicates: int
    emptied: int
    warnings: int
    problems: tuple[Problem, ...]
    precision: Mapping[str, int]
    placed_by: Mapping[str, int]
    before: int | None
    new: int
    gone: int
    notes: tuple[Text, ...]
    remarks: tuple[Remark, ...]
    cautions: tuple[Text, ...]
    snapshot: str | None
    load: int | None
    hanging: tuple[Hanging, ...] = ()
    stay: int | None = None
    replaced: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return asdict(self)

    def counts(self) -> pl.DataFrame:
        """What was counted, one row each: what, code, count."""
        names = ("read", "blank", "kept", "refused", "duplicates", "emptied", "warnings", "new", "gone")
        rows: list[tuple[str, str, int]] = [(name, "", getattr(self, name)) for name in names]
        rows += [
            (f"placed {name}" if name == "none" else f"placed within {name} km", "", n)
            for name, n in self.precision.items()
        ]
        rows += [(problem.severity, problem.code, problem.count) for problem in self.problems]
        return pl.DataFrame(rows, schema={"what": pl.String, "code": pl.String, "count": pl.Int64}, orient="row")

    def text(self, language: Language) -> str:
        """The report for people 小结文本."""
        return "\n".join(text.get(language) for text in self._lines())

    def _lines(self) -> Iterator[Text]:
        where = f" [{self.sheet}]" if self.sheet else ""
        done = Text("已装载", "loaded") if self.snapshot else Text("仅检查，未写入", "checked only, nothing written")
        yield Text(f"{self.file}{where} → {self.table}：{done.zh}", f"{self.file}{where} → {self.table}: {done.en}")
        for note in self.notes:
            yield Text(f"  {note.zh}", f"  {note.en}")
        yield from self._counts()
        if self.precision:
            yield from self._places()
        if self.before is not None:
            yield Text(
                f"  与上一快照（{self.before:,} 行）相比：新增 {self.new:,}，消失 {self.gone:,}",
                f"  against the snapshot before ({self.before:,} rows): {self.new:,} new, {self.gone:,} gone",
            )
        if self.stay is not None:
            yield Text(
                f"  原有的行：其他来源的 {self.stay:,} 行保留，{self.replaced:,} 行由本次装载取代",
                f"  of the rows before {self.stay:,} stay, being of other sources; {self.replaced:,} are replaced",
            )
        yield Text("  列：", "  columns:")
        for column in self.columns:
            why = _why(column)
            yield Text(
                f"    {column.header} → {column.target or '—'}（{why.zh}）",
                f"    {column.header} → {column.target or '—'} ({why.en})",
            )
        for caution in self.cautions:
            yield Text(f"  注意：{caution.zh}", f"  caution: {caution.en}")

    def _counts(self) -> Iterator[Text]:
        yield Text(
            f"  读入 {self.read:,} 行，保留 {self.kept:,}，拒收 {self.refused:,}，重复 {self.duplicates:,}；"
            f"清空单元格 {self.emptied:,}，警告 {self.warnings:,}；空行 {self.blank:,}",
            f"  {self.read:,} rows read: {self.kept:,} kept, {self.refused:,} refused, {self.duplicates:,} duplicates; "
            f"{self.emptied:,} cells emptied, {self.warnings:,} warnings; {self.blank:,} blank rows",
        )

    def _places(self) -> Iterator[Text]:
        exact = [(name, self.precision.get(name, 0)) for name in ("1", "10", "30")]
        coarse, none = self.precision.get("coarse", 0), self.precision.get("none", 0)
        zh = "，".join(f"{km} 公里内 {count:,}" for km, count in exact)
        en = ", ".join(f"{count:,} within {km} km" for km, count in exact)
        yield Text(
            f"  定位 {self.kept - none:,} 行：{zh}，仅到省或国家 {coarse:,}；未定位 {none:,}",
            f"  {self.kept - none:,} rows placed: {en}, {coarse:,} by region or country only; {none:,} not placed",
        )

    def problem_texts(self, language: Language, command: str = "") -> Iterator[str]:
        """What is odd about the file; then each kind of problem: the first in full, how many more, how to see them."""
        for remark in self.remarks:
            yield f"{remark.code} {remark.message.get(language)}\n  {remark.hint.get(language)}"
        for problem in self.problems:
            lines = [f"{problem.code} {problem.message.get(language)}", f"  {problem.hint.get(language)}"]
            more = problem.count - 1
            if more:
                see = f"{command} --check-only --code {problem.code}" if command else ""
                zh, en = f"另有 {more:,} 处同样的问题", f"{more:,} more {'has' if more == 1 else 'have'} this problem"
                said = zh if language == "zh" else en
                lines.append(f"  {said}: {see}" if see else f"  {said}.")
            yield "\n".join(lines)


def command_line(
    path: str,
    table: str,
    *,
    mapping: tuple[tuple[str, str], ...],
    sheet: str | None,
    as_of: str | None,
    encoding: str | None,
) -> str:
    """The command that loads the same file again.

    Examples
    --------
    >>> command_line("my firms.xlsx", "organisations", mapping=(("单位", "name"),), sheet=None, as_of=None, encoding=None)
    "jiqun load 'my firms.xlsx' --as organisations --map '单位=name'"
    """
    words = ["jiqun", "load", path, "--as", table]
    for header, attribute in mapping:
        words += ["--map", f"{header}={attribute}"]
    for option, value in (("--sheet", sheet), ("--as-of", as_of), ("--encoding", encoding)):
        if value:
            words += [option, value]
    return shlex.join(words)


def _why(column: Column) -> Text:
    unit = f"×{column.factor:,.10g}" if column.factor != 1.0 else ""
    told = {
        "map": Text("--map 指定", "as --map says"),
        "name": Text("字段名", "its name"),
        "alias": Text("已知表头", "a known header"),
        "taken": Text(
            f"{column.detail} 已另有一列，本列原样保留", f"{column.detail} has a column already; kept as text"
        ),
        "unit": Text(f"单位 {column.detail} 不符，原样保留", f"its unit {column.detail} does not fit; kept as text"),
        "unknown": Text("不认识，原样保留", "not known; kept as text"),
        "personal": Text("像是个人信息，不读入", "looks like personal data; left out"),
        "ignored": Text("按 --map 不识别，原样保留", "left out by --map; kept as text"),
    }[column.why]
    return Text(f"{told.zh}，{unit}", f"{told.en}, {unit}") if unit else told
