"""Type of a cluster as two scores 集群类型: what it makes (industry), and what holds it together (space).

The labels 数字产业化, 产业数字化 and 虚拟化网络 and the forms geographic, mixed and virtual follow from the scores by thresholds
that are data (`data/cluster_type.csv`). A digitised traditional cluster is not a digital industry cluster, nor is a purely
virtual one: both are labelled apart, with the reason. What is not known stays open.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import polars as pl

from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

Label = Literal["digital_industry", "digitised_traditional", "network", "traditional", "undecided"]
Form = Literal["geographic", "mixed", "virtual", "unknown"]
CORE = ("01", "02", "03", "04")
APPLIED = "05"
LABELS: dict[Label, Text] = {
    "digital_industry": Text("数字产业化", "digital industry"),
    "digitised_traditional": Text("产业数字化", "digitised traditional industry"),
    "network": Text("虚拟化网络", "virtual network"),
    "traditional": Text("非数字产业", "not digital"),
    "undecided": Text("未定", "undecided"),
}
FORMS: dict[Form, Text] = {
    "geographic": Text("地理型", "geographic"),
    "mixed": Text("混合型", "mixed"),
    "virtual": Text("虚拟型", "virtual"),
    "unknown": Text("未知", "not known"),
}


@cache
def thresholds() -> Mapping[str, float]:
    """The thresholds by name, from `data/cluster_type.csv`.

    Examples
    --------
    >>> thresholds()["core_least"]
    0.5
    """
    text = files("jiqun.atlas").joinpath("data", "cluster_type.csv").read_text(encoding="utf-8")
    return {row["key"]: float(row["value"]) for row in csv.DictReader(text.splitlines())}


@dataclass(frozen=True)
class IndustryScore:
    """Share of members, or of their size, in the core divisions 产业得分.

    `core` and `applied` (division 05) among those whose class is known, None if none is; `low` to `high`: core if none, or
    all, of the others were core. `known`: share whose class is known.
    """

    core: float | None
    low: float | None
    high: float | None
    applied: float | None
    known: float
    by: str


def industry_score(members: Any, *, size: str | None = None) -> IndustryScore:
    """How far a cluster is of the core digital industries 产业得分: 1 all core, 0 efficiency improvement or none.

        core = Σ size of members in 01–04 / Σ size of members with a known class

    Parameters
    ----------
    members
        `digital_code` (null: unknown or none); optional `undigital` (boolean: known to be in no digital class), and the
        column named by `size` (missing or negative: 0).

    Examples
    --------
    >>> industry_score(pl.DataFrame({"digital_code": ["0101", "0501", None, "0305"]})).core.__round__(2)
    0.67
    """
    frame = as_polars(members, "digital_code").with_columns(pl.lit("").alias("cluster"))
    nothing = IndustryScore(None, None, None, None, 0.0, size if size in frame.columns and size else "members")
    return industry_scores(frame, by="cluster", size=size).get("", nothing)


def industry_scores(members: Any, *, by: str, size: str | None = None) -> dict[str, IndustryScore]:
    """`industry_score` of every cluster at once, by what the column `by` says.

    Examples
    --------
    >>> made = industry_scores(pl.DataFrame({"cluster": ["a", "a", "b"], "digital_code": ["0101", "0501", None]}), by="cluster")
    >>> made["a"].core, made["b"].known
    (0.5, 0.0)
    """
    frame = as_polars(members, "digital_code", by)
    has_size = size is not None and size in frame.columns
    weight = pl.col(str(size)).cast(pl.Float64).fill_null(0.0).clip(0.0) if has_size else pl.lit(1.0)
    none = pl.col("undigital").fill_null(value=False) if "undigital" in frame.columns else pl.lit(value=False)
    division = pl.col("digital_code").str.slice(0, 2)
    sums = (
        frame.select(
            by,
            total=weight,
            core=weight * division.is_in(CORE).fill_null(value=False),
            applied=weight * (division == APPLIED).fill_null(value=False),
            known=weight * (pl.col("digital_code").is_not_null() | none),
        )
        .group_by(by)
        .sum()
    )
    said = str(size) if has_size else "members"
    return {row[by]: _score(row["total"], row["core"], row["applied"], row["known"], said) for row in sums.to_dicts()}


def _score(total: float, core: float, applied: float, known: float, by: str) -> IndustryScore:
    if total <= 0:
        return IndustryScore(None, None, None, None, 0.0, by)
    return IndustryScore(
        core / known if known else None,
        core / total,
        (core + total - known) / total,
        applied / known if known else None,
        known / total,
        by,
    )


@dataclass(frozen=True)
class ClusterType:
    """The type of one cluster 集群类型: label, form, whether it is a digital industry cluster (None: open), and why."""

    label: Label
    form: Form
    digital_cluster: bool | None
    purely_virtual: bool
    reason: Text


def cluster_type(score: IndustryScore, space: float | None, *, at: Mapping[str, float] | None = None) -> ClusterType:
    """Label and form of a cluster from its scores 类型判定.

    Parameters
    ----------
    score
        Of `industry_score`.
    space
        Share of the weight of links within the cluster that runs over more than eps: 0 place, 1 network. None: no links.
    at
        Other thresholds than those of `thresholds()`.

    Raises
    ------
    MeasureInputError
        JQ-NETWORK-002: space is no share.

    Examples
    --------
    >>> made = cluster_type(IndustryScore(0.2, 0.2, 0.2, 0.6, 1.0, "members"), 0.1)
    >>> made.label, made.form, made.digital_cluster
    ('digitised_traditional', 'geographic', False)
    """
    limit = {**thresholds(), **(at or {})}
    if space is not None and not 0 <= space <= 1:
        raise MeasureInputError("JQ-NETWORK-002", what="space", value=space, expected="0 … 1")
    form: Form = "mixed"
    if space is None:
        form = "unknown"
    elif space <= limit["place_most"]:
        form = "geographic"
    elif space >= limit["network_least"]:
        form = "virtual"
    only = space is not None and space >= limit["virtual_only"]
    core, low, high = score.core, score.low, score.high
    if core is None or low is None or high is None or score.known < limit["known_least"]:
        return ClusterType("undecided", form, False if only else None, only, _open(score, only=only, space=space))
    least = limit["core_least"]
    if low < least <= high:
        return ClusterType(
            "undecided", form, False if only else None, only, _between(score, least, only=only, space=space)
        )
    if low >= least:
        label: Label = "network" if form == "virtual" else "digital_industry"
        return ClusterType(label, form, not only, only, _core(score, least, only=only, space=space))
    label = "digitised_traditional" if (score.applied or 0.0) >= limit["applied_least"] else "traditional"
    return ClusterType(label, form, False, only, _not_core(score, least, label, only=only, space=space))


def _share(value: float | None) -> tuple[str, str]:
    whole = f"{value or 0.0:.0%}"
    return whole, whole.replace("%", " %")


def _by(score: IndustryScore) -> tuple[str, str]:
    return ("成员", "its members") if score.by == "members" else ("成员规模", "its members' size")


def _virtual(space: float | None) -> Text:
    zh, en = _share(space)
    return Text(
        f"它不是数字产业集群：{zh} 的关联权重是跨地的，没有任何地方把成员聚在一起，属于纯虚拟网络。",
        f"It is not a digital industry cluster because {en} of its link weight runs over distance: no place holds its members "
        "together, it is a purely virtual network.",
    )


def _joined(*texts: Text) -> Text:
    return Text("".join(text.zh for text in texts), " ".join(text.en for text in texts))


def _open(score: IndustryScore, *, only: bool, space: float | None) -> Text:
    zh, en = _share(score.known)
    said = Text(
        f"只有 {zh} 的成员类别已知，产业类型不予判定。",
        f"The class of only {en} of its members is known, so its industry type stays open.",
    )
    return _joined(said, _virtual(space)) if only else said


def _between(score: IndustryScore, least: float, *, only: bool, space: float | None) -> Text:
    (low, low_en), (high, high_en), (limit, limit_en) = _share(score.low), _share(score.high), _share(least)
    said = Text(
        f"核心产业占{_by(score)[0]}的 {low} 至 {high}，类别未知者如何归类决定它是否达到 {limit}，因此未定。",
        f"Core industries are {low_en} to {high_en} of {_by(score)[1]}: whether they reach {limit_en} depends on those whose "
        "class is not known, so the type is open.",
    )
    return _joined(said, _virtual(space)) if only else said


def _core(score: IndustryScore, least: float, *, only: bool, space: float | None) -> Text:
    (core, core_en), (limit, limit_en) = _share(score.core), _share(least)
    said = Text(
        f"核心产业(01–04 大类)占{_by(score)[0]}的 {core}，不低于 {limit}。",
        f"Core industries (divisions 01 to 04) are {core_en} of {_by(score)[1]}, not below {limit_en}.",
    )
    if only:
        return _joined(said, _virtual(space))
    if space is None:
        return _joined(
            said,
            Text(
                "没有关联数据，成员靠地方还是靠网络相连尚不知道。",
                "Without links it is not known whether place or network holds it together.",
            ),
        )
    return said


def _not_core(score: IndustryScore, least: float, label: Label, *, only: bool, space: float | None) -> Text:
    (core, core_en), (limit, limit_en), (applied, applied_en) = _share(score.core), _share(least), _share(score.applied)
    if label == "digitised_traditional":
        said = Text(
            f"它不是数字产业集群：核心产业只占{_by(score)[0]}的 {core}(低于 {limit})，效率提升业占 {applied}，是数字化了的传统集群。",
            f"It is not a digital industry cluster because core industries are only {core_en} of {_by(score)[1]} (below "
            f"{limit_en}), and efficiency improvement is {applied_en}: a traditional cluster that went digital.",
        )
    else:
        said = Text(
            f"它不是数字产业集群：核心产业只占{_by(score)[0]}的 {core}(低于 {limit})，效率提升业占 {applied}。",
            f"It is not a digital industry cluster because core industries are only {core_en} of {_by(score)[1]} (below "
            f"{limit_en}), and efficiency improvement is {applied_en}.",
        )
    return _joined(said, _virtual(space)) if only else said
