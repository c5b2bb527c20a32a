"""Settings 设置: `jiqun.toml` in the workspace, overridden by `JIQUN_*` in the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from jiqun.core.errors import UsageError, current_language
from jiqun.store.files import told

NAME = "jiqun.toml"

Origin = Literal["default", "jiqun.toml", "environment"]
Value = str | float


@dataclass(frozen=True)
class Setting:
    """One setting 设置项. `read` takes what was written and raises ValueError unless it is as `expected`."""

    name: str
    environment: str
    default: Callable[[], Value]
    read: Callable[[object], Value]
    expected: str
    help_zh: str
    help_en: str
    in_file: bool = True


@dataclass(frozen=True)
class Resolved:
    """A setting's value and where it comes from."""

    setting: Setting
    value: Value
    origin: Origin


def _language(written: object) -> Value:
    text = str(written).lower()
    if text[:2] not in {"zh", "en"}:
        raise ValueError(written)
    return text[:2]


def _seconds(written: object) -> Value:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError(written)  # noqa: TRY004  # one kind of error for all that is not as expected
    value = float(written)
    if not (isfinite(value) and value >= 0):
        raise ValueError(written)
    return value


SETTINGS = (
    Setting(
        "workspace",
        "JIQUN_WORKSPACE",
        lambda: "",
        str,
        "a folder",
        "命令默认使用的工作区；未设置时取当前目录或其最近的、含 jiqun.toml 的上级目录",
        "workspace that commands use; if unset, the nearest folder upwards that holds jiqun.toml",
        in_file=False,
    ),
    Setting(
        "language",
        "JIQUN_LANG",
        current_language,
        _language,
        "zh / en",
        "提示信息的语言；默认随系统",
        "language of messages; by default the system's",
    ),
    Setting(
        "lock_wait_seconds",
        "JIQUN_LOCK_WAIT_SECONDS",
        lambda: 10.0,
        _seconds,
        ">= 0",
        "等待另一写入进程的秒数",
        "seconds to wait while another process writes",
    ),
)


def template() -> str:
    """The `jiqun.toml` of a new workspace: every setting as a comment with its default.

    Examples
    --------
    >>> "lock_wait_seconds = 10.0" in template()
    True
    """

    def lines() -> Iterator[str]:
        yield "# jiqun workspace 工作区"
        for setting in SETTINGS:
            if setting.in_file:
                default = setting.default()
                yield f"\n# {setting.help_en}\n# {setting.help_zh}"
                yield f"# {setting.name} = " + (f'"{default}"' if isinstance(default, str) else str(default))

    return "\n".join(lines()) + "\n"


def resolve(root: Path | None) -> dict[str, Resolved]:
    """Every setting by name; `root` is the workspace folder, or None for no workspace.

    Raises
    ------
    UsageError
        JQ-STORE-022: a value is not as expected; JQ-STORE-023: no such setting; JQ-STORE-024: not TOML.

    Examples
    --------
    >>> sorted(resolve(None))
    ['language', 'lock_wait_seconds', 'workspace']
    """
    written = _read(root / NAME) if root else {}
    return {setting.name: _resolve(setting, written, root) for setting in SETTINGS}


def _resolve(setting: Setting, written: dict[str, object], root: Path | None) -> Resolved:
    where: object = setting.environment
    found: object = os.environ.get(setting.environment) or None
    origin: Origin = "environment"
    if found is None and setting.name in written:
        where, found, origin = f"{root}/{NAME}: {setting.name}", written[setting.name], "jiqun.toml"
    if found is None:
        return Resolved(setting, setting.default(), "default")
    try:
        return Resolved(setting, setting.read(found), origin)
    except ValueError:
        raise UsageError("JQ-STORE-022", where=where, value=found, expected=setting.expected) from None


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    with told(path):
        content = path.read_bytes()
    try:
        written = tomllib.loads(content.decode())
    except ValueError as error:
        raise UsageError("JQ-STORE-024", path=path, reason=error) from error
    known = [setting.name for setting in SETTINGS if setting.in_file]
    for name in written:
        if name not in known:
            raise UsageError("JQ-STORE-023", path=path, value=name, known=", ".join(known))
    return written
