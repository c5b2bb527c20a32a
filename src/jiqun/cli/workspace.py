"""Which workspace a command works on: shared by the rooms' commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from jiqun.core.errors import WorkspaceError
from jiqun.store import Workspace
from jiqun.store.config import resolve
from jiqun.store.workspace import find_workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        help="Workspace 工作区; default: JIQUN_WORKSPACE, else the nearest folder upwards that holds jiqun.toml.",
    ),
]


def workspace_path(given: Path | None) -> Path | None:
    """The workspace asked for, by option, environment or current folder; None if there is none."""
    if given is not None:
        return given
    default = str(resolve(None)["workspace"].value)
    return Path(default) if default else find_workspace(Path.cwd())


def open_workspace(given: Path | None) -> Workspace:
    """Open the workspace asked for; messages then follow its language unless `JIQUN_LANG` says otherwise.

    Raises
    ------
    WorkspaceError
        JQ-STORE-021: there is none; otherwise as `Workspace.open`.
    """
    path = workspace_path(given)
    if path is None:
        raise WorkspaceError("JQ-STORE-021", path=Path.cwd())
    workspace = Workspace.open(path)
    language = workspace.settings["language"]
    if language.origin == "jiqun.toml":
        os.environ["JIQUN_LANG"] = str(language.value)
    return workspace
