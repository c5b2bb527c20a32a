"""Official codes 官方代码: credit codes, industries, regions, countries.

Good cells are recognised in bulk; a cell that is not gets a rule of its own, once per distinct text, that repairs
what has one reading (a section letter, a lost `.0`) and explains the rest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Set

import numpy as np
import polars as pl
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength, ValidationError

from jiqun import taxonomy
from jiqun.intake import _kernels
from jiqun.intake._geo import countries, country_keys, key
from jiqun.intake.values import MARKERS, Judged, settle

_PROVINCES = frozenset(
    f"{area}{n}"
    for area, count in {"1": 5, "2": 3, "3": 7, "4": 6, "5": 4, "6": 5, "7": 1, "8": 2}.items()
    for n in range(1, count + 1)
) | {"50"}
"""First two digits: 11 北京 … 82 澳门; 重庆 is 50."""
_REGION_DIGITS = 6
_GROUP_DIGITS, _CLASS_DIGITS = 3, 4
_EXPONENT = re.compile(r"^\d(\.\d+)?[eE]\+?\d{1,2}$")
_EXACT_FLOAT = 2**53

Told = tuple[str | None, str | None, str]
"""Value, code (None where nothing is wrong), detail."""


def _each(judge: Callable[[str], Told]) -> Callable[[pl.Series], pl.DataFrame]:
    def rule(texts: pl.Series) -> pl.DataFrame:
        told = [(text, *((None, None, "") if text.lower() in MARKERS else judge(text))) for text in texts]
        schema = {"text": pl.String, "value": pl.String, "code": pl.String, "detail": pl.String}
        return pl.DataFrame(told, schema=schema, orient="row")

    return rule


def _plain(text: str) -> str:
    return re.sub(r"\.0+$", "", "".join(unicodedata.normalize("NFKC", text).split())).upper()


def credit_codes(cells: pl.Series) -> Judged:
    """Unified social credit codes 统一社会信用代码 (GB 32100-2015), upper case without spaces.

    Judged in bulk by their check character; what is not even 18 characters of the alphabet goes to `stdnum.cn.uscc`.

    Examples
    --------
    >>> judged = credit_codes(pl.Series(["91110000600037341L", "9111 0000 6000 37341l", "911100006000373410", "9.1E+17"]))
    >>> judged.values.to_list()
    ['91110000600037341L', '91110000600037341L', None, None]
    >>> judged.findings.rows()
    [(2, 'JQ-DATA-015', 'L'), (3, 'JQ-DATA-016', '')]
    """
    good = pl.Series(screen(cells) == _kernels.USCC_GOOD) & cells.is_not_null()
    return settle(cells.set(~good, None), cells, cells.is_not_null() & ~good, _odd_credit_codes)


def screen(cells: pl.Series) -> _kernels.Bytes:
    """What `_kernels.uscc` says of each cell; of a null it says malformed."""
    arrow = cells.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = arrow.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    content = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, dtype=np.uint8)
    return _kernels.uscc(content, places)


def _odd_credit_codes(texts: pl.Series) -> pl.DataFrame:
    told = screen(texts)
    formed = pl.Series(told != _kernels.USCC_MALFORMED)
    right = pl.Series(told).filter(formed).to_list()
    number = pl.col("text").cast(pl.Int64, strict=False)
    # a double of that size has made-up digits at its end
    rounded = (number.cast(pl.Float64).cast(pl.Int64, strict=False) == number) & (number > _EXACT_FLOAT)
    rounded = rounded.fill_null(value=False)
    wrong = pl.DataFrame({"text": texts.filter(formed), "right": pl.Series(map(chr, right), dtype=pl.String)}).select(
        "text",
        value=pl.lit(None, pl.String),
        code=pl.when(rounded).then(pl.lit("JQ-DATA-016")).otherwise(pl.lit("JQ-DATA-015")),
        detail=pl.when(rounded).then(pl.lit("")).otherwise("right"),
    )
    return pl.concat([wrong, _each(_credit_code)(texts.filter(~formed))])


def _credit_code(text: str) -> Told:
    plain = _plain(text)
    if _EXPONENT.match(plain):
        return None, "JQ-DATA-016", ""
    try:
        return uscc.validate(plain), None, ""
    except InvalidLength:
        return None, "JQ-DATA-028", str(len(uscc.compact(plain)))
    except InvalidChecksum:
        return None, "JQ-DATA-015", uscc.calc_check_digit(uscc.compact(plain)[:-1])
    except (InvalidFormat, ValidationError):
        wrong = [c for c in uscc.compact(plain) if c not in _kernels.USCC_ALPHABET]
        return None, "JQ-DATA-029", "".join(dict.fromkeys(wrong)) or plain[:8]


def industries(cells: pl.Series) -> Judged:
    """Industry codes 行业代码 of GB/T 4754-2017, two to four digits; a section letter is dropped.

    Examples
    --------
    >>> judged = industries(pl.Series(["6513", "I6513", "6513.0", "65O3"]))
    >>> judged.values.to_list(), judged.findings["detail"].to_list()
    (['6513', '6513', '6513', None], ['6513 应用软件开发'])
    """
    known = list(taxonomy.known_codes(taxonomy.GBT))
    good = cells.is_in(known)
    judged = settle(cells.set(~good, None), cells, cells.is_not_null() & ~good, _each(_industry))
    digits = judged.values.str.len_chars()
    groups = (digits == _GROUP_DIGITS).fill_null(value=False)
    if not groups.any() or (digits == _CLASS_DIGITS).sum() < groups.sum():
        return judged
    # among classes, 111 is rather 0111 without its zero than the group 111; not where other groups stand too
    longer = "0" + judged.values
    lost = groups & longer.is_in(known)
    return judged.doubting(lost, "JQ-DATA-042", longer) if lost.sum() == groups.sum() else judged


def stock_codes(judged: Judged) -> Judged:
    """Doubts about listing codes 股票代码 that are numbers: of six digits, as in Shanghai and Shenzhen, some began with 0.

    Examples
    --------
    >>> stock_codes(Judged(pl.Series(["600000", "1", "00700", "AAPL"]))).findings.rows()
    [(1, 'JQ-DATA-042', '000001')]
    """
    short = judged.values.str.contains(r"^[1-9]\d{0,3}$")
    return judged.doubting(short, "JQ-DATA-042", judged.values.str.zfill(6))


def _industry(text: str) -> Told:
    found = taxonomy.canonical(_plain(text))
    if found is not None:
        return found, None, ""
    near = taxonomy.suggest(text)
    return None, "JQ-DATA-014", f"{near} {taxonomy.industry_name(near)}" if near else ""


def regions(cells: pl.Series, known: Set[str]) -> Judged:
    """Region codes 行政区划代码 of GB/T 2260, six digits; 2, 4, 9 and 12 digits are brought to six.

    A code that `known` lacks may be of an older edition: it is kept with a warning if its province exists.

    Examples
    --------
    >>> judged = regions(pl.Series(["440305", "4403", "440307999999", "990000"]), {"440305", "440300"})
    >>> judged.values.to_list(), judged.findings["code"].to_list()
    (['440305', '440300', '440307', None], ['JQ-DATA-018', 'JQ-DATA-017'])
    """
    good = cells.is_in(list(known))

    def judge(text: str) -> Told:
        digits = _plain(text)
        if digits.isascii() and digits.isdigit() and len(digits) in {2, 4, 6, 9, 12}:
            digits = digits[:_REGION_DIGITS].ljust(_REGION_DIGITS, "0")
            if digits in known:
                return digits, None, ""
            if digits[:2] in _PROVINCES:
                return digits, "JQ-DATA-018", digits
        return None, "JQ-DATA-017", ""

    return settle(cells.set(~good, None), cells, cells.is_not_null() & ~good, _each(judge))


def country_codes(cells: pl.Series) -> Judged:
    """Countries and regions 国家或地区 as ISO 3166-1 alpha-2, also from names in Chinese and English.

    Examples
    --------
    >>> country_codes(pl.Series(["CN", "usa", "中国台湾", "Korea", "Narnia"])).values.to_list()
    ['CN', 'US', 'TW', 'KR', None]
    """
    good = cells.is_in(countries()["iso2"].to_list())

    def rule(texts: pl.Series) -> pl.DataFrame:
        keyed = pl.DataFrame({"text": texts}).with_columns(key=key(pl.col("text")))
        named = keyed.join(country_keys(), on="key", how="left")
        missing = pl.col("country").is_null() & ~pl.col("text").str.to_lowercase().is_in(list(MARKERS))
        code = pl.when(missing).then(pl.lit("JQ-DATA-019"))
        return named.select("text", value="country", code=code, detail=pl.lit(""))

    return settle(cells.set(~good, None), cells, cells.is_not_null() & ~good, rule)
