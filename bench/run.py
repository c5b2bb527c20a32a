"""Runs the `bench_*.py` beside this file, each in its own process so that their memory does not mix.

`python bench/run.py dbscan demo` runs those whose names hold one of the words.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Run what was asked for; the exit status is that of the last one that failed."""
    status = 0
    for script in sorted(Path(__file__).parent.glob("bench_*.py")):
        if words and not any(word in script.stem for word in words):
            continue
        print(f"== {script.stem.removeprefix('bench_')}", flush=True)
        status = subprocess.run([sys.executable, script], check=False).returncode or status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
