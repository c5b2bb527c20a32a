"""Official classifications 统计分类, with edition and evidence: which digital class an industry code decides.

`digital_class` answers for one code, `classify_codes` for a table; both say what a code cannot decide.
"""

from jiqun.taxonomy.codes import (
    EDITION,
    GBT,
    SCHEMES,
    canonical,
    industry_name,
    is_known,
    known_codes,
    name,
    parent,
    suggest,
)
from jiqun.taxonomy.digital import DigitalClass, digital_class
from jiqun.taxonomy.frames import classify_codes, lookup

__all__ = [
    "EDITION",
    "GBT",
    "SCHEMES",
    "DigitalClass",
    "canonical",
    "classify_codes",
    "digital_class",
    "industry_name",
    "is_known",
    "known_codes",
    "lookup",
    "name",
    "parent",
    "suggest",
]
