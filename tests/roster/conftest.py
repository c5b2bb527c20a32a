"""A small register and its roster, in a workspace of the test's own."""

from __future__ import annotations

import shutil

import pytest
from roster_samples import REGISTER, ROSTER, load

from jiqun.core.actor import LOCAL
from jiqun.intake.gazetteer import Gazetteer
from jiqun.roster import desk
from jiqun.roster.derive import derive
from jiqun.roster.names import Normaliser
from jiqun.store import Workspace


@pytest.fixture(scope="session")
def normaliser(places):
    """With the divisions of the gazetteer."""
    return Normaliser.of(Gazetteer.load(places))


@pytest.fixture(scope="session")
def register_folder(tmp_path_factory, places):
    """A workspace with the register in it. Copied, never written to."""
    folder = tmp_path_factory.mktemp("roster") / "workspace"
    workspace = Workspace.init(folder)
    shutil.copytree(places, workspace.cache, dirs_exist_ok=True)
    load(workspace, REGISTER, "2024-01-01")
    workspace.database.jobs.counts()
    workspace.close()
    return folder


@pytest.fixture
def workspace(register_folder, tmp_path):
    """A workspace of the test's own, with the register."""
    shutil.copytree(register_folder, tmp_path / "workspace", symlinks=True)
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def matched(workspace):
    """The roster, matched."""
    return desk.match(LOCAL, workspace, ROSTER, name="members", as_of="2025-01-01", key="first-match")


@pytest.fixture
def applied(workspace, matched):
    """The roster, merged."""
    desk.apply(LOCAL, workspace, matched.id, key="first-apply")
    derive(workspace)
    return matched
