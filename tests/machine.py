"""What a test asks of the machine it runs on."""

from __future__ import annotations

import os

import pytest


def require(what: str, found: object, missing: str) -> None:
    """Skip, or fail where JIQUN_REQUIRE names `what`, unless it was found."""
    if found:
        return
    if what in os.environ.get("JIQUN_REQUIRE", "").replace(" ", "").split(","):
        pytest.fail(f"JIQUN_REQUIRE names {what}, but {missing}", pytrace=False)
    pytest.skip(missing)
