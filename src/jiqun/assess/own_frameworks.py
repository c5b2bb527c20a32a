"""The frameworks that a workspace has 指标体系清单: those that come with the program, and files of its own.

Of one code the file in the workspace's folder `frameworks` counts, else what comes with the program. What was computed with
a framework holds all of it, so that a file may change.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from jiqun.assess.framework import LARGEST_FILE, Framework, parse_framework, shipped, shipped_text
from jiqun.core.actor import Actor, Role
from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.store import Workspace
from jiqun.store.commands import Transaction

FOLDER = "frameworks"
EDITS: tuple[Role, ...] = ("operator", "analyst")
Origin = Literal["shipped", "file"]
SAVE = "assess.save_framework"
DROP = "assess.drop_framework"


@dataclass(frozen=True)
class KeptFramework:
    """A framework and where it comes from."""

    framework: Framework
    origin: Origin


def own_files(workspace: Workspace) -> tuple[dict[str, Framework], dict[str, JiqunError]]:
    """The frameworks of the workspace's folder by code, and what is wrong with the files that are none, by name 自有指标体系."""
    found: dict[str, Framework] = {}
    wrong: dict[str, JiqunError] = {}
    for path in sorted((workspace.path / FOLDER).glob("*.toml")):
        try:
            told = path.stat()
            framework = _read(path, told.st_mtime_ns, told.st_size)
        except OSError as error:
            wrong[path.name] = InputError("JQ-ASSESS-001", file=path.name, reason=error.strerror or error)
        except JiqunError as error:
            wrong[path.name] = error
        else:
            if framework.code in found:
                wrong[path.name] = InputError(
                    "JQ-ASSESS-003", file=path.name, place="code", value=framework.code, before=f"{framework.code}.toml"
                )
            found.setdefault(framework.code, framework)
    return found, wrong


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, _size: int) -> Framework:
    """A file by its time and size: a page asks for it often, and it seldom changes."""
    try:
        return parse_framework(path.read_text(encoding="utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        raise InputError("JQ-ASSESS-001", file=path.name, reason=error.reason) from error


def kept(workspace: Workspace) -> dict[str, KeptFramework]:
    """Every framework by code: the workspace's own first, then those that come with the program."""
    own = {code: KeptFramework(one, "file") for code, one in own_files(workspace)[0].items()}
    return own | {one.code: KeptFramework(one, "shipped") for one in shipped() if one.code not in own}


def find_framework(workspace: Workspace, code: str) -> KeptFramework:
    """One framework of a workspace.

    Raises
    ------
    UsageError
        JQ-ASSESS-061: there is none; names those there are.
    """
    known = kept(workspace)
    if code not in known:
        raise UsageError("JQ-ASSESS-061", value=code[:60], known=", ".join(known))
    return known[code]


def text_of(workspace: Workspace, code: str) -> str:
    """The TOML that a framework is read from, to write one's own from.

    Raises
    ------
    UsageError
        JQ-ASSESS-061: there is none.
    """
    one = find_framework(workspace, code)
    if one.origin == "shipped":
        return shipped_text(code)
    paths = sorted((workspace.path / FOLDER).glob("*.toml"))
    texts = (path.read_text(encoding="utf-8-sig") for path in paths if _code_of(path) == code)
    return next(texts)


def save(actor: Actor, workspace: Workspace, text: str, *, key: str) -> KeptFramework:
    """Keep a framework, in TOML, in the workspace's folder 保存指标体系; it replaces the file of the same code.

    Raises
    ------
    InputError
        As `parse_framework`: it cannot be one. JQ-FILE-022: the file cannot be written.
    """
    actor.require(SAVE, *EDITS)
    if len(text) > LARGEST_FILE:
        raise InputError("JQ-ASSESS-001", file="framework.toml", reason=f"{len(text)} > {LARGEST_FILE}")
    framework = parse_framework(text)
    path = _path(workspace, framework.code)

    def write(_tx: Transaction) -> Any:
        try:
            path.parent.mkdir(exist_ok=True)
            beside = path.with_suffix(".part")
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, path)  # noqa: PTH105  # whole or not at all
        except OSError as error:
            raise InputError("JQ-FILE-022", file=path, reason=error.strerror or error) from error
        return {"code": framework.code}

    told = {"code": framework.code, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    workspace.database.command(actor, key, SAVE, write, request=told, subject=framework.code)
    return KeptFramework(framework, "file")


def drop(actor: Actor, workspace: Workspace, code: str, *, key: str) -> None:
    """Take the workspace's own framework away 移除自有指标体系: what comes with the program counts again; results stay.

    Raises
    ------
    UsageError
        JQ-ASSESS-061: there is no such framework; JQ-ASSESS-062: it is not one of the workspace's own.
    """
    actor.require(DROP, *EDITS)

    def take(_tx: Transaction) -> Any:
        if find_framework(workspace, code).origin != "file":
            raise UsageError("JQ-ASSESS-062", value=code)
        path = _path(workspace, code)
        path.unlink(missing_ok=True)
        return {"code": code}

    workspace.database.command(actor, key, DROP, take, request={"code": code}, subject=code)


def _path(workspace: Workspace, code: str) -> Path:
    """The file that holds a code already, else the one named after it."""
    for path in sorted((workspace.path / FOLDER).glob("*.toml")):
        if _code_of(path) == code:
            return path
    return workspace.path / FOLDER / f"{code}.toml"


def _code_of(path: Path) -> str | None:
    try:
        told = path.stat()
        return _read(path, told.st_mtime_ns, told.st_size).code
    except (OSError, JiqunError):
        return None
