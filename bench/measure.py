"""CPU seconds and peak memory of one call, each in a fresh process; made-up data, said to be so."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds of the call, peak resident memory of its process in MB, and what it returned."""

    cpu: float
    wall: float
    peak_mb: float
    answer: Any


def cost(call: Callable[..., Callable[[], Any]], *arguments: Any) -> Cost:
    """Prepare `call(*arguments)` in a process of its own, run what it returns once, and weigh that."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_weigh, (call, arguments))


def _weigh(call: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...]) -> Cost:
    run = call(*arguments)
    cpu, wall = time.process_time(), time.perf_counter()
    answer = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, answer)


def world(n: int, seed: int, cities: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Made-up firms: 80 % in cities of Zipf size and different width, 20 % anywhere."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([-180, -60], [180, 70], (cities, 2))
    size = 1 / np.arange(1, cities + 1)
    width = rng.uniform(0.03, 0.2, cities)
    city = rng.choice(cities, n, p=size / size.sum())
    lon, lat = (centres[city, k] + rng.normal(0, 1, n) * width[city] for k in (0, 1))
    anywhere = rng.random(n) < 0.2
    lon[anywhere] = rng.uniform(-180, 180, anywhere.sum())
    lat[anywhere] = rng.uniform(-80, 80, anywhere.sum())
    return (lon + 180) % 360 - 180, np.clip(lat, -90, 90)
