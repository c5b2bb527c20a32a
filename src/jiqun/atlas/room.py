"""The atlas as a room 图谱室: the operations that other modules of this folder declare gather here."""

from __future__ import annotations

from jiqun.core.document import Text
from jiqun.core.operation import Room

ROOM = Room("atlas", Text("图谱", "Atlas"))
