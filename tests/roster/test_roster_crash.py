"""A process that is killed while it merges leaves the table of before or of after, and the next one completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from roster_samples import organisations

from jiqun.core.actor import LOCAL
from jiqun.roster import desk
from jiqun.roster.derive import derive

SCRIPT = Path(__file__).with_name("derive_and_die.py")


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_killed_while_merging(workspace, matched, step):
    before = organisations(workspace)
    desk.apply(LOCAL, workspace, matched.id, key="apply")
    workspace.close()
    done = subprocess.run([sys.executable, SCRIPT, workspace.path, str(step)], check=False)
    assert done.returncode in {-signal.SIGKILL, 0}
    left = organisations(workspace)
    whole = left.height == before.height + 4
    assert whole or left.equals(before)
    assert not workspace.verify()
    derive(workspace)
    assert organisations(workspace).height == before.height + 4
    assert organisations(workspace)["id"].n_unique() == before.height + 4
    if step == 1:
        assert done.returncode == -signal.SIGKILL
        assert not whole
