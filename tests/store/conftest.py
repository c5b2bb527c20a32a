from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from jiqun.store import Workspace


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in ("JIQUN_WORKSPACE", "JIQUN_LOCK_WAIT_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JIQUN_LANG", "en")


@pytest.fixture
def clock():
    """A clock that moves one second per look."""
    seconds = count()
    return lambda: datetime(2025, 7, 1, tzinfo=UTC) + timedelta(seconds=next(seconds))


@pytest.fixture
def workspace(tmp_path: Path, clock) -> Workspace:
    return Workspace.init(tmp_path / "ws", clock=clock)
