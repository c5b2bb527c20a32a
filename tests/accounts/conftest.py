from pathlib import Path

import pytest
from accounts_nursery import USCC, Hands, register
from argon2 import PasswordHasher

from jiqun.accounts import desk, passwords
from jiqun.store import Workspace


@pytest.fixture(autouse=True)
def quick_digests(monkeypatch):
    """The cheapest argon2: what is tested is when a digest is computed, not how long it takes."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._decoy.cache_clear()
    yield
    passwords._decoy.cache_clear()


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def url() -> str:
    """The database: that of the workspace, unless a module says otherwise."""
    return ""


@pytest.fixture
def workspace(tmp_path: Path, clock, url, monkeypatch):
    monkeypatch.setenv("JIQUN_DATABASE_URL", url)
    made = Workspace.init(tmp_path / "ws", clock=clock)
    register(made, [("o0000001", "一号公司", USCC, 10), ("o0000002", "二号公司", None, None)])
    yield made
    desk.flush(made)
    made.close()
