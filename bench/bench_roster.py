"""Matching a roster to a register: against all pairs by difflib and a tf-idf neighbour search, and its growth.

`python bench/bench_roster.py 700000 10000000` matches so many names against so many instead (made-up names; minutes).
"""

from __future__ import annotations

import difflib
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.intake.gazetteer import Gazetteer
from jiqun.roster import match
from jiqun.roster.names import Normaliser

SMALL = (300, 20_000)
GROWTH = ((7_000, 100_000), (14_000, 200_000))
BATCH = 250_000
FORMS = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司")
TRADES = (
    "科技", "信息技术", "电子", "软件", "网络科技", "实业", "贸易", "商贸", "机械", "建筑工程", "装饰", "物流", "餐饮管理", "文化传媒",
    "投资", "新材料", "医疗器械", "生物科技", "汽车零部件", "智能装备", "环保科技", "半导体", "光电", "能源",
)  # fmt: skip


def units() -> pl.DataFrame:
    """The divisions that jiqun knows; made once."""
    folder = Path(__file__).parents[1] / ".cache" / "gazetteer"
    folder.mkdir(parents=True, exist_ok=True)
    return Gazetteer.load(folder).units


def register(n: int, seed: int) -> Iterator[pl.DataFrame]:
    """Made-up firms: city, two to four characters of Zipf frequency, trade, form; their city's code."""
    rng = np.random.default_rng(seed)
    cities = units().filter(pl.col("level") == "city").select("short", "region_code")
    characters = np.array([chr(0x4E00 + int(k)) for k in rng.permutation(6000)[:2500]])
    common = 1 / np.arange(1, characters.size + 1) ** 0.6
    share = 1 / np.arange(1, cities.height + 1) ** 0.7
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        city = rng.choice(cities.height, size, p=share / share.sum())
        drawn = characters[rng.choice(characters.size, (size, 4), p=common / common.sum())]
        length = rng.choice([2, 3, 4], size, p=[0.6, 0.25, 0.15])
        own = np.char.add(drawn[:, 0], drawn[:, 1])
        own = np.where(length > 2, np.char.add(own, drawn[:, 2]), own)
        own = np.where(length > 3, np.char.add(own, drawn[:, 3]), own)
        named = np.where(rng.random(size) < 0.8, cities["short"].to_numpy().astype(str)[city], "")
        name = named
        for part in (own, rng.choice(TRADES, size), rng.choice(FORMS, size, p=[0.8, 0.1, 0.06, 0.04])):
            name = np.char.add(name, part)
        yield pl.DataFrame(
            {
                "id": pl.select(pl.format("o{}", pl.int_range(start + 1, start + size + 1))).to_series(),
                "name": name,
                "region_code": cities["region_code"].gather(city),
            }
        )


def roster(n: int, of: int, seed: int) -> pl.DataFrame:
    """Rows of the register of that size, a third as they are, a third without form, a third with a character wrong; `truth`."""
    draw = np.random.default_rng(seed + 1)
    rows = pl.concat(part.filter(pl.Series(draw.random(part.height) < n / of)) for part in register(of, seed)).head(n)
    kind = pl.int_range(pl.len()) % 3
    return rows.select(
        pl.col("id").alias("truth"),
        pl.when(kind == 1)
        .then(pl.col("name").str.replace("(集团|股份)?有限(责任)?公司$", ""))
        .when(kind == 2)
        .then(pl.col("name").str.slice(0, 3) + "某" + pl.col("name").str.slice(4))
        .otherwise("name")
        .alias("name"),
        "region_code",
    )


def ours(n: int, of: int) -> Callable[[], Any]:
    """From names as text to decisions; compiled code is warmed first."""
    normaliser = Normaliser(units())
    _matched(normaliser, roster(30, 300, 0), register(300, 0))
    rows = roster(n, of, 1)
    return lambda: _matched(normaliser, rows, register(of, 1))


def _matched(normaliser: Normaliser, rows: pl.DataFrame, firms: Iterator[pl.DataFrame]) -> dict[str, float]:
    side = match.prepare(rows.with_row_index("row"), normaliser, ids="row")
    found = match.find(side, match.joined(match.prepare(part, normaliser, ids="id") for part in firms))
    decided = match.decide(found.candidates, rows.height).with_columns(rows["truth"])
    matched = decided.filter(pl.col("decision") == "matched")
    right = matched.filter(pl.col("organisation") == pl.col("truth")).height
    best = decided.filter(pl.col("organisation") == pl.col("truth")).height
    return {
        "rows": rows.height,
        "matched": matched.height,
        "right": right / max(matched.height, 1),
        "best": best / rows.height,
        "judged": found.judged,
        "capped": found.capped,
    }


def all_pairs(n: int, of: int, sample: int) -> Callable[[], Any]:
    """The peer of the standard library, for a few rows: the ratio of every pair."""
    names = pl.concat(register(of, 1))["name"].to_list()
    rows = roster(n, of, 1)
    chosen = random.Random(1).sample(range(n), sample)

    def run() -> float:
        right = 0
        for row in chosen:
            matcher = difflib.SequenceMatcher(b=rows["name"][row], autojunk=False)
            best, score = -1, 0.0
            for place, name in enumerate(names):
                matcher.set_seq1(name)
                if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score and matcher.ratio() > score:
                    best, score = place, matcher.ratio()
            right += f"o{best + 1}" == rows["truth"][row]
        return right / sample

    return run


def neighbours(n: int, of: int) -> Callable[[], Any]:
    """The peer of scikit-learn: nearest neighbour by cosine of tf-idf over pairs of characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

    names = pl.concat(register(of, 1))["name"].to_list()
    rows = roster(n, of, 1)

    def run() -> float:
        vectors = TfidfVectorizer(analyzer="char", ngram_range=(2, 2))
        known = vectors.fit_transform(names)
        nearest = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(known)
        found = nearest.kneighbors(vectors.transform(rows["name"].to_list()), return_distance=False)[:, 0]
        return sum(f"o{place + 1}" == truth for place, truth in zip(found, rows["truth"], strict=True)) / n

    return run


def main(sizes: list[int]) -> None:
    """Print the comparison and the growth, or one run of the sizes asked for."""
    if sizes:
        told(*sizes, cost(ours, *sizes))
        return
    n, of = SMALL
    sample = 5
    mine = cost(ours, n, of)
    pairs, near = cost(all_pairs, n, of, sample), cost(neighbours, n, of)
    each = pairs.cpu / sample * n
    print(f"{n:,} rows against {of:,} made-up firms; the row's own firm is the best candidate of")
    print(f"  jiqun         {mine.answer['best']:6.1%}   {mine.cpu:8.2f} CPU s")
    print(f"  tf-idf        {near.answer:6.1%}   {near.cpu:8.2f} CPU s   x {near.cpu / mine.cpu:,.0f}")
    print(f"  difflib       {pairs.answer:6.1%}   {each:8.0f} CPU s (from {sample} rows)   x {each / mine.cpu:,.0f}")
    for size in GROWTH:
        told(*size, cost(ours, *size))


def told(n: int, of: int, spent: Any) -> None:
    """One line about one run."""
    a = spent.answer
    print(
        f"{n:,} x {of:,}: {spent.wall:.1f} s wall, {spent.cpu:.1f} CPU s, {spent.peak_mb:,.0f} MB; {a['matched']:,} matched "
        f"({a['right']:.2%} right), best candidate right {a['best']:.1%}; {a['judged']:,} pairs judged, {a['capped']:,} names capped"
    )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
