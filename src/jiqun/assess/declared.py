"""Everything that the room offers to the doors 评估对外: its operations and its jobs."""

from jiqun.assess import (
    belts_room,
    benchmark_room,
    commands,
    diagnosis_room,
    given_room,
    green_room,
    operations,
    parks_room,
    stage_desk,
    unit_edits,
)
from jiqun.assess.room import ROOM
from jiqun.store.jobs import Handler

HANDLERS: dict[str, Handler] = {
    **commands.HANDLERS,
    **parks_room.HANDLERS,
    **belts_room.HANDLERS,
    **diagnosis_room.HANDLERS,
    **stage_desk.HANDLERS,
    **unit_edits.HANDLERS,
}
"""What the room's workers do, by the kind of job."""

__all__ = [
    "HANDLERS",
    "ROOM",
    "belts_room",
    "benchmark_room",
    "commands",
    "diagnosis_room",
    "given_room",
    "green_room",
    "operations",
    "parks_room",
]
