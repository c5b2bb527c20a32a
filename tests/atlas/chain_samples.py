"""Small chains and firms for the tests of chains."""

from __future__ import annotations

import polars as pl

from jiqun.atlas.chain_data import Chain, Edge, Node

CODES = {"wafer": "3985", "resist": "2664", "fab": "3973", "pack": "3562", "phone": "3922"}
WORDS = {"wafer": "硅片", "resist": "光刻胶", "fab": "晶圆制造", "pack": "封装测试", "phone": "智能手机"}
STAGES = {"wafer": "upstream", "resist": "upstream", "fab": "midstream", "pack": "midstream", "phone": "downstream"}


def node(name: str, **more) -> Node:
    """A draft node."""
    values = {"id": name, "zh": name, "en": name, "stage": STAGES.get(name, "midstream"), "status": "draft"}
    return Node(**values | more)


def chain(edges=(("wafer", "fab"), ("resist", "fab"), ("fab", "pack"), ("pack", "phone")), **more) -> Chain:
    """A chain of five nodes, each with a code of its own."""
    nodes = tuple(node(name, gbt=(code,), words_zh=(WORDS[name],)) for name, code in CODES.items())
    values = {"id": "chips", "zh": "芯片", "en": "Chips", "version": "1", "nodes": nodes}
    return Chain(**values | {"edges": tuple(Edge(start=a, end=b) for a, b in edges)} | more)


def firms(*rows) -> pl.DataFrame:
    """id, industry_code, employees."""
    schema = {"id": pl.String, "industry_code": pl.String, "employees": pl.Float64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")
