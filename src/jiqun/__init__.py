"""jiqun 集群: see, assess and serve digital industry clusters.

>>> import jiqun
>>> labels, core = jiqun.atlas.dbscan([116.30, 116.31], [39.98, 39.98], eps_km=2, min_weight=2)
>>> labels.tolist()
[0, 0]
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jiqun.store import Workspace

__version__ = "0.3.0"
ROOMS = ("taxonomy", "store", "intake", "report", "atlas", "assess", "demo")


def open(path: Path | str) -> Workspace:  # noqa: A001  # jiqun.open reads as what it does
    """Open a workspace 打开工作区; `jiqun init DIR` or `jiqun.store.Workspace.init` makes one.

    Raises
    ------
    WorkspaceError
        JQ-STORE-…: the folder is not a workspace, or is damaged.
    """
    return import_module("jiqun.store").Workspace.open(path)  # type: ignore[no-any-return]


def __getattr__(name: str) -> Any:
    """Rooms are imported when first named, so that `import jiqun` stays quick."""
    if name in ROOMS:
        return import_module(f"jiqun.{name}")
    raise AttributeError(f"module 'jiqun' has no attribute '{name}'")
