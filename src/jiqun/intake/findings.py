"""What a check found 检查发现, kept beside the upload: findings, and the rows they are of, for people to mend.

Two files of a folder per check: `findings.parquet` and `rows.parquet`, both in the order of the file's rows. Lists are
read from them a page at a time, whatever their length.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Annotated

import polars as pl
from pydantic import Field

from jiqun.core.document import Text
from jiqun.core.errors import UsageError
from jiqun.core.operation import Model
from jiqun.core.sheets import neutralise
from jiqun.intake.columns import plain
from jiqun.intake.fixes import suggestion
from jiqun.intake.quarantine import Export
from jiqun.intake.read import Batch, Reading
from jiqun.store.files import ParquetStream, make_folder

SEVERITIES = ("refused", "emptied", "duplicate", "warning")
"""What a finding does to its row, the gravest first."""
MEND = SEVERITIES[:2]
"""Severities that a person can do something about."""
_FINDINGS = {
    "row": pl.Int64,
    **dict.fromkeys(
        ("column", "value", "code", "severity", "detail", "message_zh", "message_en", "hint_zh", "hint_en", "raw"),
        pl.String,
    ),
}
MOST_IN_WORKBOOK = 20_000
"""Findings in an .xlsx; a .csv takes any number."""
_REPEATED = 12
_EXAMPLES = 3
_LONGEST = 200
_LONGEST_RULE = 500


class Finding(Model):
    """One thing that is wrong with a row 问题.

    `mend` names the headers whose cells would mend it; `suggestion` is what the value probably should be.
    """

    row: int
    column: str
    value: str | None
    code: str
    severity: str
    message: Text
    hint: Text
    mend: tuple[str, ...] = ()
    suggestion: str | None = None


class Repeated(Model):
    """A bad value that several rows share."""

    column: str
    value: str
    count: int
    suggestion: str | None = None


class Group(Model):
    """All findings of one code and severity: how many, the first in full, examples, and values that repeat."""

    code: str
    severity: str
    count: int
    message: Text
    hint: Text
    examples: tuple[Finding, ...] = ()
    repeated: tuple[Repeated, ...] = ()


class ProblemRow(Model):
    """A row of the file that something is wrong with 问题行; `cells` are those that are not empty, as last checked."""

    row: int
    cells: dict[str, str]
    findings: tuple[Finding, ...]
    raw: Annotated[str | None, Field(description="the line as it stands, where it is no row")] = None


class Keeper:
    """Writes down what a check finds, as it goes: hand `watch` to `desk.load` as `amend`, `keep` as `on_problems`.

    Of the columns `unseen`, by position, nothing is kept.
    """

    def __init__(self, folder: Path, unseen: Sequence[int] = ()) -> None:
        self._folder = folder
        self._unseen = [pl.lit(None, pl.String).alias(str(k)) for k in unseen]
        self._batch: Batch | None = None
        self._findings: ParquetStream
        self._rows: ParquetStream | None = None

    def __enter__(self) -> Keeper:
        shutil.rmtree(self._folder, ignore_errors=True)
        make_folder(self._folder)
        self._findings = ParquetStream(self._folder / "findings.parquet")
        self._findings.write(pl.DataFrame(schema=_FINDINGS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        files = [self._findings, *([self._rows] if self._rows else [])]
        if kind is None:
            for file in files:
                file.close()
            return
        for file in files:
            file.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    def watch(self, reading: Reading) -> Reading:
        """The same reading, whose batches pass by here."""
        width = len(reading.headers)
        self._rows = ParquetStream(self._folder / "rows.parquet")
        self._rows.write(pl.DataFrame(schema={"row": pl.Int64, **{str(k): pl.String for k in range(width)}}))

        def batches() -> Iterator[Batch]:
            for batch in reading.batches:
                self._batch = batch
                yield batch

        return replace(reading, batches=batches())

    def keep(self, problems: pl.DataFrame) -> None:
        """Take findings of the batch that passed last, with the rows that they are of."""
        batch = self._batch
        if batch is None or self._rows is None or problems.is_empty():
            return
        no_row = pl.col("column") == ""
        kept = problems.with_columns(pl.when(no_row).then("raw").alias("raw"))
        self._findings.write(kept.select(pl.col(name).cast(dtype) for name, dtype in _FINDINGS.items()))
        bad = batch.numbers.is_in(problems["row"].unique().implode())
        rows = (
            batch.cells.filter(bad)
            .cast(pl.String)
            .with_columns(self._unseen)
            .insert_column(0, batch.numbers.filter(bad).alias("row"))
        )
        self._rows.write(rows.select("row", *(str(k) for k in range(rows.width - 1))))


class Findings:
    """What one check found, read a page at a time."""

    def __init__(self, folder: Path, headers: Sequence[str]) -> None:
        self._folder = folder
        self.headers = tuple(headers)
        self._by_plain = {plain(header): header for header in reversed(self.headers)}

    @property
    def there(self) -> bool:
        """Whether the files are still kept."""
        return (self._folder / "findings.parquet").is_file() and (self._folder / "rows.parquet").is_file()

    def _scan(self, code: str | None = None, severity: str | None = None) -> pl.LazyFrame:
        found = pl.scan_parquet(self._folder / "findings.parquet", glob=False)
        for name, wanted in (("code", code), ("severity", severity)):
            if wanted is not None:
                found = found.filter(pl.col(name) == wanted)
        return found

    def groups(self) -> tuple[Group, ...]:
        """Every kind of finding 问题分组, refused rows first, then the most frequent."""
        kinds = self._scan().group_by("code", "severity").agg(pl.len()).collect()
        ranked = sorted(kinds.iter_rows(), key=lambda kind: (SEVERITIES.index(kind[1]), -kind[2], kind[0]))
        return tuple(self._group(code, severity, count) for code, severity, count in ranked)

    def _group(self, code: str, severity: str, count: int) -> Group:
        found = self._scan(code, severity)
        examples = tuple(map(self._finding, found.head(_EXAMPLES).collect().iter_rows(named=True)))
        first = examples[0]
        return Group(
            code=code,
            severity=severity,
            count=count,
            message=first.message,
            hint=first.hint,
            examples=examples,
            repeated=self._repeated(found) if severity in MEND else (),
        )

    def _repeated(self, found: pl.LazyFrame) -> tuple[Repeated, ...]:
        """Values of one column that stand in several rows."""
        short = pl.col("value").str.len_chars().is_between(1, _LONGEST_RULE)
        values = (
            found.filter(short, pl.col("column").is_in(self.headers))
            .group_by("column", "value", "code", maintain_order=True)
            .agg(pl.len().alias("count"), pl.col("detail").first())
            .filter(pl.col("count") > 1)
            .sort("count", descending=True, maintain_order=True)
            .head(_REPEATED)
            .collect()
        )
        return tuple(
            Repeated(
                column=row["column"],
                value=row["value"],
                count=row["count"],
                suggestion=suggestion(row["code"], row["value"], row["detail"]),
            )
            for row in values.iter_rows(named=True)
        )

    def count_rows(self, code: str | None = None, severities: Sequence[str] = SEVERITIES) -> int:
        """How many rows have findings (of a code, of certain severities)."""
        found = self._scan(code).filter(pl.col("severity").is_in(severities))
        return int(found.select(pl.col("row").n_unique()).collect().item())

    def rows(self, start: int, count: int, code: str | None = None) -> tuple[ProblemRow, ...]:
        """Some of the rows with findings (of a code), in the order of the file; all that is wrong with each."""
        numbers = self._scan(code).select("row").unique(maintain_order=True).slice(start, count).collect()["row"]
        if numbers.is_empty():
            return ()
        within = pl.col("row").is_between(numbers.min(), numbers.max()) & pl.col("row").is_in(numbers.implode())
        findings: dict[int, list[Finding]] = {number: [] for number in numbers}
        raw: dict[int, str | None] = dict.fromkeys(numbers)
        for found in self._scan().filter(within).collect().iter_rows(named=True):
            findings[found["row"]].append(self._finding(found))
            raw[found["row"]] = raw[found["row"]] or found["raw"]
        rows = pl.scan_parquet(self._folder / "rows.parquet", glob=False).filter(within).collect()
        cells = {
            number: {header: cell for header, cell in zip(self.headers, texts, strict=True) if cell and cell.strip()}
            for number, *texts in rows.iter_rows()
        }
        return tuple(
            ProblemRow(row=number, cells=cells.get(number, {}), findings=tuple(found), raw=raw[number])
            for number, found in findings.items()
        )

    def cells(self, numbers: pl.Series) -> pl.DataFrame:
        """Some of the rows with findings, as last checked: `row`, then a column `=k` for the k-th header."""
        rows = pl.scan_parquet(self._folder / "rows.parquet", glob=False)
        wanted = rows.filter(pl.col("row").is_in(numbers.implode())).collect()
        return wanted.rename({name: f"={name}" for name in wanted.columns if name != "row"})

    def export(self, path: Path) -> None:
        """All findings with their rows as .xlsx or .csv 导出; nothing in it can run.

        Raises
        ------
        UsageError
            JQ-IMPORT-014: too many findings for a workbook to be made while someone waits.
        """
        told = self._scan().select(pl.all().exclude("raw"))
        rows = pl.scan_parquet(self._folder / "rows.parquet", glob=False)
        unlike = _unlike(self.headers, told.collect_schema().names())
        harmless = neutralise(pl.DataFrame({"header": unlike}, schema={"header": pl.String}))["header"]
        named = {str(k): header for k, header in enumerate(harmless)}
        if path.suffix == ".xlsx" and told.select(pl.len()).collect().item() > MOST_IN_WORKBOOK:
            raise UsageError("JQ-IMPORT-014", limit=MOST_IN_WORKBOOK)
        joined = told.join(rows, on="row", how="left", maintain_order="left").rename(named)
        with Export(path) as export:
            for part in joined.collect_batches(chunk_size=20_000, maintain_order=True):
                export.write(part)

    def _finding(self, found: Mapping[str, str | int | None]) -> Finding:
        column, value, code = str(found["column"]), found["value"], str(found["code"])
        return Finding(
            row=int(found["row"] or 0),
            column=column,
            value=None if value is None else str(value)[:_LONGEST],
            code=code,
            severity=str(found["severity"]),
            message=Text(str(found["message_zh"]), str(found["message_en"])),
            hint=Text(str(found["hint_zh"]), str(found["hint_en"])),
            mend=self._mend(column),
            suggestion=suggestion(code, None if value is None else str(value), str(found["detail"] or "")),
        )

    def _mend(self, column: str) -> tuple[str, ...]:
        """The headers that a finding is of: one, or several joined by commas."""
        if column in self.headers:
            return (column,)
        parts = [self._by_plain.get(plain(part)) for part in column.split(", ") if part]
        return tuple(dict.fromkeys(part for part in parts if part))


def _unlike(headers: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Headers told apart from names that are taken, and from each other."""
    seen = {name.casefold() for name in taken}
    out = []
    for header in headers:
        name = header
        while name.casefold() in seen:
            name = f"{name}_"
        seen.add(name.casefold())
        out.append(name)
    return out
