"""Turns: one page at a time, in order; nobody waits for what is slow, for what writes, or for a slow line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jiqun.web import turns
from jiqun.web.turns import Turns


class Pages:
    """An app whose requests end when they are told to; it notes who began and how many were at work."""

    def __init__(self, *, begin_early: bool = False) -> None:
        self.began: list[str] = []
        self.open: dict[str, asyncio.Event] = {}
        self.begin_early = begin_early

    async def __call__(self, scope, receive, send) -> None:
        name = scope["path"]
        self.began.append(name)
        if self.begin_early:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.open.setdefault(name, asyncio.Event()).wait()
        if name == "/breaks":
            raise RuntimeError
        if not self.begin_early:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def ask(self, app: Turns, path: str, method: str = "GET") -> asyncio.Task[None]:
        async def send(_) -> None:
            pass

        self.open.setdefault(path, asyncio.Event())
        return asyncio.create_task(app({"type": "http", "method": method, "path": path}, None, send))


def play(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a thread of its own: a browser that other tests left open keeps an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(run())).result()


async def _pause(seconds: float = 0.0) -> None:
    for _ in range(10):
        await asyncio.sleep(seconds / 10)


@pytest.fixture(autouse=True)
def patient(monkeypatch) -> None:
    monkeypatch.setattr(turns, "MOMENT", 60.0)
    monkeypatch.setattr(turns, "AT_ONCE", 1)


def test_several_at_once(monkeypatch):
    monkeypatch.setattr(turns, "AT_ONCE", 2)

    async def run() -> None:
        pages = Pages()
        app = Turns(pages)
        tasks = [pages.ask(app, f"/{number}") for number in range(4)]
        await _pause()
        assert pages.began == ["/0", "/1"]
        pages.open["/1"].set()
        await _pause()
        assert pages.began == ["/0", "/1", "/2"]
        for event in pages.open.values():
            event.set()
        await asyncio.gather(*tasks)

    play(run)


def test_pages_are_made_one_at_a_time_in_order_of_arrival():
    async def run() -> None:
        pages = Pages()
        app = Turns(pages)
        names = [f"/{number}" for number in range(20)]
        tasks = [pages.ask(app, name) for name in names]
        for number, name in enumerate(names):
            await _pause()
            assert pages.began == names[: number + 1]
            pages.open[name].set()
        await asyncio.gather(*tasks)

    play(run)


def test_what_breaks_or_is_given_up_ends_its_turn():
    async def run() -> None:
        pages = Pages()
        app = Turns(pages)
        first, given_up, waiting, last = (pages.ask(app, f"/{n}") for n in ("breaks", "held", "waiting", "last"))
        await _pause()
        waiting.cancel()
        pages.open["/breaks"].set()
        with pytest.raises(RuntimeError):
            await first
        await _pause()
        assert pages.began == ["/breaks", "/held"]
        given_up.cancel()
        await _pause()
        assert pages.began == ["/breaks", "/held", "/last"]
        pages.open["/last"].set()
        await last

    play(run)


def test_what_takes_longer_than_a_moment_no_longer_keeps_others_waiting(monkeypatch):
    monkeypatch.setattr(turns, "MOMENT", 0.01)

    async def run() -> None:
        pages = Pages()
        app = Turns(pages)
        slow, quick = pages.ask(app, "/slow"), pages.ask(app, "/quick")
        pages.open["/quick"].set()
        await asyncio.wait_for(quick, 30)
        assert not slow.done()
        pages.open["/slow"].set()
        await slow
        await asyncio.wait_for(pages.ask(app, "/quick"), 30)  # a turn is given back once

    play(run)


def test_a_turn_ends_when_the_answer_begins():
    async def run() -> None:
        pages = Pages(begin_early=True)
        app = Turns(pages)
        tasks = [pages.ask(app, f"/{n}") for n in range(3)]
        await _pause()
        assert pages.began == ["/0", "/1", "/2"]
        for event in pages.open.values():
            event.set()
        await asyncio.gather(*tasks)

    play(run)


@pytest.mark.parametrize(("method", "path"), [("POST", "/form"), ("DELETE", "/form"), ("GET", "/static/style.css")])
def test_what_writes_and_static_files_have_no_turn(method, path):
    async def run() -> None:
        pages = Pages()
        app = Turns(pages)
        page = pages.ask(app, "/page")
        await _pause()
        other = pages.ask(app, path, method)
        pages.open[path].set()
        await asyncio.wait_for(other, 30)
        assert not page.done()
        pages.open["/page"].set()
        await page

    play(run)
