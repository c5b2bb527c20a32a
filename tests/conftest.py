"""What tests borrow from the machine. What is absent skips its tests and is named.

`JIQUN_REQUIRE=browser,java,fonts,data,pdf` turns the skips named there into failures.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from machine import require

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
MARKED = {"chromium": "browser", "spark": "spark"}

# Tests answer alike whoever runs them: English, a wide terminal, no workspace of one's own.
KEPT = {"JIQUN_REQUIRE", "JIQUN_SHARED", "JIQUN_FAULT_ROUNDS", "JIQUN_API_EXAMPLES", "JIQUN_TEST_ENGINE"}
for name in {name for name in os.environ if name.startswith("JIQUN_")} - KEPT:
    del os.environ[name]
os.environ |= {"LC_ALL": "C.UTF-8", "COLUMNS": "160"}

# The machine is shared: how long an example takes says nothing about the code.
settings.register_profile("jiqun", deadline=None, database=None, derandomize="CI" in os.environ)
settings.load_profile("jiqun")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the browser or Spark, so that no test can forget to."""
    for item in items:
        for fixture in MARKED.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKED[fixture])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; JIQUN_SHARED names the folder it lies in."""
    data = Path(os.environ.get("JIQUN_SHARED", ROOT.parent / "shared")) / "data"
    require("data", data.is_dir(), f"there is no {os.path.relpath(data, ROOT)} (JIQUN_SHARED may name its parent)")
    return data


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The system's Chromium, for `chromium --headless --no-sandbox …`."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    require("browser", found, "Chromium is absent; install the package chromium")
    return Path(str(found))


@pytest.fixture(scope="session")
def cjk_font() -> str:
    """The name of a font with Chinese characters."""
    query = ["fc-list", ":lang=zh-cn", "family"]
    names = subprocess.run(query, capture_output=True, text=True, check=True).stdout if shutil.which("fc-list") else ""
    require("fonts", names, "no Chinese font is known; install the packages fontconfig and fonts-noto-cjk")
    return names.splitlines()[0]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A quiet Spark on two cores. Frames go in and out through Arrow: this Spark does not know pandas 3."""
    require("java", shutil.which("java"), "Java is absent; install the package default-jre-headless (17 or later)")
    require("java", find_spec("pyspark"), "PySpark is absent; run make test-spark")
    sql = pytest.importorskip("pyspark.sql")
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    options = {
        "spark.driver.host": "127.0.0.1",
        "spark.log.level": "ERROR",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark")),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    session = sql.SparkSession.builder.master("local[2]").config(map=options).getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty PostgreSQL server of one's own, on a socket; a test makes its database in it."""
    found = [shutil.which(name) for name in ("initdb", "postgres")]
    require("postgres", all(found), "PostgreSQL is absent; install the package postgresql")
    require("postgres", find_spec("psycopg"), "its driver is absent; install psycopg[binary]")
    with TemporaryDirectory(prefix="jiqun-pg-") as folder:  # a socket's path must be short
        data = Path(folder, "data")
        run_as: dict[str, object] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            run_as = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
            shutil.chown(folder, "nobody")
        quiet = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.STDOUT,
            "env": {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        }
        init = [found[0], "-D", data, "-U", "jiqun", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(init, check=True, cwd=folder, **quiet, **run_as)
        options = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "max_connections": 100}
        settings_ = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        server = subprocess.Popen([found[1], "-D", data, *settings_], cwd=folder, **quiet, **run_as)
        try:
            url = f"postgresql://jiqun@/postgres?host={folder}"
            _wait_for_postgres(url, server)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # fast: ends what is connected
            server.wait(30)


def _wait_for_postgres(url: str, server: subprocess.Popen[bytes]) -> None:
    psycopg = pytest.importorskip("psycopg")
    for _ in range(300):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL did not start"
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL did not start in 30 s")


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """The URL of an empty database of one's own."""
    psycopg = pytest.importorskip("psycopg")
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def places() -> Path:
    """A cache folder with the gazetteer in it, kept between runs: building it takes seconds, reading it does not."""
    from jiqun.intake.gazetteer import Gazetteer  # noqa: PLC0415  # only where a test asks for it

    folder = ROOT / ".cache" / "gazetteer"
    folder.mkdir(parents=True, exist_ok=True)
    Gazetteer.load(folder)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line, in this process: exit status, stdout, stderr."""
    from jiqun.cli import main  # noqa: PLC0415  # only where a test asks for it

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["jiqun", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture(autouse=True)
def operational_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `JIQUN_TEST_ENGINE=postgres` every workspace of a test has its operational tables on PostgreSQL."""
    if os.environ.get("JIQUN_TEST_ENGINE") == "postgres":
        monkeypatch.setenv("JIQUN_DATABASE_URL", request.getfixturevalue("postgres_database"))
