"""Carriers 载体: parks, buildings, floors and units as a tree, and the firms that rent them.

Input is a table of carriers (`jiqun.core.schema`, table `carriers`): a row names its parent, by name or by path. Nothing
here reads files. See `jiqun.assess.occupancy` for what is counted on the tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.arrays import Integers
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars
from jiqun.core.remarks import Remark
from jiqun.roster.names import Normaliser

LEVELS = ("park", "building", "floor", "unit")
"""Kinds from the top down."""
COLUMNS: dict[str, type[pl.DataType]] = {
    "id": pl.String, "name": pl.String, "kind": pl.String, "parent": pl.String, "region_code": pl.String,
    "city": pl.String, "address": pl.String, "lon": pl.Float64, "lat": pl.Float64, "area_m2": pl.Float64,
    "let_m2": pl.Float64, "status": pl.String, "tenant": pl.String, "tenant_uscc": pl.String,
    "tenant_titles": pl.String, "rent_cny_m2_month": pl.Float64, "contract": pl.String, "let_from": pl.Date,
    "let_to": pl.Date, "vacant_since": pl.Date, "as_of": pl.Date,
}  # fmt: skip
"""What is read of a carrier; columns that a table lacks are null."""
STATUSES = ("vacant", "let", "reserved", "works")
EXCEEDS = 0.005
"""By what share the areas of children may exceed their parent's before it is told: rounding."""
_PARENTS = ("ok", "none", "unknown", "ambiguous", "order", "cycle")
_CALLED: dict[type[pl.DataType], str] = {pl.String: "text", pl.Float64: "number", pl.Date: "YYYY-MM-DD"}
_SEPARATOR = "/"
_SHOWN = 5
_DEEPEST = 16
"""How many names above its own a path shows at most."""


@dataclass(frozen=True)
class CarrierTree:
    """Carriers as a tree 载体树. `nodes` is in the order of the table; see `carrier_tree`."""

    nodes: pl.DataFrame
    """The columns of `COLUMNS`, and: parent_id, park_id (the topmost carrier above, itself at the top), depth, path,
    children, children_m2 (known areas of direct children), parent_state."""
    remarks: tuple[Remark, ...]
    parent: Integers
    """Row of each row's parent; −1: none."""
    order: Integers
    """Rows, deepest first: parents after their children."""

    @property
    def parks(self) -> pl.DataFrame:
        """The carriers at the top."""
        return self.nodes.filter(pl.col("depth") == 0)

    def of(self, park_id: str) -> pl.DataFrame:
        """A topmost carrier and all in it."""
        return self.nodes.filter(pl.col("park_id") == park_id)


def carrier_tree(frame: Any) -> CarrierTree:
    """Put carriers into a tree 载体树: each row's parent is found by name or path, in its region.

    A parent is sought among rows of the same region (of any where the row has none), of a kind above the row's own, the
    nearest kind first, then of the same kind. `A/3` means a carrier named 3 whose own parent is, or ends with, A.

    Parameters
    ----------
    frame
        Any dataframe with `name`; the other columns of `COLUMNS` may be absent. Without `id` rows are numbered.

    Returns
    -------
    `CarrierTree`. A row whose parent is not found, not the only one, of a lower kind, or below itself (a cycle 循环) stands
    at the top and says so in `parent_state` (none: it names no parent).

    Raises
    ------
    MeasureInputError
        JQ-USE-003: no column `name`. JQ-ASSESS-110: ids are missing, or there twice. JQ-ASSESS-111: an area below 0 or not
        finite. JQ-ASSESS-112: a kind or status that is none. JQ-ASSESS-127: a value that is no number or no day.

    Examples
    --------
    >>> rows = pl.DataFrame({"name": ["软件园", "A座", "3层", "301"], "kind": ["park", "building", "floor", "unit"],
    ...     "parent": [None, "软件园", "A座", "A座/3层"]})
    >>> carrier_tree(rows).nodes.select("path", "depth", "parent_state").rows()[-1]
    ('软件园/A座/3层/301', 3, 'ok')
    """
    rows = _checked(as_polars(frame, "name"))
    parent, state = _parents(rows)
    top, depth = _roots(parent)
    cyclic = top < 0
    state = np.where(cyclic & (state == "ok"), "cycle", state)
    if cyclic.any():
        on_cycle = _on_cycles(parent, cyclic)
        parent = np.where(on_cycle, -1, parent)
        state = np.where(cyclic & ~on_cycle, "ok", state)
        top, depth = _roots(parent)
    order = np.argsort(-depth, kind="stable")
    nodes = rows.with_columns(
        parent_id=_at(rows["id"], parent),
        park_id=_at(rows["id"], top),
        depth=pl.Series(depth, dtype=pl.Int64),
        path=_paths(rows["name"], parent, depth),
        parent_state=pl.Series(state.tolist(), dtype=pl.String),
    )
    sums = (
        nodes.filter(pl.col("parent_id").is_not_null())
        .group_by("parent_id")
        .agg(children=pl.len(), children_m2=pl.col("area_m2").sum(), some=pl.col("area_m2").count())
        .with_columns(children_m2=pl.when(pl.col("some") > 0).then("children_m2"))
        .select("parent_id", pl.col("children").cast(pl.Int64), "children_m2")
    )
    nodes = nodes.join(sums, left_on="id", right_on="parent_id", how="left", maintain_order="left")
    nodes = nodes.with_columns(pl.col("children").fill_null(0))
    return CarrierTree(nodes, tuple(_remarks(nodes)), parent, order)


def _checked(given: pl.DataFrame) -> pl.DataFrame:
    """The rows with all columns, in their types."""
    if "id" not in given.columns:
        given = given.with_row_index("id")
    none = [pl.lit(None, kind).alias(name) for name, kind in COLUMNS.items() if name not in given.columns]
    rows = given.with_columns(none).select(_typed(given, name) for name in COLUMNS)
    for name, kind in COLUMNS.items():
        lost = (
            given.filter(given[name].is_not_null() & rows[name].is_null()) if name in given.columns else given.clear()
        )
        if lost.height:
            raise MeasureInputError("JQ-ASSESS-127", column=name, value=lost[name][0], type=_CALLED[kind])
    rows = rows.with_columns(pl.col("kind").fill_null("park"))
    if rows["id"].null_count() or rows["id"].is_duplicated().any():
        raise MeasureInputError("JQ-ASSESS-110", column="id")
    for name in ("area_m2", "let_m2", "rent_cny_m2_month"):
        bad = rows.filter((pl.col(name) < 0) | ~pl.col(name).is_finite())
        if bad.height:
            raise MeasureInputError("JQ-ASSESS-111", column=name, value=bad[name][0], row=bad["name"][0])
    for name, known in (("kind", LEVELS), ("status", STATUSES)):
        wrong = rows[name].drop_nulls().filter(~rows[name].drop_nulls().is_in(known))
        if len(wrong):
            raise MeasureInputError("JQ-ASSESS-112", column=name, value=wrong[0], known=", ".join(known))
    return rows


def _typed(given: pl.DataFrame, name: str) -> pl.Expr:
    """A column in its type; null where it cannot be."""
    if COLUMNS[name] is pl.Date and given.schema.get(name) == pl.String:
        return pl.col(name).str.to_date("%Y-%m-%d", strict=False)
    return pl.col(name).cast(COLUMNS[name], strict=False)


def _parents(rows: pl.DataFrame) -> tuple[Integers, Any]:
    """Row of each row's parent (−1: none), and how that came to be.

    A parent's path of k names is looked up by its ends: its last j names are the whole path of a row that has j, or, for
    j = k, the end of a longer one. So there are only equality joins, and equals are counted, not listed.
    """
    parts = pl.col("parent").str.replace_all("[／>＞]", _SEPARATOR).str.split(_SEPARATOR)
    parts = parts.list.eval(pl.element().str.strip_chars()).list.eval(pl.element().filter(pl.element() != ""))
    level = pl.col("kind").replace_strict(dict(zip(LEVELS, range(len(LEVELS)), strict=True)), return_dtype=pl.Int64)
    told = rows.select(
        pl.int_range(pl.len()).cast(pl.Int64).alias("row"), region="region_code", level=level,
        wanted=pl.when(parts.list.len() > 0).then(parts.list.tail(len(LEVELS))),
        own=pl.concat_list(parts.fill_null([]), pl.col("name").str.strip_chars()),
    )  # fmt: skip
    asks = told.filter(pl.col("wanted").is_not_null())
    found = [_candidates(asks, told, names) for names in range(1, len(LEVELS) + 1)]
    pairs = pl.concat(found)
    up = pl.col("level") - pl.col("above")
    pairs = pairs.with_columns(step=pl.when(up == 0).then(len(LEVELS)).otherwise(up))
    known = pairs["row"].unique()
    # the same region before an unknown one, then the nearest kind above
    pairs = pairs.filter(pl.col("step") > 0).filter(pl.col("other") == pl.col("other").min().over("row"))
    pairs = pairs.filter(pl.col("step") == pl.col("step").min().over("row"))
    chosen = pairs.group_by("row").agg(pl.col("at").first(), several=pl.col("n").sum() > 1)
    parent, state = np.full(rows.height, -1, np.int64), np.full(rows.height, "none", dtype=object)
    state[asks["row"].to_numpy()] = "unknown"
    state[known.to_numpy()] = "order"
    state[chosen.filter("several")["row"].to_numpy()] = "ambiguous"
    sure = chosen.filter(~pl.col("several"))
    state[sure["row"].to_numpy()] = "ok"
    parent[sure["row"].to_numpy()] = sure["at"].to_numpy()
    return parent, state


def _candidates(asks: pl.DataFrame, told: pl.DataFrame, names: int) -> pl.DataFrame:
    """row, level, at, above, n, other: rows whose path ends as the last `names` names of the parent that is asked for."""
    key = pl.col("own").list.tail(names).list.join(_SEPARATOR)
    pool = told.filter(pl.col("own").list.len() >= names).select(
        at="row", above="level", region="region", key=key, whole=pl.col("own").list.len() == names
    )
    wanted = asks.filter(pl.col("wanted").list.len() >= names).select(
        "row", "level", "region", key=pl.col("wanted").list.tail(names).list.join(_SEPARATOR),
        whole=pl.col("wanted").list.len() > names,
    )  # fmt: skip
    pool = pl.concat([pool.with_columns(whole=pl.lit(value=False)), pool.filter("whole")])
    parts = []
    for other, left, right in (
        (0, wanted, pool),
        (1, wanted.filter(pl.col("region").is_null()), pool.filter(pl.col("region").is_not_null())),
        (1, wanted.filter(pl.col("region").is_not_null()), pool.filter(pl.col("region").is_null())),
    ):
        on = ["key", "whole", *(["region"] if not other else [])]
        held = right.group_by(*on, "above").agg(first=pl.col("at").min(), last=pl.col("at").max(), n=pl.len())
        hits = left.join(held, on=on, nulls_equal=True)
        own = ((pl.col("first") == pl.col("row")) | (pl.col("last") == pl.col("row"))) & (
            pl.col("above") == pl.col("level")
        )
        hits = hits.with_columns(
            at=pl.when(pl.col("first") == pl.col("row")).then("last").otherwise("first"),
            n=pl.col("n") - own.cast(pl.Int64),
        )
        parts.append(hits.filter(pl.col("n") > 0).select("row", "level", "at", "above", "n", other=pl.lit(other)))
    return pl.concat(parts)


def _roots(parent: Integers) -> tuple[Integers, Integers]:
    """Topmost row above each row, and how deep it lies; −1 for rows on or below a cycle. By pointer doubling."""
    n = parent.size
    up = np.r_[np.where(parent < 0, n, parent), n].astype(np.int64)  # the last is what stands above all
    reached, depth = up.copy(), (up != n).astype(np.int64)
    for _ in range(max(1, int(n).bit_length())):
        depth += depth[reached]
        reached = reached[reached]
    lost = reached[:n] != n
    depth = np.where(lost, -1, depth[:n])
    top = np.where(parent < 0, np.arange(n), parent)
    for _ in range(max(1, int(n).bit_length())):
        top = top[top]
    return np.where(lost, -1, top), depth


def _on_cycles(parent: Integers, lost: Any) -> Any:
    """Rows that lie on a cycle: those that rows which never reach the top come to."""
    at = np.flatnonzero(lost)
    reached = parent.copy()
    for _ in range(int(parent.size).bit_length()):
        reached = np.where(reached >= 0, reached[reached], -1)
    on = np.zeros(parent.size, bool)
    on[reached[at]] = True
    return on


def _at(values: pl.Series, rows: Integers) -> pl.Series:
    return values.gather(pl.select(pl.when(pl.lit(pl.Series(rows)) >= 0).then(pl.lit(pl.Series(rows)))).to_series())


def _paths(names: pl.Series, parent: Integers, depth: Integers) -> pl.Series:
    """Names from the top down, split by a slash."""
    path, at = names, pl.Series(parent)
    for _ in range(min(_DEEPEST, int(depth.max(initial=0)))):
        rows = pl.select(pl.when(at >= 0).then(at)).to_series()
        above = names.gather(rows)
        path = pl.select(pl.concat_str([above, path], separator=_SEPARATOR, ignore_nulls=True)).to_series()
        at = pl.Series(np.where(at.to_numpy() >= 0, parent[at.to_numpy()], -1))
    return path.alias("path")


def _remarks(nodes: pl.DataFrame) -> list[Remark]:
    """What is odd about the tree, with the first names."""

    def told(code: str, rows: pl.DataFrame) -> list[Remark]:
        if rows.is_empty():
            return []
        names = ", ".join(rows["path"].head(_SHOWN)) + (" …" if rows.height > _SHOWN else "")
        return [Remark.of(code, count=rows.height, names=names)]

    over = nodes.filter(pl.col("children_m2") > pl.col("area_m2") * (1 + EXCEEDS))
    states = {
        "unknown": "JQ-ASSESS-113",
        "ambiguous": "JQ-ASSESS-114",
        "order": "JQ-ASSESS-115",
        "cycle": "JQ-ASSESS-116",
    }
    found = [told(code, nodes.filter(pl.col("parent_state") == state)) for state, code in states.items()]
    return [remark for part in (*found, told("JQ-ASSESS-117", over)) for remark in part]


TENANTS = {"carrier": pl.String, "tenant": pl.String, "organisation": pl.String, "by": pl.String}


def match_tenants(tree: CarrierTree, organisations: Any, normaliser: Normaliser) -> pl.DataFrame:
    """Which organisation each tenant is 承租企业匹配: by credit code, else by id, else by normalised name.

    Parameters
    ----------
    organisations
        Any dataframe with id and name; uscc and former_names where there.
    normaliser
        Folds names, as `jiqun.roster.names.Normaliser`.

    Returns
    -------
    Polars frame, a row for each carrier that states a tenant: carrier, tenant, organisation (null: none, or several), by
    (uscc, id, name, former_name; ambiguous: several bear the name; unmatched). A stated credit code that no organisation
    has leaves the tenant to its name; one that belongs to an organisation decides.
    """
    firms = as_polars(organisations, "id", "name")
    stated = tree.nodes.filter(pl.col("tenant").is_not_null() | pl.col("tenant_uscc").is_not_null())
    rows = stated.select(carrier="id", tenant=pl.coalesce("tenant", "tenant_uscc"), uscc="tenant_uscc", said="tenant")
    if rows.is_empty():
        return pl.DataFrame(schema=TENANTS)
    keys = [("uscc", _keyed(rows["uscc"].str.to_uppercase(), firms, "uscc", upper=True))]
    keys.append(("id", _keyed(rows["said"], firms, "id")))
    normal = pl.Series(normaliser.normals(rows["said"].fill_null(""))).replace("", None)
    names = firms.select("id", key=pl.Series(normaliser.normals(firms["name"].fill_null(""))))
    keys.append(("name", _by(normal, names)))
    if "former_names" in firms.columns:
        former = firms.select("id", key=pl.col("former_names").str.replace_all("[；;|｜、]", ";").str.split(";"))
        former = former.explode("key").filter(pl.col("key").is_not_null())
        former = former.with_columns(key=pl.Series(normaliser.normals(former["key"]), dtype=pl.String))
        keys.append(("former_name", _by(normal, former)))
    found, how = pl.Series([None] * rows.height, dtype=pl.String), pl.Series([None] * rows.height, dtype=pl.String)
    for name, (ids, counts) in keys:
        open_ = how.is_null() & (counts > 0).fill_null(value=False)
        found = ids.zip_with(open_ & (counts == 1).fill_null(value=False), found)
        word = pl.select(pl.when(counts == 1).then(pl.lit(name)).otherwise(pl.lit("ambiguous"))).to_series()
        how = word.zip_with(open_, how)
    return rows.select("carrier", "tenant", organisation=found, by=how.fill_null("unmatched"))


def _keyed(wanted: pl.Series, firms: pl.DataFrame, column: str, *, upper: bool = False) -> tuple[pl.Series, pl.Series]:
    if column not in firms.columns:
        return pl.Series([None] * len(wanted), dtype=pl.String), pl.Series([0] * len(wanted))
    key = firms[column].cast(pl.String)
    return _by(wanted, firms.select("id", key=key.str.to_uppercase() if upper else key))


def _by(wanted: pl.Series, firms: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """For each wanted key an organisation that has it, and how many do."""
    held = firms.filter(pl.col("key").is_in(wanted.drop_nulls().unique().implode()))
    held = held.group_by("key").agg(pl.col("id").cast(pl.String).unique().sort().first(), n=pl.col("id").n_unique())
    found = pl.DataFrame({"key": wanted.cast(pl.String)}).join(held, on="key", how="left", maintain_order="left")
    return found["id"], found["n"].cast(pl.Int64).fill_null(0)


def dated(nodes: pl.DataFrame, spoken: date) -> pl.Series:
    """The day that each record speaks of; `spoken`, that of the whole table, where the row says none."""
    return nodes["as_of"].fill_null(spoken)
