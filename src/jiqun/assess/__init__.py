"""Assess 评估: how a cluster stands, how sure that is, and what would change the result."""

from jiqun.assess.frontier import Efficiency, dea
from jiqun.assess.malmquist import Productivity, malmquist

__all__ = ["Efficiency", "Productivity", "dea", "malmquist"]
