"""Derives the organisations of a workspace and is killed when it is about to flush or rename for the n-th time."""

import os
import signal
import sys

from jiqun.roster.derive import derive
from jiqun.store import Workspace


def die_at(step: int) -> None:
    left = [step]

    def counted(call):
        def wrapper(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return wrapper

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)


if __name__ == "__main__":
    opened = Workspace.open(sys.argv[1])
    opened.database.jobs.counts()
    die_at(int(sys.argv[2]))
    derive(opened)
