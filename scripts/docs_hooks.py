"""MkDocs hooks: the order of the site, and one reference page per module, made from its docstrings.

A new page needs only its file, a new room nothing at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "jiqun"
DOCS = ROOT / "docs"
PRIVATE = ("cli",)  # documented by its commands


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay the site out by folder."""
    config.nav = [
        "index.md",
        {"Guide": ["guide/quickstart.md", *_pages("guide", but="quickstart.md")]},
        {"Methods": _pages("methods")},
        {
            "Reference": [
                "cli.md",
                "tables.md",
                "messages.md",
                {"Python": [f"reference/{room}.md" for room in _rooms()]},
            ]
        },
        {"Decisions": ["decisions/index.md", *_pages("decisions", but="index.md")]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the reference pages, which exist only while the site is built."""
    for room, modules in _rooms().items():
        blocks = [f"::: {name}\n    options:\n      show_root_heading: true\n" for name in modules]
        text = f"# jiqun.{room}\n\n::: jiqun.{room}\n    options:\n      show_root_toc_entry: false\n\n" + "\n".join(
            blocks
        )
        files.append(File.generated(config, f"reference/{room}.md", content=text))
    return files


def _pages(folder: str, *, but: str = "") -> list[str]:
    return [f"{folder}/{page.name}" for page in sorted((DOCS / folder).glob("*.md")) if page.name != but]


def _rooms() -> dict[str, list[str]]:
    rooms = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    return {room: _modules(PACKAGE / room) for room in rooms if room not in PRIVATE}


def _modules(room: Path) -> list[str]:
    return [f"jiqun.{room.name}.{path.stem}" for path in sorted(room.glob("*.py")) if not path.stem.startswith("_")]
