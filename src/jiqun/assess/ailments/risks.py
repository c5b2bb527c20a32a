"""Further risks 其他风险: away from making things, few outside suppliers, lock-in, data, what is old and what is new.

Each function takes counts that a desk made from the register or the links, so that it can be checked by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from jiqun.assess.ailments.unconnected import wilson
from jiqun.assess.findings import Finding, Severity
from jiqun.core.arrays import Floats, Integers
from jiqun.core.document import Text
from jiqun.core.errors import MeasureInputError
from jiqun.core.frames import as_polars

COVERED = 0.5
"""Ours: where fewer firms have a class, nothing is said."""
LEAST_FIRMS = 30
HIGH_GAP, MEDIUM_GAP = 0.2, 0.1
"""Ours: the share lies so much above that of the register."""
CONCENTRATED = 0.25
"""Herfindahl index from which purchases count as concentrated: the bound of the U.S. Horizontal Merger Guidelines of 2010 for
markets, borrowed; that it should hold for suppliers is ours."""
OUTSIDE = 0.5
LEAST_CUSTOMERS = 10
"""Ours: with fewer customers an interval says nothing."""
LEAST_RUNS = 3
ONE_SIDED = 2 / 3
"""Ours: one tag holds so much of the classed firms."""
DRAWS = 999
_CELLS_AT_ONCE = 4_000_000
TAGS = {
    "traditional": Text("传统产业", "traditional"),
    "emerging": Text("新兴产业", "emerging"),
    "future": Text("未来产业", "future"),
}
VIRTUAL = pl.col("industry_code").str.slice(0, 2).is_in(["66", "67", "68", "69", "70"])
"""Of GB/T 4754-2017: finance (divisions 66 to 69) and real estate (70)."""
MAKING = pl.col("industry_code").str.slice(0, 2).is_in([f"{n:02}" for n in range(13, 44)])
"""Of GB/T 4754-2017: manufacturing (divisions 13 to 43)."""
_CODE = pl.col("industry_code").cast(pl.String).str.extract(r"([0-9]{2,4})$")


def sector_counts(firms: Any) -> dict[str, int]:
    """firms, classed, virtual, making: how many firms are in finance and real estate, and in manufacturing 脱实向虚计数.

    Examples
    --------
    >>> sector_counts(pl.DataFrame({"industry_code": ["6621", "GB/T 4754-2017:7010", "3912", None]}))
    {'firms': 4, 'classed': 3, 'virtual': 2, 'making': 1}
    """
    table = as_polars(firms, "industry_code").select(industry_code=_CODE)
    row = table.select(
        firms=pl.len(), classed=pl.col("industry_code").count(), virtual=VIRTUAL.sum(), making=MAKING.sum()
    ).row(0, named=True)
    return {name: int(value or 0) for name, value in row.items()}


def virtual_finding(unit: str, here: Mapping[str, int], register: Mapping[str, int]) -> Finding:
    """Away from making things 脱实向虚: finance and real estate against manufacturing, beside the register's share.

        statistic = V / (V + M)    V firms in finance and real estate, M in manufacturing

    `here`, `register`: as from `sector_counts`. Found where the lower bound (Wilson, 95 %) lies above the share of the register;
    high from 20 points above, medium from 10 (ours). Unknown with fewer than 30 such firms, or where less than half of the
    members have an industry code.
    """
    both, whole = here["virtual"] + here["making"], register["virtual"] + register["making"]
    common: dict[str, Any] = {
        "unit": unit,
        "code": "real.virtual",
        "title": Text("脱实向虚", "Away from making things"),
    }
    varies = Text(
        "区间只含企业数的偶然；按企业数计，不按资金",
        "the interval holds the chance in the number of firms; firms are counted, not money",
    )
    evidence = pl.DataFrame(
        [("here", *(here[k] for k in ("firms", "classed", "virtual", "making"))), ("register", *(register[k] for k in ("firms", "classed", "virtual", "making")))],
        schema=["where", "firms", "classed", "virtual", "making"], orient="row",
    )  # fmt: skip
    if both < LEAST_FIRMS or not whole or here["classed"] < COVERED * here["firms"]:
        return Finding(
            **common, state="unknown",
            sentence=Text("有国民经济行业代码的企业太少，金融、房地产与制造的比重未知。", "Too few firms have an industry code to tell finance and real estate from manufacturing."),
            varies=varies, evidence=evidence, missing=(Text("成员的国民经济行业代码(至少一半成员、30 家相关企业)", "industry codes of members (of half of them, and 30 such firms)"),),
            action=Text("为登记册补上行业代码。", "Add industry codes to the register."),
        )  # fmt: skip
    share, against = here["virtual"] / both, register["virtual"] / whole
    low, high = wilson(here["virtual"], both)
    found = low > against
    severity: Severity = "high" if share - against >= HIGH_GAP else "medium" if share - against >= MEDIUM_GAP else "low"
    return Finding(
        **common, state="found" if found else "not_found", severity=severity if found else None, statistic=share, low=low, high=high,
        measure=Text("金融和房地产占其与制造业之和", "finance and real estate, of these and manufacturing"),
        sentence=Text(
            f"金融和房地产企业 {here['virtual']:,} 家，制造企业 {here['making']:,} 家：前者占 {share:.0%}，整个登记册为 {against:.0%}。",
            f"{here['virtual']:,} firms of finance and real estate, {here['making']:,} of manufacturing: {share:.0%}, where the register has {against:.0%}.",
        ),
        varies=varies, evidence=evidence,
        action=Text("查明新增的金融、房地产企业服务于谁；优先安排制造用地和贷款。", "Find out whom the financial and real-estate firms serve, and put land and credit for making first.")
        if found else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip


@dataclass(frozen=True)
class Dependence:
    """What members depend on, by the kind of the links that tell it, and how that is said."""

    code: str
    kind: str
    title: Text
    links: Text
    holders: Text
    measure: Text
    varies: Text
    collect: Text
    act: Text


SUPPLIERS = Dependence(
    "dependence.suppliers", "supply", Text("对外依赖", "Dependence on few outside suppliers"),
    Text("供应关联", "supply links"), Text("供应方", "suppliers"),
    Text("外部供应的赫芬达尔指数", "Herfindahl index of outside supply"),
    Text(
        "区间来自重抽采购方；没有记录的采购和可替代性不在其中",
        "the interval is of customers drawn anew; purchases that nobody recorded and who could replace whom are not in it",
    ),
    Text("请链主填报主要供应商，或导入采购记录。", "Ask chain leaders for their main suppliers, or import purchases."),
    Text("为最大的外部供应方寻找备份，先看产业链页的候选。", "Look for backup suppliers for the largest; begin with the candidates of the chain's page."),
)  # fmt: skip
TECHNOLOGIES = Dependence(
    "dependence.technologies", "platform", Text("技术依赖", "Dependence on few outside technologies"),
    Text("平台关联", "platform links"), Text("平台", "platforms"),
    Text("外部平台的赫芬达尔指数", "Herfindahl index of outside platforms"),
    Text(
        "技术按平台关联计(云、操作系统、设计工具、工业软件等由谁提供)；区间来自重抽使用方；没有记录的使用、专利许可和可替代性不在其中",
        "technologies are told by platform links (who provides cloud, operating system, design tool, industrial software); the interval is of "
        "users drawn anew; use that nobody recorded, licences of patents and what could replace what are not in it",
    ),
    Text("在名录调查中询问使用的主要平台和工具。", "Ask in a roster survey which platforms and tools are mainly used."),
    Text("为最大的外部平台准备替代和数据迁移方案，优先支持开源共建。", "Prepare a replacement and the way out for the data of the largest; support open source built together first."),
)  # fmt: skip


def dependence_finding(
    unit: str, links: Any, of: Dependence = SUPPLIERS, *, draws: int = DRAWS, seed: int = 20240501
) -> Finding:
    """Dependence on few outside suppliers or technologies 对外部少数供应方或技术的依赖.

        statistic = Σ_{i ≠ j} Σ_s w_is w_js / Σ_{i ≠ j} w_i w_j   over customers i, j and outside suppliers s
        outside = w / all that comes to members

    Parameters
    ----------
    links
        Links into the cluster: supplier, customer (a member), weight, outside (whether the supplier is no member); optional
        supplier_id, customer_id.
    of
        `SUPPLIERS`: the links are supply; `TECHNOLOGIES`: they run from a platform to its users.

    Returns
    -------
    The statistic is the Herfindahl index of outside supply, the chance that two amounts come from the same supplier, over
    amounts of different customers: with few customers, Σ_s (w_s / w)² would be too high, since each customer's own purchases
    agree with themselves.
    Found where the lower bound lies at 0.25 or above and at least half of all comes from outside; high where one
    supplier has half of what comes from outside for certain (lower bound >= 0.5), else medium (ours). The interval (95 %) is of
    customers drawn anew. Unknown with fewer than ten customers that have such links from outside.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-087: a weight is negative or none.
    """
    table = as_polars(links, "supplier", "customer", "weight", "outside")
    odd = table.filter(
        pl.col("weight").is_null() | ~pl.col("weight").cast(pl.Float64).is_finite() | (pl.col("weight") < 0)
    )
    if odd.height:
        raise MeasureInputError("JQ-ASSESS-087", unit=unit, count=odd.height)
    beyond = table.filter(pl.col("outside") & (pl.col("weight") > 0))
    total, out = float(table["weight"].sum()), float(beyond["weight"].sum())
    common: dict[str, Any] = {"unit": unit, "code": of.code, "title": of.title, "varies": of.varies}
    known = set(beyond.columns)
    beyond = beyond.with_columns(
        pl.coalesce(*(c for c in (f"{end}_id", end) if c in known)).alias(f"_{end}") for end in ("supplier", "customer")
    )
    customers = beyond["_customer"].n_unique()
    if customers < LEAST_CUSTOMERS:
        return Finding(
            **common, state="unknown",
            sentence=Text(f"只有 {customers} 个成员有来自外部的{of.links.zh}，说明不了依赖。", f"Members with {of.links.en} from outside: {customers}, too few to speak of dependence."),
            missing=(Text(f"至少 {LEAST_CUSTOMERS} 个成员的{of.links.zh}(links，kind = {of.kind})", f"{of.links.en} of at least {LEAST_CUSTOMERS} members (links, kind = {of.kind})"),),
            evidence=beyond.drop("_supplier", "_customer").head(20), action=of.collect,
        )  # fmt: skip
    shown = ["supplier", *(["supplier_id"] if "supplier_id" in known else [])]
    by = beyond.group_by("_supplier").agg(
        pl.col(shown).first(),
        weight=pl.col("weight").sum(),
        customers=pl.col("_customer").n_unique().cast(pl.Int64),
        share=pl.col("weight").sum() / out,
    )
    by = by.sort("share", "_supplier", descending=[True, False]).drop("_supplier")
    statistic, low, high = _concentration(beyond, draws, seed)
    found = low >= CONCENTRATED and out >= OUTSIDE * total
    top = by.row(0, named=True)
    holders = of.holders.en if by.height > 1 else of.holders.en.removesuffix("s")
    return Finding(
        **common, state="found" if found else "not_found", severity=("high" if low >= 0.5 else "medium") if found else None,
        statistic=statistic, low=low, high=high, measure=of.measure,
        sentence=Text(
            f"{of.links.zh}的 {out / total:.0%} 来自外部 {by.height:,} 家{of.holders.zh}，最大的一家占其中 {top['share']:.0%}；集中度 {statistic:.2f}(区间 {low:.2f} 至 {high:.2f})，界限 {CONCENTRATED}。",
            f"{out / total:.0%} of {of.links.en} come from {by.height:,} outside {holders}, of which the largest has {top['share']:.0%}; concentration "
            f"{statistic:.2f} (interval {low:.2f} to {high:.2f}), the bound is {CONCENTRATED}.",
        ),
        evidence=by.head(20), action=of.act if found else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip


def _concentration(beyond: pl.DataFrame, draws: int, seed: int) -> tuple[float, float, float]:
    """The index over pairs of different customers, and its bounds over customers drawn with replacement."""
    cells = beyond.group_by("_supplier", "_customer").agg(pl.col("weight").cast(pl.Float64).sum())
    cells = cells.sort("_supplier", "_customer")
    s, c = (np.unique(cells[name].to_list(), return_inverse=True)[1] for name in ("_supplier", "_customer"))
    weight = cells["weight"].to_numpy() / cells["weight"].sum()
    many, suppliers = int(c.max()) + 1, int(s.max()) + 1
    by = csr_array((weight, (c, s)), shape=(many, suppliers))
    bought, itself = np.bincount(c, weight), np.bincount(c, weight**2)

    def index(times: Integers) -> Floats:
        square = times.astype(np.float64) ** 2
        pairs = (times @ bought) ** 2 - square @ bought**2
        same = ((times @ by) ** 2).sum(axis=1) - square @ itself
        told: Floats = np.divide(same, pairs, out=np.full(len(times), np.nan), where=pairs > 0)
        return told  # NaN: one customer drawn only

    rng = np.random.default_rng(seed)
    parts, done = [], 0
    while done < draws:
        some = min(draws - done, max(1, _CELLS_AT_ONCE // (many + suppliers)))
        parts.append(index(rng.multinomial(many, np.full(many, 1 / many), size=some)))
        done += some
    low, high = np.nanquantile(np.concatenate(parts), [0.025, 0.975])
    return float(index(np.ones((1, many), np.int64))[0]), float(low), float(high)


def lock_in_finding(unit: str, history: Any, *, draws: int = DRAWS, seed: int = 20240501) -> Finding:
    """Lock-in 路径锁定: does the cluster make ever fewer different things.

        D = exp(−Σ_i p_i ln p_i)    effective number of classes, of the members' shares p in each run

    Few members show fewer classes than there are, so both dates are told at the size of the smaller: of the larger, as many
    members are drawn without replacement again and again, and the mean of ln D is taken (rarefaction, Sanders 1968).

    Parameters
    ----------
    history
        as_of, industry, n: members of each class in each run of the cluster.

    Returns
    -------
    The statistic is D of the last run over D of the first, both at that size. Found where its interval (95 %, so many members
    drawn anew at both dates, about their own mean) lies below 1; high below 0.5, medium below 0.8 (ours). Unknown with fewer
    than three dates. Runs share most of their members, which the interval takes for independent, and the larger run counts
    as no surer than the smaller: it is too wide rather than too narrow. Technologies' age is not looked at.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing.
    """
    table = as_polars(history, "as_of", "industry", "n").filter(pl.col("n") > 0).drop_nulls()
    dates = table["as_of"].unique().sort().to_list()
    common: dict[str, Any] = {"unit": unit, "code": "lock_in.diversity", "title": Text("路径锁定", "Lock-in")}
    varies = Text(
        "区间来自重抽成员；登记册收录范围的变化不在其中；未看技术的年龄",
        "the interval is of members drawn anew; a change in what the register covers is not in it; the age of technologies is not looked at",
    )
    counts = [
        table.filter(pl.col("as_of") == date)
        .group_by("industry")
        .agg(pl.col("n").sum())
        .sort("industry")["n"]
        .to_numpy()
        for date in dates
    ]
    evidence = pl.DataFrame(
        [(str(d), int(n.sum()), n.size, _effective(n[None, :].astype(float))[0]) for d, n in zip(dates, counts, strict=True)],
        schema={"as_of": pl.String, "members": pl.Int64, "classes": pl.Int64, "effective": pl.Float64}, orient="row",
    )  # fmt: skip
    if len(dates) < LEAST_RUNS or counts[0].sum() < LEAST_FIRMS or counts[-1].sum() < LEAST_FIRMS:
        return Finding(
            **common, state="unknown",
            sentence=Text(f"集群成员的类别只有 {len(dates)} 个时点，看不出变化。", f"Dates at which classes of its members are known: {len(dates)}; no change can be seen."),
            varies=varies, evidence=evidence,
            missing=(Text(f"至少 {LEAST_RUNS} 个不同日期的登记册和识别结果，首末各有 {LEAST_FIRMS} 个有类别的成员", f"registers and searches of at least {LEAST_RUNS} dates, with {LEAST_FIRMS} classed members at the first and the last"),),
            action=Text("每年装载一次登记册并重新识别集群。", "Load the register every year and search again."),
        )  # fmt: skip
    rng = np.random.default_rng(seed)
    size = int(min(counts[0].sum(), counts[-1].sum()))
    (first, first_off), (last, last_off) = (_told_at(size, n, draws, rng) for n in (counts[0], counts[-1]))
    statistic = float(np.exp(last - first))
    low, high = (float(v) for v in np.exp(last - first + np.quantile(last_off - first_off, [0.025, 0.975])))
    found = high < 1
    severity: Severity = "high" if high < 0.5 else "medium" if high < 0.8 else "low"
    return Finding(
        **common, state="found" if found else "not_found", severity=severity if found else None, statistic=statistic, low=low, high=high,
        measure=Text("有效类别数的末首之比", "effective number of classes, last over first"),
        sentence=Text(
            f"按 {size:,} 个成员计，有效类别数由 {dates[0]} 的 {np.exp(first):.1f} 变为 {dates[-1]} 的 {np.exp(last):.1f}({statistic:.2f} 倍)。",
            f"Among {size:,} members the effective number of classes went from {np.exp(first):.1f} ({dates[0]}) to {np.exp(last):.1f} ({dates[-1]}), {statistic:.2f} times.",
        ),
        varies=varies, evidence=evidence,
        action=Text("从关联密度高而尚无的产业中引入新的方向。", "Bring in what is related and not there yet: see the measures of the register.")
        if found else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip


def _told_at(size: int, counts: Any, draws: int, rng: np.random.Generator) -> tuple[float, Any]:
    """The logarithm of D among `size` members, and how far members drawn anew are from their mean.

    Only deviations are taken from the draws: what is drawn from a sample shows fewer classes again than the sample did.
    """
    some = counts[None, :] if counts.sum() == size else rng.multivariate_hypergeometric(counts, size, draws)
    anew = np.log(_effective(rng.multinomial(size, counts / counts.sum(), draws).astype(float)))
    return float(np.log(_effective(some.astype(float))).mean()), anew - anew.mean()


def _effective(counts: Any) -> Any:
    shares = counts / counts.sum(axis=1, keepdims=True)
    return np.exp(-np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0).sum(axis=1))


def data_finding() -> Finding:
    """Data risks 数据风险: unknown while no data exchange runs whose published tables could be read."""
    return Finding(
        unit="all", code="data.risks", title=Text("数据风险", "Data risks"), state="unknown",
        sentence=Text("没有运行中的数据交换，数据泄露、暗数据和违规交易无从得知。", "No data exchange runs here, so that leaks, dark data and unlawful trades cannot be known."),
        varies=Text("没有数据", "no data"),
        missing=(Text("数据交换发布的合同、传输和质量表", "the tables of contracts, transfers and quality that an exchange publishes"),),
        action=Text("数据空间投入使用后再诊断。", "Diagnose again when a data space is in use."),
    )  # fmt: skip


def tagged(codes: pl.Series, tags: Any) -> pl.Series:
    """The tag of each code by its longest prefix 产业标签; null where none fits.

    Raises
    ------
    MeasureInputError
        JQ-USE-003: a column is missing. JQ-ASSESS-088: a tag that is none of `TAGS`, or a code with two tags.

    Examples
    --------
    >>> tags = pl.DataFrame({"code": ["01", "0105"], "tag": ["traditional", "emerging"]})
    >>> tagged(pl.Series(["0101", "010507", "0301"]), tags).to_list()
    ['traditional', 'emerging', None]
    """
    table = as_polars(tags, "code", "tag").select(pl.col("code", "tag").cast(pl.String)).unique()
    odd = table.filter(~pl.col("tag").is_in(list(TAGS)) | pl.col("code").is_null() | pl.col("code").is_duplicated())
    if odd.height:
        raise MeasureInputError(
            "JQ-ASSESS-088", digits=odd["code"][0] or "—", tag=odd["tag"][0] or "—", known=", ".join(TAGS)
        )
    lengths = sorted(table["code"].str.len_chars().unique(), reverse=True)
    found = pl.Series("tag", [None] * len(codes), dtype=pl.String)
    known = dict(table.iter_rows())
    for length in lengths:
        here = codes.cast(pl.String).str.head(length)
        matched = pl.select(pl.when(here.str.len_chars() == length).then(here)).to_series()
        found = found.fill_null(matched.replace_strict(known, default=None, return_dtype=pl.String))
    return found


def balance_finding(
    unit: str, here: Mapping[str, int] | None, register: Mapping[str, int] | None, *, members: int = 0
) -> Finding:
    """Traditional, emerging and future industry side by side 传统、新兴与未来产业结构.

    `here`, `register`: firms by tag (`TAGS`), of the unit and of all; None: no tags are given. Found where one tag holds two
    thirds of the tagged firms for certain (lower Wilson bound; ours); medium where no firm is of a future industry, else low.
    Unknown without tags, or where less than half of the `members` have one.
    """
    common: dict[str, Any] = {
        "unit": unit,
        "code": "balance.tags",
        "title": Text("产业新旧结构", "Traditional, emerging, future"),
    }
    varies = Text(
        "哪些产业算传统、新兴、未来由给出标签的人决定",
        "which industries are traditional, emerging or future is for who gives the tags",
    )
    n = sum(here.values()) if here else 0
    if here is not None and register is not None and (n < LEAST_FIRMS or n < COVERED * members):
        return Finding(
            **common, state="unknown",
            sentence=Text(f"{members:,} 个成员中有标签的 {n:,} 个，太少，说不上。", f"Of {members:,} members {n:,} have a tag, too few to say."),
            varies=varies, missing=(Text("更多带产业标签的成员", "more members with a tag of their industry"),),
            action=Text(
                "在“诊断用表”页给更多类别贴标签；没有类别的企业，补充行业代码或主营业务。",
                "Tag more classes on the page “What you give to the diagnosis”; of firms without a class, load industry codes or main business.",
            ),
        )  # fmt: skip
    if here is None or register is None:
        lacking = Text(
            "产业标签(code、tag：traditional、emerging、future)",
            "tags of industries (code, tag: traditional, emerging, future)",
        )
        return Finding(
            **common, state="unknown", sentence=Text("不知道哪些成员属于传统、新兴或未来产业。", "Which members are of traditional, emerging or future industries is not known."),
            varies=varies, missing=(lacking,),
            action=Text(
                "在“诊断用表”页给出标签表(或用 jiqun assess diagnose --tags)；我们不随附，因为没有可引用的统一划分。",
                "Give a table on the page “What you give to the diagnosis” (or with jiqun assess diagnose --tags); none is shipped, as there is no common division to cite.",
            ),
        )  # fmt: skip
    rows = [
        (tag, here.get(tag, 0), here.get(tag, 0) / n, register.get(tag, 0) / max(1, sum(register.values())))
        for tag in TAGS
    ]
    evidence = pl.DataFrame(
        rows,
        schema={"tag": pl.String, "firms": pl.Int64, "share": pl.Float64, "register_share": pl.Float64},
        orient="row",
    )
    top = max(rows, key=lambda row: row[1])
    low, high = wilson(top[1], n)
    found = low >= ONE_SIDED
    words = TAGS[str(top[0])]
    zh = "，".join(f"{TAGS[t].zh} {s:.0%}(登记册 {r:.0%})" for t, _, s, r in rows)
    en = ", ".join(f"{TAGS[t].en} {s:.0%} (register {r:.0%})" for t, _, s, r in rows)
    return Finding(
        **common, state="found" if found else "not_found", severity=("medium" if not here.get("future") else "low") if found else None,
        statistic=top[2], low=low, high=high, measure=Text(f"{words.zh}的占比", f"share of {words.en} industry"),
        sentence=Text(f"{n:,} 个有标签的成员中：{zh}。", f"Of {n:,} members with a tag: {en}."), varies=varies, evidence=evidence,
        action=Text("为缺少的一类预留空间：传统的改造，未来的培育。", "Leave room for what is missing: renew the traditional, nurse the future.")
        if found else Text("无需行动。", "Nothing to do."),
    )  # fmt: skip


def effective_number(counts: Sequence[float]) -> float:
    """Exp of the Shannon entropy of some counts 有效类别数.

    Examples
    --------
    >>> round(effective_number([5, 5, 5, 5]), 6)
    4.0
    """
    return float(_effective(np.asarray([counts], dtype=np.float64))[0])
