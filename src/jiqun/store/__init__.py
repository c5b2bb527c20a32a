"""The workspace 工作区: one folder that keeps tables as dated snapshots, and results by what they were made from.

Files are written once and never changed. `manifest.json` says which of them count; it is replaced as the
last step of every write, so that a crash leaves the state before it or after it and nothing between.
Readers take no lock. Nothing here knows what a table or a result means.
"""

from jiqun.store.archive import backup, restore
from jiqun.store.results import JSON, StoredResult
from jiqun.store.snapshots import Snapshot, SnapshotWriter
from jiqun.store.workspace import Damage, Workspace

__all__ = ["JSON", "Damage", "Snapshot", "SnapshotWriter", "StoredResult", "Workspace", "backup", "restore"]
