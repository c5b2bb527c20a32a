"""Parks over a workspace 载体服务: the tree and its occupancy as loaded; tenants and findings once worked out and stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl

from jiqun.assess.carriers import CarrierTree, carrier_tree, match_tenants
from jiqun.assess.findings import Finding, from_frame, to_frame
from jiqun.assess.idle import Thresholds, idle_carriers
from jiqun.assess.tenants import output_per_area, tenant_relatedness, tenants_of, titled
from jiqun.assess.vacancy import MAX_AGE_DAYS, Occupancy, occupancy
from jiqun.atlas import relatedness
from jiqun.atlas.classes import classified, reader
from jiqun.core.actor import Actor
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.core.lineage import Lineage
from jiqun.core.progress import Progress, silent
from jiqun.intake.counted import counted
from jiqun.intake.gazetteer import Gazetteer
from jiqun.roster.names import Normaliser
from jiqun.store import Snapshot, StoredResult, Workspace

TABLE, KIND = "carriers", "carriers"
METHOD, VERSION = "assess.carriers", "3"
ASSESS = "assess.assess_parks"
DRAWS, SEED = 999, 20240501
_DIGITAL_DIGITS, _CODE_DIGITS, _CITY_DIGITS = 4, 3, 4
_FIRMS = ("id", "name", "uscc", "former_names", "region_code", "city", "revenue_cny")
_KNOWN = 5
FEWEST_CITIES = 10
"""With fewer cities nothing is said of which classes go together. Our choice."""


@dataclass(frozen=True)
class Parks:
    """The carriers that are loaded, as of a day."""

    snapshot: Snapshot
    tree: CarrierTree
    found: Occupancy

    def park(self, wanted: str) -> dict[str, Any]:
        """A topmost carrier by its id, or its name where only one bears it.

        Raises
        ------
        UsageError
            JQ-ASSESS-121: there is none, or there are several.
        """
        parks = self.found.parks
        rows = parks.filter(pl.col("id") == wanted)
        if rows.is_empty():
            rows = parks.filter(pl.col("name") == wanted)
        if rows.height != 1:
            near = (rows if rows.height else parks).head(_KNOWN).select("id", "name").iter_rows()
            raise UsageError(
                "JQ-ASSESS-121", value=wanted, known=", ".join(f"{id_} {name}" for id_, name in near) or "—"
            )
        return rows.row(0, named=True)


def parks_now(workspace: Workspace, *, as_of: date | None = None, max_age_days: int = MAX_AGE_DAYS) -> Parks:
    """The parks as loaded, by default as of the day that the load speaks of; kept in memory until another load.

    Raises
    ------
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    """
    loaded = workspace.history(TABLE)
    if not loaded:
        raise WorkspaceError("JQ-ASSESS-120")
    snapshot = workspace.snapshot(TABLE)
    return _parks(snapshot.path, snapshot.digest, as_of or snapshot.as_of, max_age_days, _Held(workspace, snapshot))


@dataclass(frozen=True, eq=False)
class _Held:
    """What is read when it is not yet known; equal to any other, so that it is no part of what the memory goes by."""

    workspace: Workspace
    snapshot: Snapshot

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=8)
def _parks(path: Any, digest: str, as_of: date, max_age_days: int, held: _Held) -> Parks:
    del path, digest
    tree = carrier_tree(held.workspace.scan(TABLE, held.snapshot.id).collect())
    found = occupancy(tree, as_of=as_of, spoken=held.snapshot.as_of, max_age_days=max_age_days)
    return Parks(held.snapshot, tree, found)


def assess(
    actor: Actor,
    workspace: Workspace,
    *,
    as_of: date | None = None,
    max_age_days: int = MAX_AGE_DAYS,
    thresholds: Thresholds | None = None,
    progress: Progress = silent,
) -> StoredResult:
    """Match tenants, see whether they belong together, find what stands idle, and store that 评估载体.

    `as_of` is the day asked about, by default that of the newest record; records older than `max_age_days` say nothing of it.

    Raises
    ------
    PermissionDeniedError
        JQ-USE-002: the actor is neither operator nor analyst.
    WorkspaceError
        JQ-ASSESS-120: no carriers are loaded.
    """
    actor.require(ASSESS, "operator", "analyst")
    newest = parks_now(workspace).found.parks["newest"].drop_nulls()
    day = as_of or (max(newest) if len(newest) else workspace.snapshot(TABLE).as_of)
    limits = thresholds or Thresholds()
    shown = parks_now(workspace, as_of=day, max_age_days=max_age_days)
    register = workspace.snapshot("organisations") if workspace.history("organisations") else None
    by = reader(workspace, "auto") if register else None
    parameters = {
        "as_of": day.isoformat(), "max_age_days": max_age_days, "thresholds": asdict(limits), "draws": DRAWS,
        "seed": SEED, "text_method": by.digest if by else None,
    }  # fmt: skip
    inputs = (shown.snapshot.input, *((register.input,) if register else ()))
    lineage = Lineage(METHOD, VERSION, parameters, inputs)
    if any(old.id == lineage.digest for old in workspace.results(KIND)):
        return workspace.put_result(KIND, lineage, {}, {})
    firms = _firms(workspace, register, by)
    steps = ("match", "relatedness", "findings")
    progress(steps[0], 0, len(steps))
    matched = match_tenants(shown.tree, firms, Normaliser.of(Gazetteer.load(workspace.cache)))
    tenants = tenants_of(shown.tree, shown.found, matched)
    progress(steps[1], 1, len(steps))
    near = _related(firms)
    tops = shown.found.parks.select("id", "region_code")
    related = tenant_relatedness(tenants, firms, near, tops, draws=DRAWS, seed=SEED)
    titles = titled(tenants)
    progress(steps[2], 2, len(steps))
    findings = idle_carriers(shown.found, related=related, titles=titles, thresholds=limits)
    tables = {
        "tenants": tenants,
        "related": related,
        "titles": titles,
        "output": output_per_area(tenants, firms),
        "findings": to_frame(findings),
    }
    values: dict[str, Any] = {
        "as_of": day.isoformat(),
        "parks": shown.found.parks.height,
        "found": sum(one.state == "found" for one in findings),
        "unknown": sum(one.state == "unknown" for one in findings),
        "tenants": tenants.height,
        "matched": int(tenants["organisation"].count()),
        "classes_by": _class_column(firms),
    }
    progress(steps[2], 3, len(steps))
    return workspace.put_result(KIND, lineage, tables, values)


def _firms(workspace: Workspace, register: Snapshot | None, by: Any) -> pl.DataFrame:
    """id, name, class and what else the register has of `_FIRMS`; class is of the classification that more firms have."""
    if register is None:
        return pl.DataFrame(schema={**dict.fromkeys(("id", "name", "region_code", "class", "area"), pl.String)})
    frame = counted(workspace, register.id).collect()
    firms = classified(frame, by)
    column = _class_column(firms)
    digits = _DIGITAL_DIGITS if column == "digital_code" else _CODE_DIGITS
    there = [name for name in _FIRMS if name in firms.columns]
    none = [pl.lit(None, pl.String).alias("region_code")] if "region_code" not in there else []
    firms = firms.select(
        *there, *none, "digital_code", *(["industry_code"] if "industry_code" in firms.columns else []),
        pl.col(column).str.head(digits).alias("class"),
    )  # fmt: skip
    area = pl.col("region_code").str.head(_CITY_DIGITS)
    return firms.with_columns(area=pl.coalesce(area, "city") if "city" in there else area)


def _class_column(firms: pl.DataFrame) -> str:
    if "industry_code" not in firms.columns:
        return "digital_code"
    counts = firms.select(pl.col("digital_code", "industry_code").count()).row(0)
    return "digital_code" if counts[0] >= counts[1] else "industry_code"


def _related(firms: pl.DataFrame) -> pl.DataFrame:
    """Proximity of classes by the cities of the register that have both."""
    cells = firms.filter(pl.col("class").is_not_null(), pl.col("area").is_not_null())
    cells = cells.group_by("area", "class").len("n")
    if cells["area"].n_unique() < FEWEST_CITIES:
        return pl.DataFrame(schema={"class_i": pl.String, "class_j": pl.String, "relatedness": pl.Float64})
    return relatedness(cells, region="area", industry="class", size="n", method="proximity")


@dataclass(frozen=True)
class Assessed:
    """A stored assessment of the parks; `current`: of the load and the register that are there now."""

    result: StoredResult
    current: bool

    def of(self, name: str, park_id: str | None = None) -> pl.DataFrame:
        """A table of it, of all parks or of one."""
        rows = self.result.table(name)
        return rows if park_id is None else rows.filter(pl.col("park_id") == park_id)

    def findings(self, park_id: str | None = None) -> tuple[Finding, ...]:
        """What was found of all parks, or of one; the unit of a finding is the id of its park."""
        rows = self.result.table("findings")
        return from_frame(rows if park_id is None else rows.filter(pl.col("unit") == park_id))

    def parks(self, workspace: Workspace) -> Parks:
        """The parks as of the day that was asked about; those of the load that is there now, so ask where `current`."""
        asked = self.result.lineage.parameters
        day = date.fromisoformat(str(asked["as_of"]))
        return parks_now(workspace, as_of=day, max_age_days=int(asked["max_age_days"]))

    @property
    def values(self) -> Mapping[str, Any]:
        """What was counted."""
        return self.result.values


def assessed(workspace: Workspace) -> Assessed | None:
    """The latest assessment of the parks, if any; only of the carriers that are loaded, since ids of parks are theirs."""
    result = workspace.result(KIND)
    if result is None:
        return None
    loaded = {one.table: one.digest for one in workspace.tables()}
    return Assessed(result, all(loaded.get(one.name) == one.digest for one in result.lineage.inputs))


def idle_findings(workspace: Workspace) -> tuple[Finding, ...]:
    """What the latest assessment found of idle carriers 载体闲置, by name of the park; none where it is of another load.

    Parks that share a name are told apart by their ids.
    """
    told = assessed(workspace)
    if told is None or not told.current:
        return ()
    parks = parks_now(workspace).found.parks.select("id", "name")
    twice = parks["name"].is_duplicated()
    called = parks.select("id", pl.when(twice).then(pl.concat_str("name", "id", separator=" ")).otherwise("name"))
    names = dict(called.iter_rows())
    return tuple(replace(one, unit=names[one.unit]) for one in told.findings())


def parks_of(workspace: Workspace, organisation: str) -> list[tuple[str, str]]:
    """Id and name of the parks that an organisation rents in, as the latest assessment matched it 企业所在园区."""
    told = assessed(workspace)
    if told is None or not workspace.history(TABLE):
        return []
    held = told.of("tenants").filter(pl.col("organisation") == organisation).select(id="park_id")
    parks = parks_now(workspace).found.parks.select("id", "name").join(held, on="id", how="semi")
    return parks.sort("name").rows()
