"""Official classifications 统计分类, with edition and evidence: which digital class an industry code decides.

`digital_class` answers for one code, `classify_codes` for a table; both say what a code cannot decide. `classify_text`
reads what firms say of themselves, `classify_firms` takes both together.
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
from jiqun.taxonomy.firms import classify_firms, classify_text
from jiqun.taxonomy.frames import classify_codes, lookup
from jiqun.taxonomy.lexicon import fingerprint, lexicon_table
from jiqun.taxonomy.linear import LinearModel
from jiqun.taxonomy.text import KINDS, Kind

__all__ = [
    "EDITION",
    "GBT",
    "KINDS",
    "SCHEMES",
    "DigitalClass",
    "Kind",
    "LinearModel",
    "canonical",
    "classify_codes",
    "classify_firms",
    "classify_text",
    "digital_class",
    "fingerprint",
    "industry_name",
    "is_known",
    "known_codes",
    "lexicon_table",
    "lookup",
    "name",
    "parent",
    "suggest",
]
