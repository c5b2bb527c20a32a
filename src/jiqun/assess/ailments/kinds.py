"""Kinds of members 成员种类: universities, institutes, finance and associations, told by the words of their names.

The register has no column for it. The words are ours (`data/member_kinds.csv`); names that hold none are taken for firms, so that
a kind is rather missed than invented. 基金 in a firm's name counts as finance whatever the firm does.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

import polars as pl

from jiqun.core.document import Text

KINDS = {
    "university": Text("高校", "universities"),
    "institute": Text("科研院所", "research institutes"),
    "finance": Text("金融与基金", "funds and finance"),
    "association": Text("协会与联盟", "associations"),
}
FIRM = "firm"
_ENDS = r"(?:[（(][^()（）]*[)）])?\s*$"
_FIRMS = r"(?:有限|股份|公司|\b(?:ltd|limited|inc|gmbh|corp|corporation|llc|co)\b)"
"""A firm that a university or institute owns, as 大学科技园有限公司, is a firm: these kinds are not told of such names."""


@cache
def _patterns() -> dict[str, str]:
    text = files("jiqun.assess").joinpath("data", "member_kinds.csv").read_text(encoding="utf-8")
    words: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for row in csv.DictReader(text.splitlines()):
        word = re.escape(row["word"])
        bounded = rf"\b{word}\b" if row["language"] == "en" else word
        words[row["kind"]].append(bounded + _ENDS if row["place"] == "end" else bounded)
    return {kind: "(?i)(?:" + "|".join(found) + ")" for kind, found in words.items()}


def member_kind(name: pl.Expr) -> pl.Expr:
    """The kind of an organisation by its name 按名称判定成员种类: one of `KINDS`, else firm; null where it has no name.

    Examples
    --------
    >>> names = ["浙江大学", "浙江大学科技园有限公司", "某市软件行业协会", "某创业投资基金(有限合伙)", "Sloe University", "Acme Ltd"]
    >>> pl.DataFrame({"name": names}).select(member_kind(pl.col("name"))).to_series().to_list()
    ['university', 'firm', 'association', 'finance', 'university', 'firm']
    """
    company = name.str.contains(f"(?i){_FIRMS}").fill_null(value=False) & ~name.str.contains("有限合伙").fill_null(
        value=False
    )
    public = ~company
    kind = pl.lit(FIRM)
    for told, pattern in reversed(_patterns().items()):
        fits = name.str.contains(pattern)
        kind = pl.when(fits if told == "finance" else fits & public).then(pl.lit(told)).otherwise(kind)
    return pl.when(name.is_not_null()).then(kind).alias("kind")
