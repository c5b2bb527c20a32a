"""Finding China's divisions in Chinese text 区划识别: 广东省深圳市南山区… → 440305, and where in the text they end.

All names are looked for at once, the longest first. Each division that a name may mean is then scored by all the names
that do not contradict it: 朝阳区 is Beijing's beside 北京 and Changchun's beside 长春; alone it stays open. Names that
follow each other at the head of a text count more than those amid it; short names count only where they cannot be
streets, houses or villages named after a place.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from jiqun.intake._gazetteer_build import FORMER, FULL, LETTER, SHORT, ZONE
from jiqun.intake._geo import address_words
from jiqun.intake.gazetteer import Gazetteer

NAME: Final = 3
"""The field of a firm's name."""
LONGEST: Final = 300
"""Characters of a text that are looked at."""

_WEIGHTS = {
    ("province", FULL): 3.2, ("city", FULL): 3.1, ("county", FULL): 3.0,
    ("province", FORMER): 2.9, ("city", FORMER): 2.9, ("county", FORMER): 2.9,
    ("province", SHORT): 2.2, ("city", SHORT): 2.1, ("county", SHORT): 2.0,
    ("province", ZONE): 2.0, ("city", ZONE): 2.0, ("county", ZONE): 2.0,
    ("province", LETTER): 1.0, ("city", LETTER): 1.0, ("county", LETTER): 1.0,
}  # fmt: skip
"""What a name says: the coarser the harder to mistake, so that of two that contradict each other the coarser counts."""
_AMID: Final = 0.3
"""Share of its weight that a name has which does not stand in the head of its text."""
_AFTER: Final = 8
"""Characters after a short name that tell whether it is one of a street or a house."""
_GIVEN: Final = 4.0
"""Weight of a code that is given beside the text."""

_OTHERS: Final = {"71": "TW", "81": "HK", "82": "MO"}
_MARKS = r"[\s,，、。.·:：;；/|\\\-–—_()（）\[\]【】<>《》\x1f]*"
_BETWEEN = (
    f"^{_MARKS}(?:(?:注册|经营|办公|通讯|联系|详细|企业|公司)?(?:地址|住所)|中华人民共和国|中国|省直辖县级行政区划|省直辖县级行政单位|自治区直辖县级行政区划|省直辖|直辖县级|直辖|市辖区|县"
    f"|九龙|新界|香港岛|港岛)?{_MARKS}$"
)
"""What may stand between two names that belong together."""
_KINDS = {
    "province": "维吾尔自治区|壮族自治区|回族自治区|自治区|特别行政区|省|市",
    "city": "自治州|自治县|地区|行政区|市|州|盟|县",
    "county": "自治县|自治旗|新区|县级市|市|县|区|旗",
}
"""Kinds of division that may follow a short name: what it is, or was, or is taken for."""
_CHANGED = r"^(?:新区|市|县|区|旗)"
_MANY = r"[东西南北中一二三四五六七八九十环]*"
_ROADS = f"^{_MANY}(?:路|街|大街|大道|道|巷|弄|胡同|公路|里|桥|口)"


def find_divisions(texts: pl.DataFrame, gazetteer: Gazetteer) -> pl.DataFrame:
    """The division that each id's texts mean together.

    Parameters
    ----------
    texts
        id, country (null: unknown), field (texts of one id count in this order), text, and optionally code: a GB/T 2260
        code that is given beside the text.
    gazetteer
        Whose `units` are looked for.

    Returns
    -------
    One row per id whose text names any: region_code (null where what is named leaves it open), field (the last one that
    was needed), p, c, d (province, city, county; the finer ones null), ends (field → byte where the head ends, of the
    last field), matched (names that count, in order), zone, former, changed, short, city_told, open (names that several have) and
    against (names that contradict).
    """
    names = _names(gazetteer)
    lines, alike = _heads(texts, names)
    found = _find(lines, names)
    return alike.join(found, left_on="like", right_on="id").drop("like")


def _heads(texts: pl.DataFrame, names: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What of each text decides, once for all that are alike; and id → like, the one that it is like.

    What follows the last name in a text, a street and a number, decides nothing, but for some characters after a short
    name, which may be that of a street. So a million addresses are some thousand heads.
    """
    given = ["code"] if "code" in texts.columns else []
    known = _patterns(names.filter(pl.col("kind") != LETTER))  # which counts only before another
    brief = names.filter(~pl.col("kind").is_in([FULL, FORMER]))["pattern"].unique().implode()
    lines = texts.with_columns(text=pl.col("text").fill_null("").str.slice(0, LONGEST)).select(
        "id",
        "country",
        "field",
        *given,
        "text",
        start=pl.col("text").str.find_many(known, leftmost=True).list.last(),
        match=pl.col("text").str.extract_many(known, leftmost=True).list.last(),
    )
    body, end = pl.col("text").cast(pl.Binary), pl.col("start") + pl.col("match").str.len_bytes()
    tail = pl.when(pl.col("match").is_in(brief)).then(body.bin.slice(end, None).cast(pl.String).str.slice(0, _AFTER))
    # numbers of houses decide nothing: with all their digits alike, more is alike
    head = pl.concat_str(body.bin.slice(0, end).cast(pl.String), tail.fill_null("")).str.replace_all("[0-9]", "0")
    lines = lines.with_columns(text=pl.when(pl.col("match").is_not_null()).then(head).otherwise(pl.lit("")))
    lines = lines.drop("start", "match")
    told = pl.col("text") != ""
    lines = lines.filter(told | pl.col("code").is_not_null() if given else told)
    said = pl.format("{}\x1d{}", "field", "text").str.join("\x1e")
    alike = lines.group_by("id", maintain_order=True).agg(
        said.alias("said"), pl.col("country").first(), *(pl.col(name).max() for name in given)
    )
    alike = alike.with_columns(like=pl.col("id").first().over("said", "country", *given)).select("id", "like")
    return lines.join(alike.select(id="like").unique(), on="id", how="semi", maintain_order="left"), alike


def _patterns(names: pl.DataFrame) -> list[str]:
    """Every name, the longest first."""
    every = names["pattern"].unique().to_frame()
    patterns: list[str] = every.sort(pl.col("pattern").str.len_chars(), "pattern", descending=[True, False])[
        "pattern"
    ].to_list()
    return patterns


def _find(texts: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """As `find_divisions`, of what is different."""
    hits = _hits(texts, names)
    if hits.is_empty():
        return _nothing(texts)
    chosen, scored = _choose(hits)
    told = scored.join(chosen, on="id", maintain_order="left")
    agrees = (
        (pl.col("p") == pl.col("best_p"))
        & (pl.col("c").is_null() | (pl.col("c") == pl.col("best_c")).fill_null(value=False))
        & (pl.col("d").is_null() | (pl.col("d") == pl.col("best_d")).fill_null(value=False))
    ).fill_null(value=False)
    told = told.with_columns(agrees=agrees).with_columns(any=pl.col("agrees").any().over("id", "field", "start"))
    heads = told.filter("agrees").with_columns(first=pl.col("run") == 0)
    finest = pl.col("rank").filter(pl.col("first")).max().over("id", "field").fill_null(-1)
    # a field was needed if one of its names says more than all before it
    before = pl.col("rank").cum_max().over("id").shift(1).over("id").fill_null(-1)
    counted = heads.with_columns(counts=pl.col("first") | (pl.col("rank") > finest), needed=pl.col("rank") > before)
    told_of = {"zone": pl.col("kind") == ZONE, "former": pl.col("kind") == FORMER}
    counted = counted.with_columns(
        *(pl.when(which).then(pl.col("match")).alias(name) for name, which in told_of.items()),
        short=pl.col("kind") == LETTER,
        city_told=pl.col("rank") == 1,
        by=pl.when(pl.col("counts") & pl.col("needed")).then("field"),
    )
    summary = counted.group_by("id").agg(
        pl.col("zone", "former", "changed", "short", "city_told").max(), pl.col("by").max().alias("field")
    )
    counted = counted.filter("counts").select("id", "field", "match", "rank", "end")
    matched = counted.unique(["id", "match"], keep="first", maintain_order=True)
    matched = matched.group_by("id", maintain_order=True).agg(pl.col("match").alias("matched"))
    last = (
        counted.sort("id", "field", "rank", "end")
        .unique("id", keep="last", maintain_order=True)
        .select("id", "end", end_field="field")
    )
    doubtful = (
        told.filter(~pl.col("any"), pl.col("kind") != LETTER)
        .group_by("id")
        .agg(
            pl.col("match").filter(pl.col("several") & pl.col("best_open")).unique(maintain_order=True).alias("open"),
            pl.col("match")
            .filter(
                ~(pl.col("several") & pl.col("best_open")) & (pl.col("run") == 0) & pl.col("kind").is_in([FULL, FORMER])
            )
            .unique(maintain_order=True)
            .alias("against"),
        )
    )
    out = chosen
    for more in (summary, matched, last, doubtful):
        out = out.join(more, on="id", how="left")
    code = pl.coalesce("best_d", "best_c", "best_p")
    return out.select(
        "id",
        code.alias("region_code"),
        "field",
        pl.col("best_p").alias("p"),
        pl.col("best_c").alias("c"),
        pl.col("best_d").alias("d"),
        "end_field",
        "end",
        "matched",
        "zone",
        "former",
        "changed",
        pl.col("short").fill_null(value=False),
        pl.col("city_told").fill_null(value=False),
        "open",
        "against",
    )


def _nothing(texts: pl.DataFrame) -> pl.DataFrame:
    words = pl.List(pl.String)
    return pl.DataFrame(
        schema={
            "id": texts.schema["id"], "region_code": pl.String, "field": texts.schema["field"], "p": pl.String,
            "c": pl.String, "d": pl.String, "end_field": texts.schema["field"], "end": pl.UInt32, "matched": words,
            "zone": pl.String, "former": pl.String, "changed": pl.String, "short": pl.Boolean, "city_told": pl.Boolean, "open": words,
            "against": words,
        }
    )  # fmt: skip


def _names(gazetteer: Gazetteer) -> pl.DataFrame:
    """Pattern → unit, with what the name says."""
    weights = pl.DataFrame(
        [(level, kind, weight) for (level, kind), weight in _WEIGHTS.items()],
        schema=["level", "kind", "weight"],
        orient="row",
    )
    return gazetteer.unit_names.join(weights, on=["level", "kind"], maintain_order="left")


def _hits(texts: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Every name in every text that can be one there, once for each unit it may mean."""
    known = _patterns(names)
    lines = texts.select("id", "country", "field", "text")
    found = (
        lines.with_columns(
            start=pl.col("text").str.find_many(known, leftmost=True),
            match=pl.col("text").str.extract_many(known, leftmost=True),
        )
        .filter(pl.col("match").list.len() > 0)
        .explode("start", "match")
    )
    found = found.with_columns(end=pl.col("start") + pl.col("match").str.len_bytes())
    line = ["id", "field"]
    hits = found.join(names, left_on="match", right_on="pattern", how="inner", maintain_order="left")
    hits = _with_kinds(hits)
    # 沪 is Shanghai before 嘉定区, and 京 is nothing in 京东方
    letter = pl.col("kind") == LETTER
    follower = hits.filter(~letter).select(*line, "p", end="start")
    letters = hits.filter(letter, pl.col("start") == 0).join(follower, on=[*line, "p", "end"], how="semi")
    hits = pl.concat([letters, hits.filter(~letter)])
    # how the names of one line follow each other
    spots = (
        hits.group_by(*line, "start", maintain_order=True)
        .agg(pl.col("end").max(), pl.col("text").first())
        .sort(*line, "start")
        .with_columns(before=pl.col("end").shift(1).over(line).fill_null(0), nth=pl.int_range(pl.len()).over(line))
    )
    width = (pl.col("start").cast(pl.Int64) - pl.col("before").cast(pl.Int64)).clip(0)
    gap = pl.when(width > 0).then(pl.col("text").cast(pl.Binary).bin.slice(pl.col("before"), width).cast(pl.String))
    spots = spots.with_columns(gap=gap.fill_null("")).with_columns(
        linked=(pl.col("gap") == "") | pl.col("gap").str.contains(_BETWEEN)
    )
    spots = spots.with_columns(
        run=(~pl.col("linked") & (pl.col("nth") > 0)).cum_sum().over(line),
        tied=pl.col("linked") & (pl.col("gap") == ""),
    ).with_columns(next_tied=pl.col("tied").shift(-1).over(line).fill_null(value=False))
    hits = hits.join(spots.select(*line, "start", "run", "linked", "next_tied", "nth"), on=[*line, "start"])
    hits = _of_country(hits)
    hits = hits.with_columns(first_field=pl.col("field").min().over("id"))
    return _given(_believable(hits), texts, names)


def _with_kinds(hits: pl.DataFrame) -> pl.DataFrame:
    """Hits with the kind (市, 县 …) that follows a short name as part of it; without short names of streets and houses."""
    brief = pl.col("kind").is_in([SHORT, ZONE])
    full = hits.filter(~brief).with_columns(suffix=pl.lit(None, pl.String))
    after = pl.col("text").cast(pl.Binary).bin.slice(pl.col("end"), None).cast(pl.String)
    short = hits.filter(brief).with_columns(after=after)
    kind = pl.coalesce(
        pl.when((pl.col("level") == level) & (pl.col("kind") == SHORT)).then(pl.col("after").str.extract(f"^({words})"))
        for level, words in _KINDS.items()
    )
    short = short.with_columns(suffix=kind)
    short = short.filter(pl.col("suffix").is_not_null() | ~pl.col("after").str.contains(_decoys()))
    short = short.with_columns(pl.col("end") + pl.col("suffix").str.len_bytes().fill_null(0))
    return pl.concat([full, short.select(full.columns)])


def _decoys() -> str:
    """What follows a short name that is not meant as a place: streets, houses and villages bear names of places."""
    words = sorted(
        {*address_words()["han_street"], *address_words()["han_building"]} - {"工业园"},
        key=lambda word: (-len(word), word),
    )
    return f"{_ROADS}|^(?:{'|'.join(words)}|医院|公司|集团|股份|有限)"


def _of_country(hits: pl.DataFrame) -> pl.DataFrame:
    of = pl.col("p").str.slice(0, 2).replace_strict(_OTHERS, default="CN")
    country = pl.col("country")
    return hits.filter(country.is_null() | country.is_in(["", "CN"]) | (country == of))


def _believable(hits: pl.DataFrame) -> pl.DataFrame:
    """Without short names, and names of two letters, that stand alone amid a text."""
    upper = (
        hits.filter(pl.col("rank") < 2)
        .group_by("id")
        .agg(pl.col("p").unique().alias("ps"), pl.col("c").drop_nulls().unique().alias("cs"))
    )
    hits = hits.join(upper, on="id", how="left")
    under = pl.col("c").is_in(pl.col("cs")) | (pl.col("p").is_in(pl.col("ps")))
    follows = pl.col("linked") & (pl.col("nth") > 0)
    head = (pl.col("run") == 0) & (pl.col("nth") == 0)
    carried = (pl.col("field") > pl.col("first_field")) & (pl.col("start") == 0)
    county_short = (
        (pl.col("level") != "county")
        | (pl.col("kind") != SHORT)
        | ((follows | carried) & under.fill_null(value=False))
        | (pl.col("suffix").is_not_null() & head & ~pl.col("several"))
    )
    tiny = (pl.col("level") == "county") & (pl.col("kind") == FULL) & (pl.col("match").str.len_chars() < 3)
    # amid a text a short name may be anything; in a firm's name it is how one says where
    placed = (pl.col("kind") != SHORT) | pl.col("suffix").is_not_null() | pl.col("linked") | pl.col("next_tied")
    kept = hits.filter(
        placed | (pl.col("field") == NAME),
        county_short.fill_null(value=False),
        ~tiny | ((follows | carried) & under).fill_null(value=False),
    )
    changed = pl.when(
        (pl.col("level") != "province") & (pl.col("kind") == SHORT) & pl.col("suffix").str.contains(_CHANGED)
    ).then(pl.concat_str("match", "suffix"))
    columns = [
        "id",
        "field",
        "start",
        "end",
        "match",
        "kind",
        "level",
        "rank",
        "p",
        "c",
        "d",
        "weight",
        "several",
        "run",
    ]
    amid = pl.col("run") > 0
    return (
        kept.select(*columns, changed=changed)
        .with_columns(weight=pl.when(amid).then(pl.col("weight") * _AMID).otherwise("weight"))
        .sort("id", "field", "start", "weight", descending=[False, False, False, True])
    )


def _given(hits: pl.DataFrame, texts: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """A code beside the text counts like a name, and more."""
    if "code" not in texts.columns:
        return hits
    full = names.filter(pl.col("kind") == FULL).with_columns(code=pl.coalesce("d", "c", "p"))
    coded = texts.filter(pl.col("code").is_not_null()).select("id", "code").unique("id")
    coded = coded.join(full, on="code").with_columns(
        field=pl.lit(-1).cast(hits.schema["field"]), start=pl.lit(0, pl.UInt32), end=pl.lit(0, pl.UInt32),
        match="code", run=pl.lit(0).cast(hits.schema["run"]), weight=pl.lit(_GIVEN), changed=pl.lit(None, pl.String),
        kind=pl.lit("given"),
    )  # fmt: skip
    return pl.concat([coded.select(hits.columns).cast(dict(hits.schema)), hits])  # type: ignore[arg-type]


def _choose(hits: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The best-supported unit of each id: best_p, best_c, best_d, best_open (several are as good); and the hits."""
    names = hits.select("id", "field", "start", "p", "c", "d", "weight")
    wanted = hits.select("id", "p", "c", "d").unique()
    pairs = wanted.join(names, on=["id", "p"], suffix="_hit").filter(
        pl.col("c_hit").is_null() | (pl.col("c_hit") == pl.col("c")),
        pl.col("d_hit").is_null() | (pl.col("d_hit") == pl.col("d")),
    )
    unit = ["id", "p", "c", "d"]
    score = (
        pairs.group_by(*unit, "field", "start")
        .agg(pl.col("weight").max())
        .group_by(unit)
        .agg(pl.col("weight").sum().round(6))
    )
    best = score.filter(pl.col("weight") == pl.col("weight").max().over("id"))
    chosen = best.group_by("id").agg(
        pl.col("p").n_unique().alias("ps"), pl.col("c").n_unique().alias("cs"), pl.col("d").n_unique().alias("ds"),
        pl.col("p").first(), pl.col("c").first(), pl.col("d").first(),
    )  # fmt: skip
    one_p, one_c = pl.col("ps") == 1, (pl.col("ps") == 1) & (pl.col("cs") == 1)
    return (
        chosen.select(
            "id",
            best_p=pl.when(one_p).then("p"),
            best_c=pl.when(one_c).then("c"),
            best_d=pl.when(one_c & (pl.col("ds") == 1)).then("d"),
            best_open=(pl.col("ps") > 1) | (pl.col("cs") > 1) | (pl.col("ds") > 1),
        ).sort("id"),
        hits,
    )
