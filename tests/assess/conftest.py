"""Lets the assess tests import each other; a small workspace that is made once and copied."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def made_workspace(tmp_path_factory, places):
    """A workspace with four clusters; copied, never written to."""
    from assess_workspace import make  # noqa: PLC0415  # only where a test asks for it

    made = make(tmp_path_factory.mktemp("assess") / "ws", places)
    made.close()
    return made.path


@pytest.fixture
def workspace(made_workspace, tmp_path):
    """A workspace of the test's own."""
    from jiqun.store import Workspace  # noqa: PLC0415  # only where a test asks for it

    shutil.copytree(made_workspace, tmp_path / "workspace", symlinks=True)
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    opened.close()
