"""Matching a roster to the register 名单匹配: for each row the organisations that it may be, with score and reason.

    names → keys → pairs that share a key → score → the best of each row → matched | review | unmatched

No two names are compared that share no key (`jiqun.roster._match_kernels`). Pairs that could reach the score of
`REVIEW` all share one, so nothing is missed but what `most` leaves out: keys that more names of the roster share.
A score orders pairs by their evidence. It is no probability. Nothing here reads files; see `jiqun.roster.desk`.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from jiqun.core.progress import Progress, silent
from jiqun.roster import _match_kernels as kernels
from jiqun.roster._kernels import Hashes, Ints, Places
from jiqun.roster.evidence import TEXT_AGREES, TEXT_DIFFERS
from jiqun.roster.names import Normaliser, Prepared

REVIEW = kernels.REVIEW
"""Least score at which a pair is kept at all."""
ACCEPT = 0.85
"""Least score at which the best candidate is taken without a person."""
MARGIN = 0.05
"""How far the second candidate must be behind for that."""
MOST = 3_000
"""A key that more names of the roster share is not followed."""
SETTLED = 0.97
"""A row with a candidate of this score, by its code or whole name, is not compared with names that are only alike."""
KEPT = 5
"""Candidates kept of each row."""
NAMES = ("name", "name_en", "short_name", "former_names")
"""Columns that hold names; in the last one several may stand."""
COLUMNS = (*NAMES, "uscc", "region_code", "region", "city", "address", "country")
_SEPARATORS = r"[;；|｜、\n]"
_SEED = 0x6A71
_THREADS = 2
_STEP = 200_000
_TEXT_GRAMS = 400
_TEXT_LIKE, _TEXT_UNLIKE, _TEXT_WEIGHT = 0.3, 0.05, 0.03
_TEXT_LEAST = 6
CANDIDATES = {
    "row": pl.Int64,
    "organisation": pl.String,
    "score": pl.Float64,
    "evidence": pl.UInt32,
}


@dataclass(frozen=True)
class Side:
    """One side of a matching: names, each with its row, and what belongs to rows: place, credit code, id."""

    names: Prepared
    row: kernels.Rows
    main: Any
    place: Places
    code: Hashes
    ids: pl.Series

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.place.size


@dataclass(frozen=True)
class Found:
    """Candidates by row, best first; `judged` pairs were looked at, `capped` names share a key with too many."""

    candidates: pl.DataFrame
    judged: int
    capped: int


def prepare(frame: pl.DataFrame, normaliser: Normaliser, *, ids: str) -> Side:
    """Take the names of a table's rows apart. Columns that it lacks count as empty.

    `ids` is the column that says which row it is.
    """
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in frame.columns)
    indexed = frame.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("at"), *COLUMNS)
    parts = []
    for name in NAMES:
        part = indexed.select("at", said=pl.col(name).cast(pl.String), main=pl.lit(name in NAMES[:2]))
        if name == "former_names":
            part = part.filter(pl.col("said").is_not_null()).with_columns(
                pl.col("said").str.replace_all(_SEPARATORS, "\n").str.split("\n")
            )
            part = part.explode("said")
        parts.append(part.filter(pl.col("said").is_not_null() & (pl.col("said") != "")))
    entries = pl.concat(parts)
    return Side(
        names=normaliser.prepare(entries["said"]),
        row=entries["at"].to_numpy(),
        main=entries["main"].to_numpy(),
        place=_places(indexed, normaliser),
        code=_hashes(indexed["uscc"]),
        ids=frame[ids].cast(pl.String),
    )


def _hashes(texts: pl.Series) -> Hashes:
    hashed: Hashes = (
        texts.hash(_SEED)
        .zip_with(texts.is_not_null(), pl.repeat(0, len(texts), dtype=pl.UInt64, eager=True))
        .to_numpy()
    )
    return hashed


def _places(rows: pl.DataFrame, normaliser: Normaliser) -> Places:
    """The division of each row as a number: its code, else what region and city say, else the address; below 0 abroad."""
    code = rows["region_code"].cast(pl.Int32, strict=False).fill_null(0).to_numpy().copy()
    home = (rows["country"].is_null() | rows["country"].is_in(["CN", "TW", "HK", "MO"])).to_numpy()
    for texts in (pl.concat_str("region", "city", separator=" ", ignore_nulls=True), pl.col("city"), pl.col("address")):
        open_ = np.flatnonzero((code == 0) & home)
        if open_.size:
            said = rows[open_].select(texts.alias("said"))["said"]
            code[open_] = normaliser.places(said)
    abroad = rows.select(
        pl.when(pl.lit(pl.Series(~home)) & pl.col("city").is_not_null()).then(
            pl.concat_str("country", pl.col("city").str.to_lowercase(), separator="/").hash(_SEED) % (1 << 30)
        )
    ).to_series()
    return np.where(home, code, -abroad.cast(pl.Int32).fill_null(0).to_numpy()).astype(np.int32)


def joined(sides: Iterable[Side]) -> Side:
    """Several parts of one side as one."""
    parts = list(sides)
    if len(parts) == 1:
        return parts[0]
    rows = np.cumsum([0, *(part.rows for part in parts)])
    ends = np.cumsum([0, *(part.names.codes.size for part in parts)])
    offsets = [part.names.offsets[1:] + end for part, end in zip(parts, ends, strict=False)]
    names = Prepared(
        **{
            name: np.concatenate([getattr(part.names, name) for part in parts])
            for name in ("normal", "core_hash", "place", "flags", "codes", "trade")
        },
        offsets=np.concatenate([np.zeros(1, dtype=np.int64), *offsets]),
    )
    return Side(
        names=names,
        row=np.concatenate([part.row + np.int32(start) for part, start in zip(parts, rows, strict=False)]),
        main=np.concatenate([part.main for part in parts]),
        place=np.concatenate([part.place for part in parts]),
        code=np.concatenate([part.code for part in parts]),
        ids=pl.concat([part.ids for part in parts]),
    )


def find(roster: Side, register: Side, *, most: int = MOST, progress: Progress = silent) -> Found:
    """The organisations that each row of a roster may be 候选.

    Returns
    -------
    `Found`, whose candidates have the columns of `CANDIDATES`: `row` of the roster (from 0), `organisation`, `score`
    in [0.6, 1], and `evidence` (bits, see `jiqun.roster.evidence`). At most five per row; of a row that is settled by
    its code or whole name, only those of the same code, name or core.
    """
    a, b = roster.names, register.names
    weights = _weights(register)
    grams = kernels.grams_of(a.codes, a.offsets, a.flags, weights)
    left = (
        *(a.codes, a.offsets, a.normal, a.core_hash, a.flags, a.place, roster.row, roster.main),
        *(*grams, roster.place, roster.code),
    )
    right = (
        *(b.codes, b.offsets, b.normal, b.core_hash, b.flags, b.place, register.row, register.main),
        *(register.place, register.code, _order(register.ids), weights),
    )
    bounds = np.linspace(0, register.row.size, _THREADS + 1).astype(np.int64)
    best, judged, crowded = _empty(roster.rows), 0, np.zeros(0, dtype=np.int32)
    for exact in (True, False):
        settled = best[0].max(axis=1, initial=-1.0) >= SETTLED
        wanted = ~settled[roster.row]
        keys, names = kernels.name_keys(a.codes, a.offsets, a.flags, a.normal, a.core_hash, weights, wanted, exact)
        if exact:
            codes = np.flatnonzero(roster.main & (roster.code[roster.row] > 0))
            keys = np.concatenate([keys, _code_keys(roster.code[roster.row[codes]])])
            names = np.concatenate([names, codes.astype(np.int32)])
        index = _index(keys, names)
        many = np.repeat(np.diff(index[2]) > most, np.diff(index[2]))
        crowded = np.unique(np.concatenate([crowded, index[3][many]]))
        search = partial(
            _search, roster.rows, left, (*index, most, exact), right, "exact" if exact else "match", progress
        )
        with ThreadPoolExecutor(_THREADS) as pool:
            for count, other in pool.map(search, bounds[:-1].tolist(), bounds[1:].tolist()):
                judged += count
                kernels.merge_best(*best, *other)
    return Found(_frame(best, register.ids), judged, crowded.size)


def _index(keys: Hashes, names: kernels.Rows) -> tuple[Hashes, Ints, Ints, kernels.Rows]:
    """Keys in a table with open addressing: slots, positions, and where each key's names begin among the names."""
    order = np.lexsort((names, keys))
    unique, starts = np.unique(keys[order], return_index=True)
    slots = np.zeros(1 << max(4, (unique.size * 2).bit_length()), dtype=np.uint64)
    values = np.zeros(slots.size, dtype=np.int64)
    kernels.fill(slots, values, unique, np.arange(unique.size, dtype=np.int64))
    return slots, values, np.append(starts, keys.size).astype(np.int64), names[order]


def _search(
    rows: int,
    left: tuple[Any, ...],
    index: tuple[Any, ...],
    right: tuple[Any, ...],
    what: str,
    progress: Progress,
    first: int,
    last: int,
) -> tuple[int, tuple[Any, ...]]:
    """The best candidates of each row among a part of the register, and how many pairs were judged."""
    probe: Any = kernels.probe
    best, judged = _empty(rows), 0
    for begin in range(first, last, _STEP):
        end = min(begin + _STEP, last)
        judged += probe(*left, *index, begin, end, *right, *best)
        progress(what, end - first, last - first)
    return judged, best


def _weights(register: Side) -> kernels.Weights:
    """Weight of each gram by bucket: the logarithm of how rare it is in the register; ln((N + 1) / (n + 1)), n names of N."""
    counts = np.zeros(kernels.BUCKETS, dtype=np.uint32)
    names = register.names
    kernels.count_grams(names.codes, names.offsets, names.flags, counts)
    weights: kernels.Weights = np.log((names.flags.size + 1.0) / (counts + 1.0)).astype(np.float32)
    return np.maximum(weights, np.float32(0.05))


def _code_keys(codes: Hashes) -> Hashes:
    keys: Hashes = kernels.code_keys(codes)
    return keys


def _order(ids: pl.Series) -> Ints:
    """Numbers in the order of the ids, by which equal candidates stand."""
    numbers = ids.str.extract(r"^[a-z](\d{1,18})$").cast(pl.Int64)
    if numbers.null_count():
        numbers = ids.rank("dense").cast(pl.Int64)
    order: Ints = numbers.to_numpy()
    return order


def _empty(rows: int) -> tuple[Any, ...]:
    shape = (rows, KEPT)
    return (
        np.full(shape, -1.0),
        np.full(shape, -1, dtype=np.int32),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.uint32),
    )


def _frame(best: tuple[Any, ...], ids: pl.Series) -> pl.DataFrame:
    scores, rows, _, bits = best
    at, place = np.nonzero(rows >= 0)
    chosen = pl.Series(rows[at, place].astype(np.int64))
    return pl.DataFrame(
        {"row": at, "organisation": ids.gather(chosen), "score": scores[at, place], "evidence": bits[at, place]},
        schema=CANDIDATES,
    )


def weigh_text(candidates: pl.DataFrame, mine: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Let what firms do 业务文本 count a little: ±0.03 where texts of both are known and clearly alike or unlike.

    `mine` has `row` and `text`, `theirs` `organisation` and `text`. A credit code that agrees needs no text.
    """
    pairs = candidates.join(mine, on="row", how="left").join(theirs, on="organisation", how="left", suffix="_theirs")
    known = pairs.filter(pl.col("text").is_not_null() & pl.col("text_theirs").is_not_null() & (pl.col("score") < 1.0))
    if known.is_empty():
        return candidates
    shares = [_text_share(a, b) for a, b in known.select("text", "text_theirs").iter_rows()]
    told = known.select("row", "organisation", share=pl.Series(shares, dtype=pl.Float64))
    alike = pl.col("share") >= _TEXT_LIKE
    unlike = pl.col("share") <= _TEXT_UNLIKE
    moved = pl.when(alike).then(_TEXT_WEIGHT).when(unlike).then(-_TEXT_WEIGHT).otherwise(0.0)
    bits = pl.when(alike).then(TEXT_AGREES).when(unlike).then(TEXT_DIFFERS).otherwise(0)
    return (
        candidates.join(told, on=["row", "organisation"], how="left", maintain_order="left")
        .with_columns(
            score=(pl.col("score") + moved.fill_null(0.0)).clip(0.0, pl.max_horizontal("score", 0.9999)).round(4),
            evidence=(pl.col("evidence") | bits.fill_null(0).cast(pl.UInt32)),
        )
        .drop("share")
        .filter(pl.col("score") >= REVIEW)
        .sort("row", "score", "organisation", descending=[False, True, False])
    )


def _text_share(a: str, b: str) -> float | None:
    """Share of the shorter text's pairs of characters that the other has; None where a text says next to nothing."""
    pairs = [{text[k : k + 2] for k in range(min(len(text) - 1, _TEXT_GRAMS))} for text in (a, b)]
    small, large = sorted(pairs, key=len)
    return None if len(small) < _TEXT_LEAST else len(small & large) / len(small)


def decide(
    candidates: pl.DataFrame, rows: int, *, accept: float = ACCEPT, margin: float = MARGIN, review: float = REVIEW
) -> pl.DataFrame:
    """What becomes of each row: matched, review or unmatched 匹配结论.

    Matched: the best candidate scores at least `accept` and the second at least `margin` less. Review: there is a
    candidate of at least `review`. `shared` says how many rows were matched to the same organisation.

    Returns
    -------
    One row per row of the roster: row, decision, organisation (the best; null if none), score, margin (null: no
    second), evidence, shared.

    Examples
    --------
    >>> candidates = pl.DataFrame({"row": [0, 1, 1], "organisation": ["o1", "o2", "o3"], "score": [0.97, 0.92, 0.9],
    ...     "evidence": [0, 0, 0]}, schema=CANDIDATES)
    >>> decide(candidates, 3)["decision"].to_list()
    ['matched', 'review', 'unmatched']
    """
    known = candidates.filter(pl.col("score") >= review)
    best = known.group_by("row", maintain_order=True).agg(
        pl.col("organisation").first(),
        pl.col("score").first(),
        pl.col("evidence").first(),
        second=pl.col("score").get(1, null_on_oob=True),
    )
    out = (
        pl.DataFrame({"row": pl.int_range(rows, dtype=pl.Int64, eager=True)})
        .join(best, on="row", how="left", maintain_order="left")
        .with_columns(margin=(pl.col("score") - pl.col("second")).round(4))
    )
    clear = (pl.col("score") >= accept) & (pl.col("margin").is_null() | (pl.col("margin") >= margin))
    decision = (
        pl.when(pl.col("score").is_null())
        .then(pl.lit("unmatched"))
        .when(clear)
        .then(pl.lit("matched"))
        .otherwise(pl.lit("review"))
    )
    out = out.with_columns(decision=decision)
    matched = pl.when(pl.col("decision") == "matched").then(pl.col("organisation"))
    shared = pl.when(matched.is_not_null()).then(pl.len().over(matched)).otherwise(0)
    return out.with_columns(shared=shared.cast(pl.UInt32)).select(
        "row", "decision", "organisation", "score", "margin", "evidence", "shared"
    )
