"""What follows the divisions in an address 地址要素: zone, town, village, road, number, park and building.

A Chinese address is a chain of names that each end with what they are (街道, 路, 号, 产业园, 大厦, 栋): a mark is put
after every such ending, and each piece is told by its own. An address in Latin letters is cut at its commas.
"""

from __future__ import annotations

from typing import Final

import polars as pl

PARTS: Final = ("zone", "town", "village", "road", "number", "park", "building")

_CUT = "\x1e"
_SIDE = "[东西南北中上下前后内外环一二三四五六七八九十]{0,3}"
_ROAD = "(?:大道|大街|公路|胡同|国道|省道|路|街|巷)"
_ZONE = (
    "(?:高新技术产业开发区|高新技术产业园区|高新技术开发区|高技术产业开发区|经济技术开发区|旅游经济开发区|经济开发区|工业开发区"
    "|旅游度假区|综合保税区|出口加工区|自由贸易试验区|自由贸易区|自贸试验区|自贸区|保税物流园区|保税港区|保税区|示范区|合作区"
    "|实验区|高新区|经开区|开发区|新区)"
)
_PARK = (
    "(?:(?:产业|科技|高科技|科学|工业|软件|创业|创意|创新|孵化|物流|信息|智慧|生态|电商|文创|总部|高新|商务)园区?"
    "|工业小区|工业区|工业城|工业村|科技城|科学城|软件谷|产业基地|孵化基地|创业基地|孵化器|产业城|集中区|集聚区|小镇|智谷|云谷|商务区"
    "|园区)(?:[东西南北中一二三四五六七八九十A-Z0-9]{1,3}[区期])?"
)
_HOUSE = (
    "(?:大厦|大楼|商务楼|写字楼|办公楼|综合楼|科技楼|科研楼|商厦|广场|公寓|中心|厂房|车间|花园|家园|公馆|大酒店|酒店|宾馆|饭店|商城|市场"
    "|小区|别墅|仓库|大院|会所)"
)
_UNIT = (
    "(?:[A-Z0-9]+(?:[-—#][A-Z0-9]+)*(?:号楼|号厂房|#楼|#厂房|#|栋|幢|座|单元|楼|层|室|房|F)"
    "|[甲乙丙丁戊一二三四五六七八九十东西南北主](?:号楼|号厂房|栋|幢|座|单元|层))"
)
_NUMBER = "(?:[甲乙丙]?[A-Z0-9]+(?:[-—~之、][A-Z0-9]+)*(?:号院|号|弄))"
_STREETS = "(?:街道办事处|街道办|街道)"
_TOWN = f"(?:{_STREETS}|苏木|镇镇|镇|乡)"
_NAMING = "(?:村|园|城|区|楼|座|厂|苑|中心|广场|小区|花园|市场|工业|科技园|开发区)"
"""Endings of other things that streets and quarters are named after: they end nothing there."""
_VILLAGE = "(?:社区居委会|社区居民委员会|居委会|村民委员会|村委会|社区|新村|村|屯)"
# roads are named after villages, towns and parks, so that the longer ending comes first
_ENDINGS = "|".join(
    (
        _UNIT,
        _NUMBER,
        f"{_NAMING}?{_SIDE}{_STREETS}",
        f"{_NAMING}{_SIDE}{_ROAD}",
        f"[镇乡]{_ROAD}",
        _TOWN,
        f"{_SIDE}{_ROAD}",
        _ZONE,
        _PARK,
        _VILLAGE,
        _HOUSE,
        r"\p{Han}{2}[区县]",  # a division that could not be told
    )
)
_OWN = (
    ("number", f"^{_NUMBER}$"),
    ("unit", f"^{_UNIT}$"),
    ("park", "小镇$"),
    ("town", f"{_TOWN}$"),
    ("road", f"{_ROAD}$"),
    ("number", f"{_NUMBER}$"),
    ("unit", f"{_UNIT}$"),
    ("zone", f"{_ZONE}$"),
    ("park", f"{_PARK}$"),
    ("village", f"{_VILLAGE}$"),
    ("house", f"{_HOUSE}$"),
)
_EDGE = r"^[\s,，、。.;；:：\-—_/|]+|[\s,，、。.;；:：\-—_/|]+$"
_LONGEST = 24

_LATIN = (
    ("road", r"(?i)\b(?:road|rd|street|st|avenue|ave|lu|jie|dadao|boulevard|blvd|lane|highway|hwy|drive|dr|expressway|way|str|rue|via)\b\.?"),
    ("road", r"(?i)(?:strasse|straße)\b"),
    ("park", r"(?i)\b(?:industrial|industry|science|technology|tech|software|high-?tech|hi-?tech|business|logistics)\b.*\b(?:park|zone|area|estate|district|city|garden)\b"),
    ("park", r"(?i)\b(?:development|export processing|free trade|bonded|economic)\b.*\b(?:zone|area|district)\b"),
    ("building", r"(?i)\b(?:building|bldg|tower|plaza|mansion|block|floor|workshop|factory|\d+/?f)\b"),
    ("town", r"(?i)\b(?:town|township|zhen|sub-?district|jiedao)\b"),
    ("village", r"(?i)\b(?:village|cun|community)\b"),
)  # fmt: skip


def find_parts(rest: pl.DataFrame) -> pl.DataFrame:
    """The parts of addresses in Chinese: id and `PARTS`, one row for each id whose text names any.

    Parameters
    ----------
    rest
        id, and text: what follows the divisions. Full-width forms are plain already, capitals are capital.
    """
    plain = pl.col("text").str.replace_all(r"[（(][^（()）]*[）)]", "")
    marked = plain.str.replace_all(f"(?i)({_ENDINGS})", "${1}" + _CUT)
    # an ending without a name is the beginning of the next one: 镇海路
    marked = marked.str.replace_all(f"(^|{_CUT})([镇乡村街路]){_CUT}", "${1}${2}")
    pieces = (
        rest.select("id", piece=marked.str.split(_CUT))
        .explode("piece")
        .with_columns(pl.col("piece").str.replace_all(_EDGE, ""))
        .filter(pl.col("piece").str.len_chars().is_between(1, _LONGEST))
    )
    kind = pl.coalesce(
        pl.when(pl.col("piece").str.contains(f"(?i){pattern}")).then(pl.lit(name)) for name, pattern in _OWN
    )
    pieces = pieces.with_columns(kind=kind).filter(pl.col("kind").is_not_null())
    # 科苑路15号: a number may stand in one piece with what it belongs to
    number = pl.col("piece").str.extract(f"(?i)({_NUMBER})$")
    pieces = pieces.with_columns(
        pl.when(pl.col("kind") == "road")
        .then(pl.col("piece").str.replace(r"^[与和及]", ""))
        .otherwise("piece")
        .alias("piece")
    ).with_columns(own=pl.when(pl.col("kind") == "number").then(number).otherwise("piece"))
    # nothing is called just 社区 or 开发区路口
    named = ~pl.col("own").str.contains(f"^(?:{_TOWN}|{_VILLAGE}|{_ROAD})$")
    pieces = pieces.filter(named)
    wanted = [
        pl.col("own").filter(pl.col("kind") == name).first().alias(name)
        for name in ("zone", "town", "village", "road", "park")
    ]
    numbers = pl.col("own").filter(pl.col("kind") == "number").str.join("").alias("number")
    houses = pl.col("own").filter(pl.col("kind").is_in(["house", "unit"])).str.join("").alias("building")
    found = pieces.group_by("id", maintain_order=True).agg(*wanted, numbers, houses)
    return _empty_to_null(found)


def find_latin_parts(rest: pl.DataFrame) -> pl.DataFrame:
    """As `find_parts`, of addresses in Latin letters: pieces between commas, told by the words in them."""
    pieces = (
        rest.select("id", piece=pl.col("text").str.split(","))
        .explode("piece")
        .with_columns(pl.col("piece").str.strip_chars())
        .filter(pl.col("piece").str.len_chars().is_between(1, 80))
    )
    kind = pl.coalesce(pl.when(pl.col("piece").str.contains(pattern)).then(pl.lit(name)) for name, pattern in _LATIN)
    number = pl.col("piece").str.extract(r"(?i)^(?:nos?\b\.?\s*|#)?(\d+[A-Z]?(?:[-/~]\d+[A-Z]?)*)(?:\s|$)")
    pieces = pieces.with_columns(kind=kind, digits=number)
    road = pl.col("piece").str.replace(r"(?i)^(?:nos?\b\.?\s*|#)?\d+[A-Z]?(?:[-/~]\d+[A-Z]?)*\s+", "")
    pieces = pieces.with_columns(own=pl.when(pl.col("kind") == "road").then(road).otherwise("piece"))
    firsts = [
        pl.col("own").filter(pl.col("kind") == name).first().alias(name) for name in ("town", "village", "road", "park")
    ]
    of_number = pl.col("kind").is_null() | (pl.col("kind") == "road")
    found = pieces.group_by("id", maintain_order=True).agg(
        pl.lit(None, pl.String).alias("zone"),
        *firsts,
        pl.col("digits").filter(of_number).drop_nulls().first().alias("number"),
        pl.col("own").filter(pl.col("kind") == "building").str.join(", ").alias("building"),
    )
    return _empty_to_null(found)


def _empty_to_null(found: pl.DataFrame) -> pl.DataFrame:
    return found.select("id", *(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in PARTS))
