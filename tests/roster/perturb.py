"""Copies of real firms' names with known faults, to measure matching by. The faults are made up; the names are not.

A register of the firms with namesakes elsewhere and near-namesakes in it, and rosters that each have one kind of fault.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import polars as pl
from opencc import OpenCC

FORMS = ("集团股份有限公司", "股份有限公司", "有限责任公司", "有限公司")
TRADES = ("科技", "电子", "软件", "实业", "贸易", "制造", "医药", "能源", "新材料", "网络")
CITIES = (
    ("杭州", "330100"), ("苏州", "320500"), ("成都", "510100"), ("武汉", "420100"), ("西安", "610100"),
    ("青岛", "370200"), ("厦门", "350200"), ("郑州", "410100"), ("长沙", "430100"), ("沈阳", "210100"),
    ("合肥", "340100"), ("佛山", "440600"),
)  # fmt: skip
KINDS = (
    "as it is", "form dropped", "form changed", "brackets", "traditional", "full width", "wrong character",
    "missing character", "swapped characters", "short name", "place dropped", "English name", "credit code",
    "former name", "not in the register",
)  # fmt: skip

_TRADITIONAL = OpenCC("s2t")


def firms(shared: Path) -> pl.DataFrame:
    """Listed firms with a Chinese name, each once: name, name_en, short_name, region_code (null: not known)."""
    path = shared / "real" / "cn-listed-firms" / "firms.parquet"
    rows = (
        pl.read_parquet(path)
        .filter(pl.col("name_zh").is_not_null())
        .sort("symbol")
        .unique("name_zh", keep="first", maintain_order=True)
    )
    return rows.select(
        name="name_zh", name_en="name_en", short_name="short_zh", region_code="adcode", city="prefecture"
    )


def place_of(name: str) -> str:
    """The place that a name begins with: a city of ours or a province, else nothing."""
    known = (*(city for city, _ in CITIES), "北京", "上海", "天津", "重庆", "深圳", "广州", "南京", "宁波", "浙江", "江苏", "广东", "山东", "福建",
             "安徽", "湖北", "湖南", "四川", "河南", "河北", "陕西", "辽宁", "吉林", "黑龙江", "江西", "山西", "云南", "贵州", "广西", "海南", "甘肃", "青海", "新疆", "西藏", "内蒙古", "宁夏")  # fmt: skip
    return next((place for place in known if name.startswith(place)), "")


def core_of(name: str) -> str:
    """A name without its place and form, by simpler means than the ones that are tested."""
    rest = name[len(place_of(name)) :].removeprefix("市").removeprefix("省")
    return next((rest[: -len(form)] for form in FORMS if rest.endswith(form) and len(rest) > len(form) + 1), rest)


def register(known: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The firms, for each a namesake in another city and two near-namesakes; ids o0000001 and on."""
    draw = random.Random(seed)
    rows = [dict(row) for row in known.iter_rows(named=True)]
    others = []
    for row in rows:
        core = re.sub(r"[(（].*?[)）]", "", core_of(row["name"]))
        here = (row["region_code"] or "")[:4]
        city, code = draw.choice([one for one in CITIES if one[1][:4] != here and one[0] not in row["name"]])
        others.append({"name": f"{city}{core}有限公司", "region_code": code})
        city, code = draw.choice(CITIES)
        changed = core[:-2] + draw.choice(TRADES) if len(core) > 3 else core + draw.choice(TRADES)
        others.append({"name": f"{city}{changed}有限公司", "region_code": code})
        at = draw.randrange(len(core))
        city, code = draw.choice(CITIES)
        others.append(
            {"name": f"{city}{core[:at]}{draw.choice('华星海天盛泰瑞宏')}{core[at + 1 :]}有限公司", "region_code": code}
        )
    taken = {row["name"] for row in rows}
    kept = [one for one in others if one["name"] not in taken]
    table = pl.DataFrame(
        rows + kept,
        schema={
            "name": pl.String,
            "name_en": pl.String,
            "short_name": pl.String,
            "region_code": pl.String,
            "city": pl.String,
        },
    )
    codes = [f"91{draw.randrange(10**15):015d}X" for _ in range(table.height)]
    return table.drop("short_name", "city").with_columns(
        uscc=pl.Series(codes), id=pl.format("o{}", pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(7))
    )


def faulty(  # noqa: C901, PLR0912  # one branch per kind of fault
    row: dict, kind: str, draw: random.Random
) -> dict | None:
    """One row of a roster with a fault of this kind; None where the firm cannot have it."""
    name, core = row["name"], core_of(row["name"])
    at = draw.randrange(len(core))
    start = name.index(core)
    out = {"name": name}
    if kind == "form dropped":
        out["name"] = next((name[: -len(form)] for form in FORMS if name.endswith(form)), "")
    elif kind == "form changed":
        out["name"] = next((name[: -len(form)] + "有限责任公司" for form in FORMS if name.endswith(form)), "")
    elif kind == "brackets":
        place = place_of(name)
        form = next((form for form in FORMS if name.endswith(form)), "")
        out["name"] = f"{core}（{place}）{form}" if place and form else ""
    elif kind == "traditional":
        turned = _TRADITIONAL.convert(name)
        out["name"] = turned if turned != name else ""
    elif kind == "full width":
        out["name"] = " ".join(name).replace("(", "（") + "．"
    elif kind == "wrong character":
        out["name"] = name[: start + at] + draw.choice("明远创佳德信") + name[start + at + 1 :]
    elif kind == "missing character":
        out["name"] = name[: start + at] + name[start + at + 1 :] if len(core) > 3 else ""
    elif kind == "swapped characters":
        at = draw.randrange(max(1, len(core) - 1))
        pair = core[at : at + 2][::-1]
        out["name"] = (
            name[: start + at] + pair + name[start + at + 2 :] if len(pair) == 2 and pair[0] != pair[1] else ""
        )
    elif kind == "short name":
        out["name"] = (row["short_name"] or "").removeprefix("*").removeprefix("ST")
    elif kind == "place dropped":
        place = place_of(name)
        out["name"] = name[len(place) :].removeprefix("市").removeprefix("省") if place else ""
    elif kind == "English name":
        out["name"] = row["name_en"] or ""
    elif kind == "credit code":
        out |= {"name": "更名后的" + draw.choice(TRADES) + "公司", "uscc": row["uscc"]}
    elif kind == "former name":
        out |= {"name": "改名之后" + draw.choice(TRADES) + "有限公司", "former_names": name}
    return (
        out
        if out["name"]
        and (kind in {"as it is", "not in the register", "credit code", "former name"} or out["name"] != name)
        else None
    )


def roster(
    known: pl.DataFrame, listed: pl.DataFrame, kind: str, seed: int, *, place: bool, most: int = 400
) -> pl.DataFrame:
    """Rows with one kind of fault: name, uscc, former_names, city (`place`), and `truth`, the id it should find."""
    draw = random.Random(f"{seed} {kind}")
    by_name = dict(listed.select("name", "id").iter_rows())
    codes = dict(listed.select("name", "uscc").iter_rows())
    rows = []
    for row in known.sample(fraction=1.0, shuffle=True, seed=seed).iter_rows(named=True):
        made = faulty({**row, "uscc": codes.get(row["name"])}, kind, draw)
        if made is not None:
            rows.append({**made, "city": row["city"] if place else None, "truth": by_name.get(row["name"])})
        if len(rows) == most:
            break
    schema = dict.fromkeys(("name", "uscc", "former_names", "city", "truth"), pl.String)
    return pl.DataFrame([{key: row.get(key) for key in schema} for row in rows], schema=schema)


def measured(
    roster_rows: pl.DataFrame, decided: pl.DataFrame, candidates: pl.DataFrame
) -> dict[str, float | int | None]:
    """Precision and recall of what was matched by itself, and how often the truth is among all candidates."""
    truth = roster_rows.select(row=pl.int_range(pl.len(), dtype=pl.Int64), truth="truth")
    told = decided.join(truth, on="row")
    matched = told.filter(pl.col("decision") == "matched")
    right = matched.filter(pl.col("organisation") == pl.col("truth")).height
    there = truth.filter(pl.col("truth").is_not_null()).height
    among = candidates.join(truth, on="row").filter(pl.col("organisation") == pl.col("truth"))["row"].n_unique()
    return {
        "n": told.height,
        "matched": matched.height,
        "precision": right / matched.height if matched.height else None,
        "recall": right / there if there else None,
        "found": among / there if there else None,
        "review": told.filter(pl.col("decision") == "review").height / told.height,
    }
