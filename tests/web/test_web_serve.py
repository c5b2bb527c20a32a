"""`jiqun serve` as a person starts and stops it: operator, address, worker."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from jiqun.cli import serve
from jiqun.cli.serve import listen
from jiqun.store import Workspace

JIQUN = [sys.executable, "-c", "from jiqun.cli import main; main()"]
SECRET = "a password from the environment"  # noqa: S105  # of a workspace that lives for one test


@contextmanager
def serving(workspace, *options, **environment):
    process = subprocess.Popen(
        [*JIQUN, "serve", "--workspace", workspace, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if address := re.search(r"http://\S+", line):
                break
        else:
            pytest.fail("".join(said))
        yield process, address[0], "".join(said)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def workers(process):
    found = []
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        with suppress(FileNotFoundError):  # it ended while we looked
            found += (thread / "children").read_text(encoding="ascii").split()
    return found


def patiently(question, seconds=60):
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return answer


def sign_in(browser, login, password):
    def form():
        try:
            return browser.get("/sign-in")
        except httpx2.TransportError:
            return None

    csrf = re.search(r'name="csrf" value="(\w+)"', patiently(form).text)[1]
    return browser.post("/sign-in", data={"csrf": csrf, "login": login, "password": password})


@pytest.fixture
def empty(run, tmp_path):
    assert run("init", tmp_path / "new")[0] == 0
    return tmp_path / "new"


def test_the_first_start_makes_an_operator_and_says_its_password_once(empty):
    with serving(empty, "--no-work") as (_, address, said), httpx2.Client(base_url=address) as browser:
        password = re.search(r"password (\S+)", said)[1]
        assert sign_in(browser, "operator", password).status_code == 303
        assert browser.get("/accounts").status_code == 200
    with serving(empty, "--no-work") as (_, _, said):
        assert "password" not in said


def test_a_password_from_the_environment_is_not_said_and_the_worker_comes_back(empty):
    with serving(empty, JIQUN_OPERATOR_PASSWORD=SECRET) as (process, address, said):
        assert SECRET not in said
        with httpx2.Client(base_url=address) as browser:
            assert sign_in(browser, "operator", SECRET).status_code == 303
        (first,) = patiently(lambda: workers(process))
        assert SECRET.encode() not in Path(f"/proc/{first}/environ").read_bytes()
        os.kill(int(first), signal.SIGKILL)
        (second,) = patiently(lambda: [one for one in workers(process) if one != first])
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out == ""
        assert SECRET not in err
        assert "Traceback" not in err
        assert not Path(f"/proc/{second}").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "terminal closed"])
def test_a_worker_ends_with_its_console_however_that_ends(empty, end):
    with serving(empty, JIQUN_OPERATOR_PASSWORD=SECRET) as (process, address, _):
        (worker,) = patiently(lambda: workers(process))
        with httpx2.Client(base_url=address) as browser:
            assert sign_in(browser, "operator", SECRET).status_code == 303
        process.send_signal(end)
        process.wait(30)
        patiently(lambda: not lives(worker))


def lives(process):
    """Whether it is there; of a process that ended and was not buried, the command is empty."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_port_that_is_taken_is_said(run, empty):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, _, err = run("serve", "--workspace", empty, "--port", other.getsockname()[1])
    assert code == 1
    assert "JQ-SERVE-001" in err


def test_answers_do_not_wait_for_acknowledgements():
    """asyncio turns Nagle's delay off only for sockets that name their protocol."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_several_web_processes_take_postgresql(run, empty):
    code, _, err = run("serve", "--workspace", empty, "--port", 0, "--workers", 2, "--no-work")
    assert code == 2
    assert "JQ-SERVE-002" in err


def test_web_processes_have_time_to_come_up(empty, postgres_database, monkeypatch):
    """With the server's own five seconds, processes of a busy machine are killed and started again for ever."""
    monkeypatch.setenv("JIQUN_DATABASE_URL", postgres_database)
    monkeypatch.setenv("JIQUN_WORKSPACE", "")  # the command sets it; this test ends it
    given = []

    class Supervisor:
        def __init__(self, config, sockets):
            given.append((config.workers, config.timeout_worker_healthcheck, len(sockets)))

        def run(self):
            pass

    monkeypatch.setattr(serve, "Multiprocess", Supervisor)
    serve.run(Workspace.open(empty), listen("127.0.0.1", 0), work=False, workers=2)
    ((workers_, seconds, sockets),) = given
    assert (workers_, sockets) == (2, 1)
    assert seconds >= 60
