"""Everything that the room offers to the doors 评估对外: its operations and its jobs."""

from jiqun.assess import commands, operations
from jiqun.assess.room import ROOM
from jiqun.store.jobs import Handler

HANDLERS: dict[str, Handler] = {**commands.HANDLERS}
"""What the room's workers do, by the kind of job."""

__all__ = ["HANDLERS", "ROOM", "commands", "operations"]
from jiqun.assess import belts_room, benchmark_room, parks_room
from jiqun.assess.room import ROOM
from jiqun.store.jobs import Handler

HANDLERS: dict[str, Handler] = {
    **parks_room.HANDLERS,
    **belts_room.HANDLERS,
}
"""What the room's workers do, by the kind of job."""

__all__ = ["HANDLERS", "ROOM", "belts_room", "benchmark_room", "parks_room"]
