"""Assess 评估: how a cluster stands, how sure that is, and what would change the result."""

from jiqun.assess.composite import CompositeIndex, composite_index
from jiqun.assess.framework import Framework, framework_of, parse_framework, shipped
from jiqun.assess.frontier import Efficiency, dea
from jiqun.assess.productivity import Productivity, malmquist
from jiqun.assess.rank_uncertainty import Uncertainty, uncertainty
from jiqun.assess.table import indicator_columns

__all__ = [
    "CompositeIndex",
    "Efficiency",
    "Framework",
    "Productivity",
    "Uncertainty",
    "composite_index",
    "dea",
    "framework_of",
    "indicator_columns",
    "malmquist",
    "parse_framework",
    "shipped",
    "uncertainty",
]
