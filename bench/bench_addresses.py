"""Taking made-up Chinese addresses apart: addresses a second of CPU, against a loop of regular expressions over rows.

`python bench/bench_addresses.py 20000` reads so many addresses instead of 200,000. The peer is what one writes in an
afternoon: per row, the longest unit name at each level from the start of the text, then patterns for town, road and
number. It knows no order of evidence, no former names, no zones and no namesakes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import cost

from jiqun.intake.address import parse_address
from jiqun.intake.gazetteer import Gazetteer

ROWS = 200_000
ROADS = ("人民路", "建设大道", "科技南路", "城北路", "中山中路", "工业二路")
TOWNS = ("城关镇", "玉山镇", "粤海街道", "新塘镇", "")
HOUSES = ("", "科技园3栋", "创业大厦A座", "工业区6栋")


def addresses(gazetteer: Gazetteer, count: int) -> list[str]:
    """Made-up addresses in real counties, a third of them without province or city."""
    rng = np.random.default_rng(7)
    units = gazetteer.units
    names = dict(units.select("region_code", "unit").iter_rows())
    counties = units.filter(units["level"] == "county").select("province", "city", "unit").rows()
    drawn = rng.integers(0, len(counties), count)
    cut = rng.integers(0, 3, count)
    made = []
    for number, (which, less) in enumerate(zip(drawn, cut, strict=True)):
        province, city, unit = counties[which]
        head = [names.get(province, ""), names.get(city, "") if city != province else "", unit][less % 2 :]
        tail = TOWNS[number % 5] + ROADS[number % 6] + f"{number % 900 + 1}号" + HOUSES[number % 4]
        made.append("".join(head) + tail)
    return made


def ours(cache: str, count: int) -> Callable[[], Any]:
    """The whole table at once."""
    gazetteer = Gazetteer.load(Path(cache))
    lines = addresses(gazetteer, count)
    parse_address(lines[:10], gazetteer)
    return lambda: int(parse_address(lines, gazetteer)["region_code"].is_not_null().sum())


def peer(cache: str, count: int) -> Callable[[], Any]:
    """Row by row."""
    gazetteer = Gazetteer.load(Path(cache))
    lines = addresses(gazetteer, count)
    names = [
        sorted(gazetteer.units.filter(gazetteer.units["level"] == level)["unit"].unique(), key=len, reverse=True)
        for level in ("province", "city", "county")
    ]
    levels = [re.compile("|".join(map(re.escape, level))) for level in names]
    town = re.compile(r"^.{1,8}?(?:街道|镇|乡)")
    road = re.compile(r"(.{1,8}?(?:大道|路|街))(\d+号)?")

    def run() -> int:
        told = 0
        for line in lines:
            rest = line
            found = None
            for level in levels:
                match = level.match(rest)
                if match:
                    found, rest = match[0], rest[match.end() :]
            match = town.match(rest)
            if match:
                rest = rest[match.end() :]
            road.match(rest)
            told += found is not None
        return told

    return run


def main(count: int) -> None:
    """Both, each in a process of its own."""
    with TemporaryDirectory() as cache:
        Gazetteer.load(Path(cache))
        mine, loop = (cost(call, cache, count) for call in (ours, peer))
    print(
        f"{count:,} addresses: {count / mine.cpu:,.0f} a second of CPU, peak {mine.peak_mb:,.0f} MB, {mine.answer:,} told"
    )
    print(f"regular expressions, row by row: {count / loop.cpu:,.0f} a second, {loop.answer:,} with a name")
    print(f"ratio (theirs / ours): {mine.cpu / loop.cpu:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
