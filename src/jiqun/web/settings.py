"""Settings of the console 控制台设置, read from the workspace's once when it starts."""

from __future__ import annotations

from dataclasses import dataclass

from jiqun.store import Workspace


@dataclass(frozen=True)
class WebSettings:
    """What the console needs to know before the first request.

    `hosts` are the names under which it may be called; addresses and localhost always are.
    """

    public: bool = False
    hosts: tuple[str, ...] = ()
    upload_bytes: int = 200_000_000
    requests_per_second: float = 100.0

    @classmethod
    def of(cls, workspace: Workspace) -> WebSettings:
        """The settings of a workspace."""
        written = {name: resolved.value for name, resolved in workspace.settings.items()}
        return cls(
            public=bool(written["public"]),
            hosts=tuple(str(written["hosts"]).lower().replace(",", " ").split()),
            upload_bytes=int(float(written["upload_mb"]) * 1e6),
            requests_per_second=max(float(written["requests_per_second"]), 0.1),
        )
