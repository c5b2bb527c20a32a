"""Assessments as stored results and back 存取评估结果: what was computed is read again as it was, never computed anew."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from jiqun.assess.composite import STAGES, CompositeIndex
from jiqun.assess.framework import Framework
from jiqun.assess.frontier import Efficiency
from jiqun.assess.rank_uncertainty import Uncertainty
from jiqun.assess.units import Columns
from jiqun.core.document import Text
from jiqun.core.errors import WorkspaceError
from jiqun.core.remarks import Remark
from jiqun.store import StoredResult

_INDEX = (
    "scores", "weights", "contributions", "imputed", "treatment", "screened", "correlations", "reliability",
)  # fmt: skip
_SURE = ("factors", "ranks", "dominance", "sensitivity", "boundaries")
_DEA = ("scores", "slacks", "peers")


def index_tables(found: CompositeIndex) -> dict[str, pl.DataFrame]:
    """The tables of an index, to be stored."""
    return {name: getattr(found, name) for name in _INDEX} | {f"stage_{stage}": found.stages[stage] for stage in STAGES}


@lru_cache(maxsize=64)
def _frame(path: Path) -> pl.DataFrame:
    """A table of a stored result, which never changes, by its file."""
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WorkspaceError("JQ-STORE-016", path=path) from error


def frame_of(stored: StoredResult, name: str) -> pl.DataFrame:
    """A table of a stored result; those read last are kept in memory."""
    return _frame(stored.path / f"{name}.parquet")


def restored_index(stored: StoredResult) -> CompositeIndex:
    """An index as it was stored."""
    values: Any = stored.values
    stages = {stage: frame_of(stored, f"stage_{stage}") for stage in STAGES}
    return CompositeIndex(
        Framework.model_validate(values["framework"]),
        values["year"],
        tuple(stages[STAGES[0]]["unit"]),
        stages=stages,
        **{name: frame_of(stored, name) for name in _INDEX},
    )


def uncertainty_tables(found: Uncertainty) -> dict[str, pl.DataFrame]:
    """The tables of an uncertainty analysis, to be stored."""
    return {name: getattr(found, name) for name in _SURE}


def restored_uncertainty(stored: StoredResult, framework: Framework) -> Uncertainty:
    """An uncertainty analysis as it was stored, of an index under `framework`."""
    values: Any = stored.values
    tables = {name: frame_of(stored, name) for name in _SURE}
    return Uncertainty(
        framework, tuple(tables["ranks"]["unit"]), values["runs"], sensitivity_runs=values["sensitivity_runs"], **tables
    )


def efficiency_tables(found: Efficiency) -> dict[str, pl.DataFrame]:
    """The tables of a frontier, to be stored."""
    return {name: getattr(found, name) for name in _DEA}


def restored_efficiency(stored: StoredResult) -> Efficiency:
    """A frontier as it was stored."""
    told: Any = dict(stored.lineage.parameters)
    values: Any = stored.values
    return Efficiency(
        frame_of(stored, "scores"),
        frame_of(stored, "slacks"),
        frame_of(stored, "peers"),
        told["model"],
        told["returns"],
        values["orientation"],
        Columns(tuple(told["inputs"]), tuple(told["outputs"]), tuple(told["undesirable"])),
        told["bootstrap"],
        0.95,
        told["seed"],
        remarks_of(stored),
    )


def remarks_of(stored: StoredResult) -> tuple[Remark, ...]:
    """What one has to know of a stored result."""
    values: Any = stored.values
    return tuple(Remark(one["code"], Text(**one["message"]), Text(**one["hint"])) for one in values.get("remarks", []))
