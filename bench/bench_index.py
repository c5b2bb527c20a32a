"""The search index on made-up Chinese firms: build, size, waiting, recall; the peer is a scan of the same text by Polars."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import cost

from jiqun.store.search import DEEPEST, MOST_HITS, Entry, Index, build, fold

CITIES = "北京 上海 广州 深圳 杭州 南京 苏州 成都 武汉 西安 合肥 青岛 厦门 长沙 郑州 天津 重庆 宁波 无锡 济南"
NAMES = "华中创新瑞宏远鑫达盛恒信泰通联科智云天海星光明德诚安康美嘉宇博弘卓启航飞腾龙凤金银铭锐捷思维力合众兴隆昌荣"
TRADES = "电子 软件 信息技术 网络科技 智能装备 半导体 微电子 人工智能 AI芯片 5G通信 物联网 机器人 光电 云计算 大数据"
FORMS = "有限公司 股份有限公司 有限责任公司 集团有限公司 研究院 中心 厂"
BUSINESS = "技术开发 技术咨询 软件开发 集成电路设计 计算机系统服务 货物进出口 互联网信息服务 通信设备制造 数据处理服务"
BATCH = 5_000
QUERIES = 300
SEED = 3


def firms(n: int) -> Iterator[list[Entry]]:
    """Made-up firms, the same ones every time."""
    draw = random.Random(SEED)
    cities, trades, forms, business = (words.split() for words in (CITIES, TRADES, FORMS, BUSINESS))
    for start in range(0, n, BATCH):
        batch = []
        for number in range(start, min(n, start + BATCH)):
            name = "".join(draw.choice(NAMES) for _ in range(draw.randint(2, 4)))
            title = draw.choice(cities) + name + draw.choice(trades) + draw.choice(forms)
            text = f"{'、'.join(draw.sample(business, 4))} {draw.choice(cities)}市高新区{draw.randint(1, 999)}号"
            code = f"91{draw.randrange(10**16):016d}"
            batch.append(Entry("firm", str(number), title, "", text, (code,), weight=draw.random() ** 4))
        yield batch


def writing(n: int, folder: str) -> Callable[[], Any]:
    """Write the index; making the firms up is weighed apart."""
    return lambda: build(Path(folder), firms(n), "bench").bytes


def making(n: int) -> Callable[[], Any]:
    """What making the firms up costs alone."""
    return lambda: sum(map(len, firms(n)))


def queries(some: list[Entry]) -> list[str]:
    """Parts of names and of business texts, of one to six characters, and beginnings of codes."""
    draw = random.Random(SEED)
    found = []
    for _ in range(QUERIES):
        firm = draw.choice(some)
        text, length = draw.choice((firm.title_zh, firm.text)), draw.choice((1, 2, 2, 3, 3, 4, 6))
        start = draw.randrange(len(text) - length)
        part = text[start : start + length]
        found.append(firm.codes[0][: draw.randint(4, 18)] if draw.random() < 0.1 else part)
    return found


def timed(ask: Callable[[str], Any], asked: list[str]) -> np.ndarray:
    """Milliseconds of each query."""
    waits = []
    for query in asked:
        start = time.perf_counter()
        ask(query)
        waits.append((time.perf_counter() - start) * 1000)
    return np.array(waits)


def scan(table: pl.DataFrame, query: str) -> pl.Series:
    """Numbers of the firms that hold a query, by reading all."""
    held = pl.any_horizontal(pl.col("name", "text").str.contains(fold(query), literal=True))
    return table.filter(held)["number"]


def recall(index: Index, table: pl.DataFrame, asked: list[str]) -> tuple[int, int]:
    """Of firms that hold a query of Chinese characters alone: how many there are, and how many were not found."""
    held = missed = 0
    for query in {query for query in asked if not any(one.isascii() or one == "、" for one in query)}:
        if index.find(query).total <= DEEPEST:
            pages = (index.find(query, limit=MOST_HITS, offset=at).hits for at in range(0, DEEPEST, MOST_HITS))
            found = {int(hit.id) for hits in takewhile(bool, pages) for hit in hits}
            there = set(scan(table, query))
            held, missed = held + len(there), missed + len(there - found)
    return held, missed


def main() -> None:
    """Print what was measured."""
    for n in (50_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            written, made = cost(writing, n, folder), cost(making, n)
            print(
                f"{n:9,} firms: {written.cpu - made.cpu:.0f} s of computing, {written.answer / 1e6:.0f} MB, "
                f"peak {written.peak_mb:.0f} MB"
            )
            index = Index.open(Path(folder))
            entries = [firm for batch in firms(n) for firm in batch]
            names, texts = [fold(one.title_zh) for one in entries], [fold(one.text) for one in entries]
            table = pl.DataFrame({"number": range(n), "name": names, "text": texts})
            asked = queries(entries[:50_000])
            found, peer = timed(index.find, asked), timed(partial(scan, table), asked[:30])
            median, slow = np.median(found), np.percentile(found, 99)
            print(
                f"{'':9}  query {median:.1f} ms, 99 % {slow:.1f} ms; a scan takes {np.median(peer) / median:.0f} times as long"
            )
            if n <= 50_000:
                held, missed = recall(index, table, asked)
                print(f"{'':9}  of {held:,} firms that hold a query {missed:,} are not found")


if __name__ == "__main__":
    main()
