"""Everything that the atlas offers to the doors 图谱对外: its operations, its jobs, what the search finds of it."""

from jiqun.atlas import chain_room, changes, core_desk, firms, lookup, map, measuring, network_room, operations, work  # noqa: A004  # a module of the atlas
from jiqun.atlas.entries import ENTRIES
from jiqun.atlas.room import ROOM
from jiqun.store.jobs import Handler

HANDLERS: dict[str, Handler] = {
    **work.HANDLERS,
    **changes.HANDLERS,
    **measuring.HANDLERS,
    **chain_room.HANDLERS,
    **core_desk.HANDLERS,
    **network_room.HANDLERS,
}
"""What the atlas's workers do, by the kind of job."""

__all__ = [
    "ENTRIES",
    "HANDLERS",
    "ROOM",
    "chain_room",
    "core_desk",
    "firms",
    "lookup",
    "map",
    "measuring",
    "network_room",
    "operations",
]
