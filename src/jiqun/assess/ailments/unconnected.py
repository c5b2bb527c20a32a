"""Gathered but not a cluster 集而不群: agglomeration against linkage, kinds of members that are missing, research cut off.

Agglomeration is the search's own ratio to what is expected; linkage that of the network's analysis to what size and distance
explain (`jiqun.atlas.linkage_residual`). Nothing is computed anew here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import ceil, log, log1p, prod
from typing import Any

import polars as pl
from scipy.stats import binom

from jiqun.assess.ailments.kinds import FIRM, KINDS, member_kind
from jiqun.assess.findings import Finding, Severity
from jiqun.core.document import Text
from jiqun.core.frames import as_polars

HIGH_BOUND, MEDIUM_BOUND = 0.5, 0.8
"""Ours: linkage is a high case where the upper bound of its ratio lies below the first, a medium one below the second."""
CHANCE = 0.05
"""Of the kinds of members that are missing, taken together, and of each of them."""
CUT_OFF = 0.025
"""One-sided, as the interval of 95 % has it on either side."""
LEAST_LINKS = 20
"""Ours: with fewer links that touch a cluster, that none leads to a university or institute is no news."""
_TITLE = Text("集而不群", "Gathered but not a cluster")
_REASONS = {
    "response": Text("应答率太低", "too few firms answered"),
    "response unknown": Text("不知道谁应答了", "it is not known who answered"),
    "few": Text("能用的企业太少", "too few firms can be used"),
    "coverage": Text("有规模和位置的成员太少", "too few members have a size and a place"),
    "few links": Text(
        "期望的关联不足五条，没有也说明不了什么", "fewer than five links are expected, so that none would be no news"
    ),
    "no links": Text("没有关联", "there are no links"),
    "no model": Text("引力模型无解", "the gravity model has no solution"),
    "no interval": Text("没有区间", "there is no interval"),
}
_LINKS = Text(
    "成员之间的关联(links 表或一轮关联调查)，以及其后的网络分析",
    "links between members (table links, or a survey), and the network's analysis of them",
)


def linkage_finding(unit: str, row: Mapping[str, Any], residual: Mapping[str, Any] | None) -> Finding:
    """A cluster's place in the quadrant of agglomeration and linkage 集聚 × 关联象限.

    Parameters
    ----------
    row
        Of the cluster: `firms`, `ratio` (times the expected firms; null where unknown).
    residual
        Of the network's analysis: members, used, observed, expected, ratio, low, high, finding, reason; None: not analysed.

    Returns
    -------
    Found where the cluster is denser than expected (ratio > 1) and its interval of linkage lies below 1; high where that ends
    below 0.5, medium below 0.8 (ours). Unknown where the analysis says so, or there is none.
    """
    common: dict[str, Any] = {"unit": unit, "code": "unconnected.linkage", "title": _TITLE}
    varies = Text(
        "区间来自在各组内重抽企业，并放宽到关联数的泊松区间；没有记录的关联不在其中",
        "the interval is of firms redrawn within groups, widened to that of a Poisson count of links; links that nobody recorded are not in it",
    )
    gathered = row.get("ratio")
    if residual is None or residual["finding"] == "unknown" or gathered is None:
        why = _LINKS
        if residual is not None and residual.get("reason") in _REASONS:
            why = _REASONS[str(residual["reason"])]
        elif residual is not None and gathered is None:
            why = Text("集聚程度的期望值", "what agglomeration to expect")
        return Finding(
            **common, state="unknown",
            sentence=Text(f"聚集可见，关联未知：{why.zh}。", f"That it is gathered can be seen, how linked it is cannot: {why.en}."),
            varies=varies, missing=(why,),
            action=Text("发起一轮关联调查，或导入专利、投资、采购等关联。", "Hold a survey of links, or import links of patents, investment and purchases."),
            evidence=pl.DataFrame({"firms": [row.get("firms")], "agglomeration": [gathered]}, schema={"firms": pl.Int64, "agglomeration": pl.Float64}),
        )  # fmt: skip
    ratio, low, high = (float(residual[name]) for name in ("ratio", "low", "high"))
    dense = f"{gathered:,.0f}" if gathered >= 10 else f"{gathered:.1f}"
    found = residual["finding"] == "less" and gathered > 1
    severity: Severity = "high" if high < HIGH_BOUND else "medium" if high < MEDIUM_BOUND else "low"
    against = {
        "less": Text("少于", "fewer than"),
        "more": Text("多于", "more than"),
        "as expected": Text("接近", "about what"),
    }[str(residual["finding"])]
    en_tail = "size and distance explain" if residual["finding"] == "as expected" else "what size and distance explain"
    evidence = pl.DataFrame(
        [{"firms": row.get("firms"), "agglomeration": float(gathered), "linkage": ratio}
         | {name: residual.get(name) for name in ("members", "used", "observed", "expected")}]
    )  # fmt: skip
    return Finding(
        **common, state="found" if found else "not_found", severity=severity if found else None, statistic=ratio, low=low, high=high,
        measure=Text("关联强度与期望之比", "linkage as a multiple of the expected"),
        sentence=Text(
            f"企业密度是期望的 {dense} 倍；成员之间的关联是期望的 {ratio:.2f} 倍(区间 {low:.2f} 至 {high:.2f})，{against.zh}规模和距离能解释的。",
            f"Its firms stand {dense} times as dense as expected; its members have {ratio:.2f} times the links (interval {low:.2f} to {high:.2f}): "
            f"{against.en} {en_tail}.",
        ),
        varies=varies,
        action=Text("组织成员对接：先请链主开放采购和技术需求，再看关联是否增加。", "Bring members together: have chain leaders open their purchases and needs first, and see whether links grow.")
        if found else Text("无需行动；下一轮调查后再看。", "Nothing to do; look again after the next survey."),
        evidence=evidence,
    )  # fmt: skip


def members_finding(unit: str, members: Any, register: Any) -> Finding:
    """Kinds of members that a cluster lacks 缺失的成员种类, from names; `missing_kinds` of what `member_kind` tells of them.

    `members`, `register`: organisations with `name`, those of the cluster and all that are loaded.
    """
    named, whole = (as_polars(frame, "name").select(kind=member_kind(pl.col("name"))) for frame in (members, register))
    return missing_kinds(unit, _kind_counts(named), _kind_counts(whole))


def _kind_counts(kinds: pl.DataFrame) -> dict[str, int]:
    return {str(kind): n for kind, n in kinds.drop_nulls("kind").group_by("kind").len().iter_rows()}


def missing_kinds(unit: str, has: Mapping[str, int], register: Mapping[str, int], *, mixed: bool = True) -> Finding:
    """Kinds of members that a cluster lacks 缺失的成员种类: universities, institutes, finance, associations.

        chance of none = (1 − s)^n    s share of the kind in the register, n members

    Parameters
    ----------
    has, register
        Numbers of each kind (`KINDS` and firm), in the cluster and in all that is loaded.
    mixed
        Whether the register is of organisations of all kinds; one of a single class says nothing of institutions.

    Returns
    -------
    The statistic is how many of the kinds it has. A kind is missing where the cluster has none, none would be a chance of less
    than 0.05, and so would all that are absent be together (`chance_of_absence`), since four are looked for; else it is
    *undecided*. Found where a kind is missing; high where three or more of the four are, medium where two are (ours).
    Unknown where nothing is missing but something undecided, where the register has none of the kinds, or is not mixed.
    """
    n, total = sum(has.values()), sum(register.values())
    chances = {kind: (1 - register.get(kind, 0) / total) ** n if total else 1.0 for kind in (*KINDS, FIRM)}
    absent = [kind for kind in KINDS if not has.get(kind)]
    beyond = chance_of_absence([chances[kind] for kind in KINDS], [kind in absent for kind in KINDS]) < CHANCE
    lacking = [kind for kind in absent if beyond and chances[kind] < CHANCE]
    open_ = [kind for kind in absent if kind not in lacking]
    common: dict[str, Any] = {
        "unit": unit,
        "code": "unconnected.members",
        "title": Text("成员种类", "Kinds of members"),
    }
    varies = Text(
        "按名称用词判定，词表是我们的；名称不说明种类、登记册未收录的机构会被漏掉",
        "kinds are told by words of names, of our own list; organisations whose names do not say, or that the register lacks, are missed",
    )
    evidence = pl.DataFrame(
        [(kind, has.get(kind, 0), register.get(kind, 0), chances[kind]) for kind in (*KINDS, FIRM)],
        schema={"kind": pl.String, "here": pl.Int64, "register": pl.Int64, "chance_none": pl.Float64}, orient="row",
    )  # fmt: skip
    present = len(KINDS) - len(lacking) - len(open_)
    if not mixed or not n or (open_ and not lacking):
        why = Text(
            "含高校、院所、基金、协会的登记册", "a register that holds universities, institutes, funds and associations"
        )
        zh, en = _named_kinds(open_)
        sentence = Text(
            "登记册不是为收录高校、院所、基金和协会而设，是否缺它们无从得知。",
            "The register is not one of universities, institutes, funds and associations: whether they are missing it cannot say.",
        )
        if mixed and n:
            sentence = Text(
                f"成员中没有{zh}，但登记册里这类机构太少，没有也不足为奇。",
                f"There are no {en} among its members, but the register has so few of them that none is no news.",
            )
        return Finding(
            **common, state="unknown", sentence=sentence, varies=varies, missing=(why,), evidence=evidence,
            action=Text("把高校、院所、基金、协会名单作为机构导入。", "Import lists of universities, institutes, funds and associations as organisations."),
        )  # fmt: skip
    severity: Severity = "high" if len(lacking) > 2 else "medium" if len(lacking) == 2 else "low"
    zh, en = _named_kinds(lacking)
    return Finding(
        **common, state="found" if lacking else "not_found", severity=severity if lacking else None,
        statistic=float(present), measure=Text(f"有的种类数(共 {len(KINDS)} 种)", f"kinds present, of {len(KINDS)}"),
        sentence=Text(
            f"{n:,} 个成员中没有{zh}；若与登记册同样分布，没有的机会不到 5%。" if lacking else f"{len(KINDS)} 种机构都有。",
            f"Among its {n:,} members there are no {en}; were they spread as the register is, the chance of that would be below 5%." if lacking
            else f"It has all {len(KINDS)} kinds of institution.",
        ),
        varies=varies, evidence=evidence,
        action=Text(f"邀请邻近的{zh}加入；先看登记册中最近的几家。", f"Invite {en} nearby; begin with those of the register that are nearest.")
        if lacking else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip


def chance_of_absence(chances: Sequence[float], absent: Sequence[bool]) -> float:
    """Chance that kinds are absent which are as unlikely to be together as these 多类同时缺失的概率.

        p = Σ_S Π_{k in S} c_k Π_{k not in S} (1 − c_k)   over sets S with Π_{k in S} c_k <= Π_{k absent} c_k

    `chances` c that none of a kind is there, each by itself. Kinds count as independent; members that are one cannot be another,
    so that several are absent together a little less often than that.

    Examples
    --------
    >>> round(chance_of_absence([0.04] * 4, [True, False, False, False]), 4)  # one of four: no news
    0.1507
    >>> round(chance_of_absence([0.04, 0.5, 0.5, 0.5], [True, False, False, False]), 4)
    0.04
    """
    seen = prod(c for c, gone in zip(chances, absent, strict=True) if gone)
    total = 0.0
    for gone in product((False, True), repeat=len(chances)):
        if prod(c for c, one in zip(chances, gone, strict=True) if one) <= seen * (1 + 1e-12):
            total += prod(c if one else 1 - c for c, one in zip(chances, gone, strict=True))
    return min(1.0, total)


def _named_kinds(kinds: list[str]) -> tuple[str, str]:
    return "、".join(KINDS[kind].zh for kind in kinds), ", ".join(KINDS[kind].en for kind in kinds)


def research_finding(
    unit: str, linked: Mapping[str, int], *, register: Mapping[str, int], share: float | None
) -> Finding:
    """Whether the cluster's firms have to do with universities and institutes 创新链、人才链与产业链.

    Parameters
    ----------
    linked
        Links that touch a firm of the cluster, by the kind of the other end (`KINDS`, firm).
    register
        Organisations of each kind that are loaded.
    share
        Of all links of firms, those whose other end is a university or institute: what it is compared with.

    Returns
    -------
    The statistic is the share of the firms' links that lead to universities and institutes. Found where so few or fewer would be a
    chance of less than 0.025 (binomial) if links led there as those of all firms do; high where none does. Unknown with
    fewer than 20 links, where even none would be a greater chance, or where register or links hold no university or institute
    at all.

    Notes
    -----
    Clusters are tested one by one: among many, some are found by chance.
    """
    research = sum(linked.get(kind, 0) for kind in ("university", "institute"))
    total = sum(linked.values())
    common: dict[str, Any] = {
        "unit": unit,
        "code": "chains.research",
        "title": Text("创新链、人才链脱节", "Innovation and talent cut off"),
    }
    evidence = pl.DataFrame(
        [(kind, linked.get(kind, 0), register.get(kind, 0)) for kind in (*KINDS, FIRM)],
        schema={"kind": pl.String, "links": pl.Int64, "register": pl.Int64}, orient="row",
    )  # fmt: skip
    varies = Text(
        "区间只含关联数的偶然；没有记录的合作不在其中",
        "the interval holds the chance in the number of links; work together that nobody recorded is not in it",
    )
    held = register.get("university", 0) + register.get("institute", 0)
    enough = ceil(log(CUT_OFF) / log1p(-share)) if share and share < 1 else 1
    least = max(LEAST_LINKS, enough)
    if total < least or not held or not share:
        lacking = []
        if not held:
            lacking.append(Text("登记册中的高校和院所", "universities and institutes in the register"))
        if total < least:
            lacking.append(
                Text(
                    f"至少 {least} 条触及该集群的关联(现有 {total} 条)",
                    f"at least {least} links that touch the cluster (there are {total})",
                )
            )
        if not lacking:
            lacking.append(Text("企业与高校、院所的关联", "links between firms and universities or institutes"))
        return Finding(
            **common, state="unknown",
            sentence=Text("数据不足以说明企业与高校、院所有无往来。", "The data do not say whether its firms have to do with universities and institutes."),
            varies=varies, missing=tuple(lacking), evidence=evidence,
            action=Text("导入共同专利或合作项目，调查表可带上高校和院所。", "Import joint patents and projects; let a survey name universities and institutes."),
        )  # fmt: skip
    low, high = wilson(research, total)
    found = bool(binom.cdf(research, total, share) < CUT_OFF)
    severity: Severity = "high" if research == 0 else "medium"
    return Finding(
        **common, state="found" if found else "not_found", severity=severity if found else None, statistic=research / total, low=low, high=high,
        measure=Text("通向高校和院所的关联占比", "share of links that lead to universities and institutes"),
        sentence=Text(
            f"企业的 {total:,} 条关联中 {research:,} 条通向高校和院所({research / total:.1%}；所有企业为 {share:.1%})。",
            f"Of {total:,} links of its firms {research:,} lead to universities and institutes ({research / total:.1%}; {share:.1%} over all firms).",
        ),
        varies=varies, evidence=evidence,
        action=Text("请高校、院所和企业共同提出课题，共建实验室和实习岗位。", "Have universities, institutes and firms set topics together, and share laboratories and traineeships.")
        if found else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip


def wilson(hits: float, total: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Bounds of a share 比例的 Wilson 区间, by default of 95 %.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209–212.

    Examples
    --------
    >>> tuple(round(bound, 4) for bound in wilson(0, 10))
    (0.0, 0.2775)
    """
    share, square = hits / total, z * z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = z / (1 + square / total) * (share * (1 - share) / total + square / (4 * total * total)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
