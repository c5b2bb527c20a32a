"""The console on the demo: time to answer at a held rate, first paint in a browser, weight of each page.

Requests leave at fixed times whether or not earlier ones have been answered, and waiting counts from the time a request
was due, so that a stall is not hidden. The peer in the same run is the style sheet, which costs the server next to nothing.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from jiqun.accounts import people, sessions
from jiqun.demo import scenario
from jiqun.store import Workspace
from jiqun.web.visitor import SESSION

RATE = 50.0
SECONDS = 60.0
LIMIT = 0.150
PAGES = ("/", "/map", "/map?view=china", "/clusters", "/regions", "/search?q=san", "/data", "/method")


def main() -> None:
    """Print what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "demo"
        scenario.build(workspace)
        cookie = _signed_in(workspace)
        port = _free_port()
        command = [
            Path(sys.executable).parent / "jiqun",
            "serve",
            "--workspace",
            workspace,
            "--port",
            str(port),
            "--no-work",
        ]
        server = subprocess.Popen(
            command, env={**os.environ, "JIQUN_PUBLIC": "true"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            base = f"http://127.0.0.1:{port}"
            _wait(base)
            listing = _get(f"{base}/clusters").decode()
            ids = sorted(set(re.findall(r"/clusters/(c\d{4})", listing)))[:40]
            style = re.findall(r'href="(/static/[^"]+\.css)"', listing)[0]
            for path in (*PAGES, f"/clusters/{ids[0]}"):
                body = _get(base + path)
                print(f"{path:20} {len(body) / 1000:6.1f} kB, {len(gzip.compress(body)) / 1000:5.1f} kB gzip")
            first = [_seconds(f"{base}/clusters/{c}") for c in ids]
            print(f"first opening of {len(ids)} clusters: median {np.median(first):.3f} s, longest {max(first):.3f} s")
            peer = _held(port, "style sheet", [style])
            pages = [f"/clusters/{c}" for c in ids]
            for name, who in (
                ("cluster pages, signed out", ""),
                ("cluster pages, signed in, none opened before", cookie),
                ("cluster pages, signed in", cookie),
            ):
                ratio = _held(port, name, pages, who) / peer
                print(f"  p99 is {ratio:.1f} × that of the style sheet")
            _paint(base)
        finally:
            server.terminate()
            server.wait(20)


def _signed_in(workspace: Path) -> str:
    """A session of the operator, as a browser sends it."""
    opened = Workspace.open(workspace)
    people.first_operator(opened)
    secret = sessions.open_session(opened, people.find(opened, people.FIRST).id).secret
    opened.close()
    return f"{SESSION}={secret}"


def _held(port: int, name: str, paths: list[str], cookie: str = "") -> float:
    """Hold the rate, say what came of it, and return the 99th percentile in seconds."""
    waits, seconds = asyncio.run(_load(port, paths, cookie))
    p50, p99, most = np.percentile(waits, [50, 99, 100]) * 1000
    print(
        f"{name}: {len(waits):,} requests, {len(waits) / seconds:.1f}/s held, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: p50 "
        f"{p50:.0f} ms, p99 {p99:.0f} ms, longest {most:.0f} ms, {np.mean(waits > LIMIT):.2%} over {LIMIT * 1000:.0f} ms",
        flush=True,
    )
    return float(p99) / 1000


async def _load(port: int, paths: list[str], cookie: str) -> tuple[np.ndarray, float]:
    """Seconds from when each request was due to the end of its answer, and how long the sending took."""
    started = time.perf_counter() + 0.5
    count = int(RATE * SECONDS)
    tasks = []
    for number in range(count):
        due = started + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(_request(port, paths[number % len(paths)], due, cookie)))
    waits = np.array(await asyncio.gather(*tasks))
    return waits, time.perf_counter() - started


async def _request(port: int, path: str, due: float, cookie: str) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept-Encoding: gzip", "Connection: close"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    lines += ["", ""]
    writer.write("\r\n".join(lines).encode())
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"{path}: {answer[:60]!r}")
    return time.perf_counter() - due


def _paint(base: str) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        print("first paint: not measured, Chromium is absent")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only where there is a browser

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        times = []
        for _ in range(5):
            # what waits for the paint is a string of script, which the page's own policy would refuse
            tab = chromium.new_page(viewport={"width": 1366, "height": 800}, bypass_csp=True)
            tab.goto(base)
            painted = "performance.getEntriesByName('first-contentful-paint')[0]"
            tab.wait_for_function(painted)
            times.append(tab.evaluate(f"{painted}.startTime"))
            tab.close()
        chromium.close()
    print(f"first paint of the home page: {np.median(times):.0f} ms (median of {len(times)}, each in a new tab)")


def _wait(base: str) -> None:
    for _ in range(300):
        try:
            _get(f"{base}/")
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the console did not start within 60 s")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
    return content


def _seconds(url: str) -> float:
    began = time.perf_counter()
    _get(url)
    return time.perf_counter() - began


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
