"""Everything that the room offers to the doors 评估对外: its operations and its jobs."""

from jiqun.assess import diagnosis_room, stage_desk
from jiqun.assess.room import ROOM
from jiqun.store.jobs import Handler

HANDLERS: dict[str, Handler] = {
    **diagnosis_room.HANDLERS,
    **stage_desk.HANDLERS,
}
"""What the room's workers do, by the kind of job."""

__all__ = ["HANDLERS", "ROOM", "diagnosis_room", "stage_desk"]
