"""Where a result comes from 数据沿袭: method, version, parameters, inputs. Its digest is the result's name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Source:
    """One input: its table or file name, content digest (sha256) and the date it speaks of."""

    name: str
    digest: str
    as_of: str = ""


@dataclass(frozen=True)
class Lineage:
    """Method, its version, every parameter, every input. Equal lineage means equal result.

    Examples
    --------
    >>> a = Lineage("atlas.find_clusters", "1", {"eps_km": 20.0}, (Source("organisations", "ab12"),))
    >>> a.digest == Lineage("atlas.find_clusters", "1", {"eps_km": 20.0}, (Source("organisations", "ab12"),)).digest
    True
    """

    method: str
    version: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Source, ...] = ()

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical JSON of all fields, in hex."""
        return hashlib.sha256(canonical_json(asdict(self))).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
