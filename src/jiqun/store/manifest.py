"""The manifest 清单: which files count, what they must contain, and which of them are current.

It stores names, never paths; paths are derived from names that match strict patterns, so that not even
a forged manifest can point outside its folder. Its own digest tells damage from content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import canonical_json
from jiqun.store.files import Stamp, checked_name

FORMAT = 1
NAME = "manifest.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Quarantine:
    """Rows that a load refused, kept beside it."""

    file: Stamp
    rows: int


@dataclass(frozen=True)
class Load:
    """One load of one table: the snapshot it gave, where from, and what became of its rows.

    `number` counts a table's loads from 1. `previous` is the snapshot that was current before it.
    Two loads of equal rows and date share one snapshot.
    """

    number: int
    as_of: date
    created: datetime
    source: str
    rows: int
    file: Stamp
    summary: Mapping[str, Any]
    previous: str | None = None
    quarantine: Quarantine | None = None

    @property
    def id(self) -> str:
        """The snapshot: as-of date and the first 12 hex digits of its digest."""
        return f"{self.as_of.isoformat()}-{self.file.digest[:12]}"


@dataclass(frozen=True)
class TableState:
    """A table's loads, oldest first, and the snapshot that counts now."""

    current: str
    loads: tuple[Load, ...]

    def find(self, snapshot: str) -> Load | None:
        """The latest load that gave this snapshot."""
        return next((load for load in reversed(self.loads) if load.id == snapshot), None)


@dataclass(frozen=True)
class ResultEntry:
    """A stored result: its id (the digest of its lineage) and its files by name."""

    id: str
    created: datetime
    files: Mapping[str, Stamp]


@dataclass(frozen=True)
class KindState:
    """The results of one kind, oldest first, and the one that counts now."""

    current: str
    entries: tuple[ResultEntry, ...]


@dataclass(frozen=True)
class Manifest:
    """The state of a workspace at one moment."""

    tables: Mapping[str, TableState] = field(default_factory=dict)
    results: Mapping[str, KindState] = field(default_factory=dict)

    def with_table(self, table: str, state: TableState) -> Manifest:
        """A copy in which one table is at `state`."""
        return replace(self, tables={**self.tables, table: state})

    def with_kind(self, kind: str, state: KindState) -> Manifest:
        """A copy in which one kind of result is at `state`."""
        return replace(self, results={**self.results, kind: state})

    def files(self) -> dict[str, Stamp]:
        """Every file that counts, by its path within the workspace."""
        return dict(self._files())

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        for table, state in self.tables.items():
            for load in state.loads:
                yield snapshot_path(table, load.id), load.file
                if load.quarantine:
                    yield quarantine_path(table, load.number), load.quarantine.file
        for kind, kind_state in self.results.items():
            for entry in kind_state.entries:
                for name, file in entry.files.items():
                    yield f"{result_path(kind, entry.id)}/{name}", file

    def to_bytes(self) -> bytes:
        """The file's content: indented JSON with the digest of its canonical form."""
        plain = json.loads(json.dumps({"format": FORMAT, **asdict(self)}, default=_iso, allow_nan=False))
        text = json.dumps({"digest": _digest(plain), **plain}, indent=1, ensure_ascii=False)
        return f"{text}\n".encode()

    @classmethod
    def from_bytes(cls, content: bytes, path: Path) -> Manifest:
        """Read and check; `path` is named in errors.

        Raises
        ------
        WorkspaceError
            JQ-STORE-003: made by a later format; JQ-STORE-004: not what jiqun wrote.
        """
        try:
            body = json.loads(content)
            found = body["format"]
            if isinstance(found, int) and found > FORMAT:
                raise WorkspaceError("JQ-STORE-003", path=path.parent, found=found, known=FORMAT)
            digest = body.pop("digest")
            if found != FORMAT or digest != _digest(body):
                raise WorkspaceError("JQ-STORE-004", path=path)
            return cls(
                {checked_name("table", name): _table(state) for name, state in body["tables"].items()},
                {checked_name("kind", name): _kind(state) for name, state in body["results"].items()},
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UsageError) as error:
            raise WorkspaceError("JQ-STORE-004", path=path) from error


def snapshot_path(table: str, snapshot: str) -> str:
    """Where a snapshot lies."""
    return f"tables/{table}/{snapshot}.parquet"


def quarantine_path(table: str, load: int) -> str:
    """Where the rows that a load refused lie."""
    return f"quarantine/{table}-{load}.parquet"


def result_path(kind: str, result: str) -> str:
    """The folder of a result."""
    return f"results/{kind}/{result}"


def _iso(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be kept in a manifest")


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _stamp(raw: Mapping[str, Any]) -> Stamp:
    return Stamp(_sha256(raw["digest"]), int(raw["bytes"]))


def _sha256(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError(text)
    return text


def _table(raw: Mapping[str, Any]) -> TableState:
    loads = tuple(
        Load(
            number=int(load["number"]),
            as_of=date.fromisoformat(load["as_of"]),
            created=datetime.fromisoformat(load["created"]),
            source=str(load["source"]),
            rows=int(load["rows"]),
            file=_stamp(load["file"]),
            summary=dict(load["summary"]),
            previous=load["previous"],
            quarantine=load["quarantine"]
            and Quarantine(_stamp(load["quarantine"]["file"]), int(load["quarantine"]["rows"])),
        )
        for load in raw["loads"]
    )
    state = TableState(raw["current"], loads)
    if state.find(state.current) is None or [load.number for load in loads] != list(range(1, len(loads) + 1)):
        raise ValueError(state.current)
    return state


def _kind(raw: Mapping[str, Any]) -> KindState:
    entries = tuple(
        ResultEntry(
            id=_sha256(entry["id"]),
            created=datetime.fromisoformat(entry["created"]),
            files={_result_file(name): _stamp(file) for name, file in entry["files"].items()},
        )
        for entry in raw["entries"]
    )
    state = KindState(raw["current"], entries)
    if state.current not in {entry.id for entry in entries} or any(
        "result.json" not in entry.files for entry in entries
    ):
        raise ValueError(state.current)
    return state


def _result_file(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    checked_name("table", stem)
    if suffix != "parquet" and name != "result.json":
        raise ValueError(name)
    return name
