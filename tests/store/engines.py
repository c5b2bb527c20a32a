"""One abstract class per interface of the database; each engine subclasses it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jiqun.store.database import Database


class Engines:
    """What a test of the database needs, whichever engine is under it."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def opened(self, url: str, clock) -> Iterator[Callable[[], Database]]:
        """Open the database, as often as asked; closed at the end."""
        made: list[Database] = []

        def open_() -> Database:
            made.append(Database(url, clock=clock))
            return made[-1]

        yield open_
        for database in made:
            database.close()

    @pytest.fixture
    def database(self, opened) -> Database:
        return opened()


class OnSqlite(Engines):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/jiqun.db"


class OnPostgres(Engines):
    @pytest.fixture
    def url(self, postgres_database: str) -> str:
        return postgres_database


def together(count: int, do: Callable[[int], Any]) -> list[Any]:
    """What comes of `do(0)`, `do(1)` … all at once; errors as values."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait()
        try:
            return do(number)
        except Exception as error:  # noqa: BLE001  # it is what the test asks about
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
