"""Results 结果: what a method made of its inputs, stored under the digest of its lineage and never changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from jiqun import __version__
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import Lineage, Source
from jiqun.store.files import ParquetStream, Stamp, checked_name, stamp, sync, told, write_bytes
from jiqun.store.manifest import KindState, ResultEntry, result_path

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]

_PREFIX = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True)
class StoredResult:
    """One result as it was stored. `id` is `lineage.digest`; `jiqun` the version that made it.

    Its readers share `lineage` and `values`, which are not to be changed.
    """

    kind: str
    id: str
    lineage: Lineage
    created: datetime
    jiqun: str
    values: Mapping[str, JSON]
    tables: tuple[str, ...]
    current: bool
    path: Path

    def table(self, name: str) -> pl.DataFrame:
        """One of the result's tables.

        Raises
        ------
        UsageError
            JQ-USE-001: the result has no such table.
        WorkspaceError
            JQ-STORE-016: its file is missing or damaged.
        """
        if name not in self.tables:
            raise UsageError("JQ-USE-001", what="table", value=name, known=", ".join(self.tables))
        path = self.path / f"{name}.parquet"
        try:
            return pl.read_parquet(path, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise WorkspaceError("JQ-STORE-016", path=path) from error


def write_result(
    folder: Path,
    kind: str,
    lineage: Lineage,
    *,
    tables: Mapping[str, pl.DataFrame | Iterable[pl.DataFrame]],
    values: Mapping[str, JSON],
    created: datetime,
) -> ResultEntry:
    """Write a result's files into an empty folder and have the disk keep them."""
    body = {
        "kind": kind,
        "id": lineage.digest,
        "jiqun": __version__,
        "created": created.isoformat(),
        "lineage": asdict(lineage),
        "values": dict(values),
        "tables": list(tables),
    }
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
    files: dict[str, Stamp] = {}
    for name, frame in tables.items():
        stream = ParquetStream(folder / f"{checked_name('table', name)}.parquet")
        try:
            for part in [frame] if isinstance(frame, pl.DataFrame) else frame:
                stream.write(part)
            files[stream.path.name] = stream.close()
        except BaseException:
            stream.abandon()
            raise
    path = folder / "result.json"
    with told(path):
        write_bytes(path, f"{text}\n".encode())
        sync(folder)
        files[path.name] = stamp(path)
    return ResultEntry(lineage.digest, created, files)


def read_result(root: Path, kind: str, entry: ResultEntry, *, current: bool) -> StoredResult:
    """Read a result as the manifest names it.

    Raises
    ------
    WorkspaceError
        JQ-STORE-016: its `result.json` is missing or damaged.
    """
    folder = root / result_path(kind, entry.id)
    path = folder / "result.json"
    try:
        state = path.stat()
        body = _body(path, state.st_mtime_ns, state.st_size)
        return StoredResult(kind=kind, id=entry.id, created=entry.created, current=current, path=folder, **body)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise WorkspaceError("JQ-STORE-016", path=path) from error


@lru_cache(maxsize=64)
def _body(path: Path, *_: int) -> dict[str, Any]:
    """What a `result.json` says, read again only if the file is another: pages ask for the same few at every visit."""
    body = json.loads(path.read_bytes())
    lineage = body["lineage"]
    inputs = tuple(Source(**source) for source in lineage.pop("inputs"))
    return {
        "lineage": Lineage(**lineage, inputs=inputs),
        "jiqun": body["jiqun"],
        "values": body["values"],
        "tables": tuple(body["tables"]),
    }


def find_result(kind: str, state: KindState, wanted: str) -> ResultEntry:
    """The result whose id starts with `wanted`.

    Raises
    ------
    UsageError
        JQ-STORE-009: not 4 to 64 hex digits; JQ-STORE-011: none; JQ-STORE-012: more than one.
    """
    if not _PREFIX.fullmatch(wanted):
        raise UsageError("JQ-STORE-009", what="result", value=wanted)
    found = [entry for entry in state.entries if entry.id.startswith(wanted)]
    if not found:
        newest = ", ".join(entry.id[:12] for entry in reversed(state.entries[-5:]))
        raise UsageError("JQ-STORE-011", kind=kind, value=wanted, known=newest or "—")
    if len(found) > 1:
        raise UsageError("JQ-STORE-012", kind=kind, value=wanted, known=", ".join(entry.id[:16] for entry in found))
    return found[0]
