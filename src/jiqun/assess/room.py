"""The room's name 评估室, under which its operations are declared; `jiqun.assess.declared` has them all."""

from jiqun.core.document import Text
from jiqun.core.operation import Room

ROOM = Room("assess", Text("评估", "Assess"))
