"""What the tests of accounts share: a clock that is moved by hand, a small register, accounts made the short way."""

from datetime import UTC, datetime, timedelta

import polars as pl

from jiqun.accounts import desk
from jiqun.core.actor import LOCAL
from jiqun.store.database import new_key

GOOD = "correct horse battery"
USCC = "91110108MA01ABCD2H"
"""Made up, with the right check digit."""


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = datetime(2025, 7, 1, 8, tzinfo=UTC)

    def __call__(self):
        return self.now

    def move(self, **by):
        self.now += timedelta(**by)


def register(workspace, rows):
    schema = {"id": pl.String, "name": pl.String, "uscc": pl.String, "employees": pl.Int64}
    with workspace.new_snapshot("organisations", as_of="2025-06-30", source="firms.csv") as writer:
        writer.write(pl.DataFrame(rows, schema=schema, orient="row"))


def account(workspace, role="member", organisation=None, login=None, password=GOOD):
    """A new account, made the short way."""
    login = login or f"{role}-{new_key()[:8]}"
    return desk.add(
        LOCAL,
        workspace,
        login=login,
        name=login,
        role=role,
        organisation=organisation,
        password=password,
        key=new_key(),
    )
