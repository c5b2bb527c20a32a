"""The IEEE registry of network-device makers 网络设备制造商登记库 as a table of organisations.

Anyone who makes a device with an Ethernet or Wi-Fi address buys address blocks (MA-L, 24-bit prefixes) from the
IEEE and is listed with a postal address. The package `netaddr` ships that list: a real, world-wide registry of
firms, nearly all of them makers of digital products (division 01 数字产品制造业). It says nothing of staff or
revenue; the number of blocks held is the only measure of size, and a large maker holds hundreds.

Not makers, and left out: "Private" (the holder paid to be unnamed) and the IEEE Registration Authority itself,
which stands in for holders of smaller blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from importlib.resources import files

import polars as pl

from jiqun.core.lineage import Source
from jiqun.intake._geo import key
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.place import place

AS_OF = date(2024, 5, 28)
"""Release date of netaddr 1.3.0; the registry file in it carries no date of its own."""

DIVISION = "digital-2021:01"
"""Division of the registry as a whole (数字产品制造业). No firm was classified one by one."""

INDUSTRY = "网络设备制造 (IEEE MA-L)"

COLUMNS = ("name", "source_id", "country", "region", "city", "address", "industry", "size", "as_of")

LOCAL_KM = 10.0
"""A place told as exactly as this is a city, a town or a city state."""

ATTRIBUTION = "IEEE Registration Authority, MA-L public listing, as shipped in netaddr {version} ({as_of})"

_PRIVATE = "Private"
_PLACEHOLDER = "IEEE Registration Authority"
_RECORD = re.compile(r"^([0-9A-F]{6})     \(base 16\)\t\t(.*)\n", re.MULTILINE)
_OUTWARD = re.compile(r"[A-Z]{1,2}\d[A-Z\d]?")
_LEGAL_FORMS = (
    "co|company|corp|corporation|corporate|inc|incorporated|incorporation|ltd|ltda|limited|llc|llp|lp|plc|pty|pte|pvt|private|"
    "sdn|bhd|gmbh|mbh|ag|kg|kgaa|ug|ev|sa|sas|sasu|sarl|spa|srl|sl|slu|bv|nv|bvba|vof|ab|as|aps|oy|oyj|asa|kk|zrt|kft|"
    "doo|sro|spzoo|sp|zoo|ooo|zao|jsc|ojsc|cjsc|the"
)
"""Latin legal forms, without dots: words that two spellings of one firm may differ in."""


@dataclass(frozen=True)
class Counts:
    """What became of the registry's assignments 登记记录的去向; the last three add up to the first."""

    assignments: int
    private: int
    placeholder: int
    kept: int


def registry() -> pl.DataFrame:
    """Organisations of the registry 企业与机构, one row per organisation and place.

    Rows whose names differ only in case, punctuation or legal form, and whose country and city are written alike, are
    one; its most frequent spelling and address are shown.

    Returns
    -------
    Columns name, source_id (the lowest block), country, region, city, address, industry, size (blocks held), as_of;
    those of the table `organisations`. Null means that the registry does not say.

    Examples
    --------
    >>> registry().filter(pl.col("name").str.starts_with("Lely ")).select("name", "country", "size").rows()
    [('Lely Industries N.V.', 'NL', 1.0)]
    """
    return _keyed().select(COLUMNS)


def organisations(gazetteer: Gazetteer) -> pl.DataFrame:
    """Organisations of the registry 企业与机构, one row per organisation and place, as a table to load.

    The columns of `registry`, which see. Rows of one organisation that fall into one place are one, however its city is
    spelled. Points are left to the loading, which places by the same rules.
    """
    return placed(gazetteer).select(COLUMNS)


def placed(gazetteer: Gazetteer) -> pl.DataFrame:
    """As `organisations`, with what `jiqun.intake.place.place` adds, by falling size 落位的企业与机构.

    Where an address names no place, and the organisation has just one other place in that country, it is taken to be
    there: old records often lack the city that a newer one of the same maker has.
    """
    rows = place(_keyed(), gazetteer)
    firm = ["name_key", "country"]
    rows = rows.with_columns(local=(pl.col("precision_km") <= LOCAL_KM).fill_null(value=False))
    places = rows.filter("local").group_by(firm).agg(pl.col("place_id").unique())
    only = places.filter(pl.col("place_id").list.len() == 1).select(*firm, only=pl.col("place_id").list.first())
    rows = rows.join(only, on=firm, how="left", maintain_order="left").with_columns(
        where=pl.when("local").then("place_id").otherwise(pl.coalesce("only", "place_id", "source_id"))
    )
    # The row that names the place speaks for the others.
    rows = rows.sort("local", "size", "source_id", descending=[True, True, False])
    merged = rows.group_by(*firm, "where", maintain_order=True).agg(
        pl.exclude("size", "source_id", *firm, "where").first(), pl.col("source_id").min(), pl.col("size").sum()
    )
    added = [c for c in merged.columns if c not in {*COLUMNS, *firm, "where", "only", "local"}]
    return merged.sort("size", "source_id", descending=[True, False]).select(*COLUMNS, *added)


def counts() -> Counts:
    """How many assignments the registry holds and how many were left out, and why."""
    rows = assignments()
    private = rows.filter(pl.col("name") == _PRIVATE).height
    placeholder = rows.filter(pl.col("name") == _PLACEHOLDER).height
    return Counts(rows.height, private, placeholder, rows.height - private - placeholder)


def assignments() -> pl.DataFrame:
    """Every assignment as the registry gives it: prefix, name, address, city, region, postcode, country.

    The address has up to three lines: street; city, region and postcode; country. Null: the line or part is missing.
    """
    text = files("netaddr.eui").joinpath("oui.txt").read_text(encoding="utf-8")
    columns = ("prefix", "name", "address", "city", "region", "postcode", "country")
    rows = pl.DataFrame(list(_records(text)), schema=dict.fromkeys(columns, pl.String), orient="row")
    tidy = pl.all().str.replace_all(r"\s+", " ").str.strip_chars(" ,;-")
    rows = rows.with_columns(pl.when(tidy.str.contains(r"[\p{L}\p{N}]")).then(tidy).name.keep())
    return rows.with_columns(name=pl.col("name").fill_null(pl.lit(_PRIVATE)))


def source() -> Source:
    """What the registry is, for lineage: the package's version stands for its content."""
    name = ATTRIBUTION.format(version=version("netaddr"), as_of=AS_OF)
    return Source(name, f"netaddr=={version('netaddr')}:eui/oui.txt", AS_OF.isoformat())


def name_key(name: pl.Expr) -> pl.Expr:
    """Name without case, accents, punctuation and legal form: equal for spellings of one organisation.

    Examples
    --------
    >>> names = pl.DataFrame({"name": ["HUAWEI TECHNOLOGIES CO.,LTD", "Huawei Technologies Co., Ltd."]})
    >>> names.select(name_key(pl.col("name")))["name"].unique().to_list()
    ['huawei technologies']
    """
    plain = name.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    words = plain.str.replace_all(r"[./'’`]", "").str.replace_all(r"[^\p{L}\p{N}]+", " ")
    bare = words.str.replace_all(rf"\b(?:{_LEGAL_FORMS})\b", " ").str.replace_all(r" +", " ").str.strip_chars()
    return pl.when(bare.str.len_chars() > 1).then(bare).otherwise(words.str.strip_chars())


def _records(text: str) -> Iterator[tuple[str | None, ...]]:
    pieces = _RECORD.split(text)
    for prefix, name, body in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        lines = [line.strip("\t\r") for line in body.split("\n")]
        end = next((i for i, line in enumerate(lines) if "(hex)" in line), len(lines))
        while end and not lines[end - 1].strip():
            end -= 1
        yield (prefix, name, *_address(lines[:end]))


def _address(lines: list[str]) -> tuple[str | None, ...]:
    """Street, city, region, postcode, country of an address of up to three lines."""
    country = lines[-1] if lines and re.fullmatch("[A-Z]{2}", lines[-1]) else None
    if country:
        lines = lines[:-1]
    street = lines[0] if lines else None
    if len(lines) < 2:
        return street, None, None, None, country
    parts = lines[1].split("  ")
    if len(parts) != 3:
        parts = [part for part in re.split(r"\s{2,}", lines[1].strip()) if part]
        if len(parts) < 3:
            last = parts.pop() if len(parts) > 1 else ""
            parts = [*parts, "", last] if re.search(r"\d", last) else [*parts, last, ""]
    city, region, postcode = " ".join(parts[:-2]), parts[-2], parts[-1]
    if _OUTWARD.fullmatch(region.strip()):  # "CANADA  K2K  2E1": a postcode of two words, cut in two
        region, postcode = "", f"{region.strip()} {postcode.strip()}"
    return street, city, region, postcode, country


def _keyed() -> pl.DataFrame:
    rows = assignments().filter(~pl.col("name").is_in([_PRIVATE, _PLACEHOLDER]))
    numbered = pl.when(pl.col("postcode").str.contains(r"\d")).then("postcode")
    rows = rows.with_columns(
        address=pl.concat_str("address", numbered, separator=", ", ignore_nulls=True).replace("", None)
    )
    keyed = rows.with_columns(name_key=name_key(pl.col("name")), city_key=key(pl.col("city")))
    return (
        keyed.group_by("name_key", "country", "city_key", maintain_order=True)
        .agg(
            pl.col("prefix").min().alias("source_id"),
            *(pl.col(c).drop_nulls().mode().sort().first() for c in ("name", "region", "city", "address")),
            pl.len().cast(pl.Float64).alias("size"),
        )
        .with_columns(
            industry=pl.lit(INDUSTRY), as_of=pl.lit(AS_OF), nth=pl.int_range(1, pl.len() + 1).over("source_id")
        )
        # A few blocks were given out more than once.
        .with_columns(
            source_id=pl.when(pl.col("nth") > 1).then(pl.format("{}-{}", "source_id", "nth")).otherwise("source_id")
        )
        .drop("city_key", "nth")
    )
