"""Assess 评估: how a cluster stands, how sure that is, and what would change the result."""

from jiqun.assess.belt_pairs import Belts, belts
from jiqun.assess.carriers import CarrierTree, carrier_tree
from jiqun.assess.composite import CompositeIndex, composite_index
from jiqun.assess.framework import Framework, framework_of, parse_framework, shipped
from jiqun.assess.frontier import Efficiency, dea
from jiqun.assess.green_efficiency import Green, green
from jiqun.assess.idle import idle_carriers
from jiqun.assess.productivity import Productivity, malmquist
from jiqun.assess.rank_uncertainty import Uncertainty, uncertainty
from jiqun.assess.references import benchmark
from jiqun.assess.table import indicator_columns
from jiqun.assess.vacancy import Occupancy, occupancy

__all__ = [
    "Belts",
    "CarrierTree",
    "CompositeIndex",
    "Efficiency",
    "Framework",
    "Green",
    "Occupancy",
    "Productivity",
    "Uncertainty",
    "belts",
    "benchmark",
    "carrier_tree",
    "composite_index",
    "dea",
    "framework_of",
    "green",
    "idle_carriers",
    "indicator_columns",
    "malmquist",
    "occupancy",
    "parse_framework",
    "shipped",
    "uncertainty",
]
