"""Spelling and distance: what the gazetteer and the placing share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

EARTH_KM = 6371.0088

_LETTERS = {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i", "ð": "d", "þ": "th"}


def table(name: str) -> pl.DataFrame:
    """One of our own small tables in `data/`; empty cells are null."""
    return pl.read_csv(files("jiqun.intake").joinpath("data", f"{name}.csv").read_bytes(), infer_schema=False)


def fold(text: pl.Expr) -> pl.Expr:
    """Text without case and accents: 'Zürich' → 'zurich', 'Łódź' → 'lodz'."""
    plain = text.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    return plain.str.replace_many(list(_LETTERS), list(_LETTERS.values()))


def key(text: pl.Expr) -> pl.Expr:
    """What two spellings of one name share: letters and digits only, without case and accents.

    Examples
    --------
    >>> pl.select(key(pl.lit("Xi'an"))).item(), pl.select(key(pl.lit("São Paulo"))).item()
    ('xian', 'saopaulo')
    """
    return fold(text).str.replace_all(r"[^\p{L}\p{N}]", "")


def unit_vectors(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float64]:
    """Points on the unit sphere, one row each."""
    x, y = np.radians(np.asarray(lon, dtype=np.float64)), np.radians(np.asarray(lat, dtype=np.float64))
    return np.column_stack((np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)))


def chord(km: float) -> float:
    """Length of the straight line through the unit sphere under an arc of `km`."""
    return 2.0 * float(np.sin(min(km / EARTH_KM, np.pi) / 2.0))


def arc_km(straight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The arc over a straight line through the unit sphere; the inverse of `chord`."""
    return 2.0 * EARTH_KM * np.arcsin(np.clip(straight / 2.0, 0.0, 1.0))


def distance_km(lon1: pl.Expr, lat1: pl.Expr, lon2: pl.Expr, lat2: pl.Expr) -> pl.Expr:
    """Great-circle distance in km (haversine), R = 6371.0088 km; null where any coordinate is."""
    dy, dx = (lat2 - lat1).radians() / 2, (lon2 - lon1).radians() / 2
    h = dy.sin() ** 2 + lat1.radians().cos() * lat2.radians().cos() * dx.sin() ** 2
    return 2 * EARTH_KM * h.clip(0, 1).sqrt().arcsin()


@cache
def address_words() -> dict[str, list[str]]:
    """Words that say what a name in an address is, by role: `street_after` (road), `place_after` (city) and so on.

    `short` and `full` are parallel: abbreviations and what they stand for.
    """
    words = table("address_words")
    roles = {role: words.filter(pl.col("role") == role)["word"].to_list() for role in words["role"].unique()}
    return roles | {"full": words.filter(pl.col("role") == "short")["full"].to_list()}


@cache
def countries() -> pl.DataFrame:
    """ISO 3166-1 codes with names: iso2, name_en, name_zh, aliases (list)."""
    return table("countries").with_columns(pl.col("aliases").str.split(";"))


@cache
def country_keys() -> pl.DataFrame:
    """Every way of writing a country: key → country (code). Codes themselves are among them."""
    spelled = countries().select(
        pl.col("iso2").alias("country"),
        pl.concat_list("iso2", "name_en", "name_zh", pl.col("aliases").fill_null(pl.lit([], pl.List(pl.String)))).alias(
            "key"
        ),
    )
    return (
        spelled.explode("key").with_columns(key(pl.col("key"))).filter(pl.col("key") != "").unique("key", keep="first")
    )
