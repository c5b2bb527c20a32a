"""The network on the command line: from a file of links to clusters, positions, types and a report."""

from __future__ import annotations

import itertools
import json

import pytest
from typer.testing import CliRunner

from jiqun.cli.app import assembled
from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.store import Workspace


@pytest.fixture
def ask(tmp_path, places):
    """Runs `jiqun atlas network …` in a workspace with two made-up teams."""
    folder = tmp_path / "ws"
    workspace = Workspace.init(folder)
    workspace.database.close()
    pairs = [(f"{team}{i}", f"{team}{j}") for team in "ab" for i, j in itertools.permutations(range(8), 2)]
    file = tmp_path / "links.csv"
    rows = [f"{source},{target},supply" for source, target in [*pairs, ("a0", "b0")]]
    file.write_text("\n".join(["source,target,kind", *rows]), encoding="utf-8")
    loaded = CliRunner().invoke(
        assembled("load"), ["load", str(file), "--as", "links", "--as-of", "2024-05-01", "-w", str(folder)]
    )
    assert loaded.exit_code == 0, loaded.output
    return lambda *words: CliRunner().invoke(
        assembled("atlas"), ["atlas", "network", *words, "--workspace", str(folder)]
    )


def test_from_links_to_a_report(ask, tmp_path):
    assert isinstance(ask("show").exception, WorkspaceError)
    done = ask("run", "--nulls", "19", "--weight", "supply=2", "--format", "json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["cluster_id"], row["members"], row["label"]) for row in rows] == [
        ("n0001", 8, "undecided"), ("n0002", 8, "undecided"),
    ]  # fmt: skip
    for part in ("clusters", "members", "positions", "kinds", "linkage", "sweep", "changes"):
        assert ask("show", part, "--format", "csv").exit_code == 0, part
    members = json.loads(ask("show", "members", "--cluster", "n0001", "--format", "json").stdout)
    assert len({row["name"][0] for row in members}) == 1
    assert "core_high" in ask("type", "--format", "csv").stdout
    assert ask("leaders", "n0001", "--format", "csv").stdout.startswith("rank,id,name")
    assert len(json.loads(ask("runs", "--format", "json").stdout)) == 1
    assert ask("export", "-o", str(tmp_path / "network.html")).exit_code == 0
    assert "n0001" in (tmp_path / "network.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [("run", "--kind", "gossip"), ("run", "--weight", "supply=much"), ("leaders", "n0042"), ("export", "-o", "x.exe")],
)
def test_wrong_use_is_refused(ask, words):
    ask("run", "--nulls", "19")
    assert isinstance(ask(*words).exception, UsageError)
