"""`kill -9` while accounts are made: what was acknowledged is there, and a retry makes no second one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from jiqun.store import Workspace
from jiqun.store.database import table

MAKE = """
import sys
from argon2 import PasswordHasher
from jiqun.accounts import desk, passwords
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace

passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
workspace = Workspace.open(sys.argv[1])
for number in range(40):
    more = {"role": "analyst", "password": "correct horse battery", "key": f"the-key-{number}"}
    made = desk.add(LOCAL, workspace, login=f"account-{number}", name="A", **more)
    print(number, made.id, flush=True)
workspace.close()
"""


@pytest.mark.parametrize("killed_after", [1, 7, 23])
def test_no_account_is_lost_or_made_twice(tmp_path: Path, killed_after):
    folder = tmp_path / "ws"
    Workspace.init(folder).close()
    told: dict[str, str] = {}
    with subprocess.Popen([sys.executable, "-c", MAKE, folder], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            number, account = line.split()
            told[number] = account
            if len(told) == killed_after:
                child.send_signal(signal.SIGKILL)
                break
    again = subprocess.run([sys.executable, "-c", MAKE, folder], capture_output=True, text=True, check=True)
    made = dict(line.split() for line in again.stdout.splitlines())
    assert made.items() >= told.items()
    workspace = Workspace.open(folder)
    people = table("accounts")
    with workspace.database.read() as connection:
        ids = connection.execute(select(people.c.id)).scalars().all()
    workspace.close()
    assert sorted(ids) == sorted(made.values())
    assert len(ids) == 40
