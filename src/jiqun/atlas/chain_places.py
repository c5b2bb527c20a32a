"""Which firms stand at which node of a chain 企业对环节: by code first, by product words where codes do not decide.

A code that one node claims as a whole decides, and words may add nodes that claim it in part; where several claim it, or
all in part, words decide. Nothing that is unknown counts as absent: a firm whose code fits nodes without a word for any
of them is `open` at each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from jiqun.atlas.chain_data import Chain, claims
from jiqun.core.frames import as_polars
from jiqun.taxonomy import EDITION, GBT, KINDS, Kind, canonical, digital_class
from jiqun.taxonomy.firms import COLUMNS
from jiqun.taxonomy.products import ProductWords
from jiqun.taxonomy.tables import digital_entries

TRADE = ("51", "52")
"""Divisions of GB/T 4754 whose nodes count firms that only sell."""
PLACED, OPEN, OUTSIDE, UNKNOWN = "placed", "open", "outside", "unknown"
SOURCES = ("industry_code", "digital_code", *COLUMNS.values())
"""Columns of organisations that place them on a chain."""
PLACES = ("id", "node", "by", "evidence", "weight")


@dataclass(frozen=True)
class Places:
    """Where firms stand on a chain 对照结果.

    `at`: a row for every firm and node that it stands at: id, node, by (`code` or the kind of text), evidence (code or
    words), weight (of the words). `possible`: id, node of firms that are open there. `states`: id, state, a row a firm:
    `placed`; `open` (its code fits nodes, no word decides; of a code that belongs in part or lies above the nodes only
    where there is no text but the name); `outside` (a code or text that leads to none); `unknown` (neither of them).
    """

    at: pl.DataFrame
    possible: pl.DataFrame
    states: pl.DataFrame


@dataclass(frozen=True)
class _Fitting:
    """The nodes that a code fits: those that claim it as a whole, and those that claim it, or codes below it, in part."""

    whole: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    code: str = ""

    def __bool__(self) -> bool:
        return bool(self.whole or self.part)


@dataclass(frozen=True)
class _Claims:
    """Which nodes claim which codes, as a whole or in part."""

    gbt: Mapping[str, list[tuple[str, bool]]]
    digital: Mapping[str, list[tuple[str, bool]]]

    @classmethod
    def of(cls, chain: Chain) -> _Claims:
        gbt: dict[str, list[tuple[str, bool]]] = {}
        digital: dict[str, list[tuple[str, bool]]] = {}
        for node in chain.nodes:
            for listed, found in zip(claims(node), (gbt, digital), strict=True):
                for claim in listed:
                    found.setdefault(claim.code, []).append((node.id, claim.part))
        return cls(gbt, digital)

    def fitting(self, industry: str | None, digital: str | None) -> tuple[_Fitting, bool]:
        """The nodes that a firm's codes fit, and whether any code is known.

        Of claims at several levels the most detailed counts. A code above all claims fits whatever is below it, in part.
        """
        code = canonical(industry) if industry else None
        given = digital.removeprefix(f"{EDITION}:") if digital else None
        given = given if given in digital_entries() else None
        by_code = digital_class(code).digital_code if code else None
        asked = ((code, self.gbt, GBT), (given, self.digital, EDITION), (by_code, self.digital, EDITION))
        for look in (_claimed, _below):
            for known, claimed, scheme in asked:
                if known and (found := look(known, claimed, scheme)):
                    return found, True
        return _Fitting(), code is not None or given is not None


def _claimed(code: str, claimed: Mapping[str, list[tuple[str, bool]]], scheme: str) -> _Fitting:
    owners = next((claimed[code[:n]] for n in range(len(code), 1, -1) if code[:n] in claimed), [])
    whole = _once(node for node, part in owners if not part)
    return _Fitting(whole, tuple(n for n in _once(node for node, _ in owners) if n not in whole), f"{scheme}:{code}")


def _below(code: str, claimed: Mapping[str, list[tuple[str, bool]]], scheme: str) -> _Fitting:
    nodes = (node for lower, owners in claimed.items() if lower.startswith(code) for node, _ in owners)
    return _Fitting((), _once(nodes), f"{scheme}:{code}")


def _once(nodes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(nodes))


@lru_cache(maxsize=16)
def product_words(chain: Chain) -> ProductWords:
    """The product words of a chain, built for reading."""
    traders = [node.id for node in chain.nodes if any(claim.code[:2] in TRADE for claim in claims(node)[0])]
    return ProductWords.of({node.id: node.words for node in chain.nodes}, traders)


def place_firms(chain: Chain, organisations: Any) -> Places:
    """Which nodes of a chain firms stand at 企业对环节.

    Parameters
    ----------
    organisations
        Any dataframe with `id`; of `industry_code` (GB/T 4754-2017), `digital_code` (2021), `main_business`,
        `business_scope`, `summary` and `name` those that are there. Texts are read in this order, up to the first that
        says something.

    Returns
    -------
    `Places`. A firm may stand at several nodes, by its words; by a code only at one.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: there is no column `id`.

    Examples
    --------
    >>> from jiqun.atlas.chain_data import Node
    >>> nodes = [("wafer", "upstream", ["3985"], ["硅片"]), ("resist", "upstream", ["3985"], ["光刻胶"]), ("fab", "midstream", ["3973"], [])]
    >>> made = [Node(id=i, zh=i, en=i, stage=s, gbt=g, words_zh=w, status="draft") for i, s, g, w in nodes]
    >>> chain = Chain(id="c", zh="c", en="c", version="1", nodes=made)
    >>> firms = pl.DataFrame({"id": list("abcd"), "industry_code": ["3973", "3985", "3985", None], "main_business": [None, "光刻胶的生产", None, None]})
    >>> found = place_firms(chain, firms)
    >>> found.at.select("id", "node", "by").rows(), found.states["state"].to_list()
    ([('a', 'fab', 'code'), ('b', 'resist', 'main_business')], ['placed', 'placed', 'open', 'unknown'])
    """
    frame = as_polars(organisations, "id")
    firms = frame.select(
        pl.col("id").cast(pl.String),
        *(
            (pl.col(c) if c in frame.columns else pl.lit(None)).cast(pl.String).alias(c)
            for c in ("industry_code", "digital_code")
        ),
        *(pl.col(c).cast(pl.String) for c in COLUMNS.values() if c in frame.columns),
    ).with_row_index("row")
    firms = _with_fitting(chain, firms)
    sole = pl.col("whole").list.len() == 1
    decided = firms.filter(sole)
    at = [
        decided.select(
            "row",
            node=pl.col("whole").list.first(),
            by=pl.lit("code"),
            evidence="code",
            weight=pl.lit(None, pl.Float64),
        )
    ]
    # what words may still say: of firms that a code decides only what is claimed in part besides
    rest = firms.filter(~sole | (pl.col("part").list.len() > 0)).with_columns(
        allowed=pl.when(sole).then("part").otherwise(pl.concat_list("whole", "part"))
    )
    for kind in KINDS:
        if COLUMNS[kind] in rest.columns and rest.height:
            found = _by_words(chain, rest, kind)
            at.append(found)
            rest = rest.join(found.select("row").unique(), on="row", how="anti", maintain_order="left")
    placed = pl.concat(at).sort("row", "weight", "node", descending=[False, True, False], nulls_last=True)
    texts = [c for kind, c in COLUMNS.items() if kind != "name" and c in firms.columns]
    says = [(pl.col(c).str.len_bytes() > 0).fill_null(value=False) for c in texts]
    told = firms.with_columns(
        placed=pl.col("row").is_in(placed["row"].unique().implode()),
        says=pl.any_horizontal(says or [pl.lit(value=False)]),
    ).with_columns(open=(pl.col("whole").list.len() > 0) | ((pl.col("part").list.len() > 0) & ~pl.col("says")))
    state = (
        pl.when("placed").then(pl.lit(PLACED))
        .when("open").then(pl.lit(OPEN))
        .when(pl.col("known") | pl.col("says")).then(pl.lit(OUTSIDE))
        .otherwise(pl.lit(UNKNOWN))
    )  # fmt: skip
    possible = (
        told.filter(~pl.col("placed") & pl.col("open"))
        .select("id", node=pl.concat_list("whole", "part"))
        .explode("node")
    )
    named = placed.join(firms.select("row", "id"), on="row", maintain_order="left").select(PLACES)
    return Places(named, possible, told.select("id", state=state))


def _with_fitting(chain: Chain, firms: pl.DataFrame) -> pl.DataFrame:
    """The firms with `whole` and `part` (nodes that their codes fit), `code` and `known`."""
    claimed = _Claims.of(chain)
    codes = firms.select("industry_code", "digital_code").unique(maintain_order=True)
    told = [claimed.fitting(industry, digital) for industry, digital in codes.iter_rows()]
    lists = pl.List(pl.String)
    answers = codes.with_columns(
        whole=pl.Series([list(found.whole) for found, _ in told], dtype=lists),
        part=pl.Series([list(found.part) for found, _ in told], dtype=lists),
        code=pl.Series([found.code for found, _ in told], dtype=pl.String),
        known=pl.Series([known for _, known in told], dtype=pl.Boolean),
    )
    return firms.join(
        answers, on=["industry_code", "digital_code"], how="left", nulls_equal=True, maintain_order="left"
    )


def _by_words(chain: Chain, firms: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """row, node, by, evidence, weight of firms whose texts of one kind speak of nodes that their codes allow, or have none."""
    found = product_words(chain).read(firms[COLUMNS[kind]], kind)
    asked = firms.select("allowed", firm="row").with_row_index("row")
    both = found.join(asked, on="row", maintain_order="left")
    free = pl.col("allowed").list.len() == 0
    kept = both.filter(free | pl.col("allowed").list.contains(pl.col("owner")))
    return kept.select(row="firm", node="owner", by=pl.lit(kind), evidence="words", weight="weight")
