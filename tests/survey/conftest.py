from pathlib import Path

import pytest
from argon2 import PasswordHasher
from survey_nursery import Hands, register

from jiqun.accounts import desk, passwords
from jiqun.store import Workspace


@pytest.fixture(autouse=True)
def quick_digests(monkeypatch):
    """The cheapest argon2: what is tested is not how long a digest takes."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def workspace(tmp_path: Path, clock, monkeypatch):
    monkeypatch.setenv("JIQUN_URL", "https://jiqun.example.org")
    monkeypatch.setenv("JIQUN_SMTP_HOST", "mail.example.org")
    monkeypatch.setenv("JIQUN_MAIL_FROM", "jiqun@example.org")
    made = Workspace.init(tmp_path / "ws", clock=clock)
    register(made)
    yield made
    desk.flush(made)
    made.close()
