"""Processes that are killed, and customers who go on, for test_web_faults.

As a script it is a nursery: it imports the command line once and forks a `jiqun` for each line that asks for one. It
kills and reaps only its own children, all of them when its input ends. Polars does not work after a fork: what computes
is started cold.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

JIQUN = [sys.executable, "-c", "from jiqun.cli import main; main()"]
SUBJECTS = 12


class Nursery:
    """Starts `jiqun` with some arguments, in this process's JIQUN_* environment."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._started = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, *arguments: object, cold: bool = False) -> Child:
        """A new process; `cold` starts Python anew as a shell would."""
        self._started += 1
        log = self.logs / f"{self._started:04}-{arguments[0]}.log"
        env = {name: value for name, value in os.environ.items() if name.startswith("JIQUN_")}
        asked = {"arguments": [*map(str, arguments)], "log": str(log), "env": env, "cold": cold}
        return Child(self, self._ask(asked), log)

    def _ask(self, asked: dict) -> int:
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def reap(self, pid: int, number: int) -> int:
        """Send a signal (0: none), wait for the end; the exit status."""
        return self._ask({"pid": pid, "signal": number})

    def said(self) -> str:
        """What all of them said."""
        return "".join(log.read_text(encoding="utf-8") for log in self.logs.iterdir())

    def close(self) -> None:
        self._process.communicate(timeout=60)


@dataclass
class Child:
    """A `jiqun` process; what it said is in `log`."""

    nursery: Nursery
    pid: int
    log: Path

    def kill(self) -> None:
        """SIGKILL, which must be what ends it."""
        assert self.nursery.reap(self.pid, signal.SIGKILL) == -signal.SIGKILL, self.said()

    def end(self) -> None:
        """Wait until it ends by itself, well."""
        assert self.nursery.reap(self.pid, 0) == 0, self.said()

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def port(self) -> int:
        """Where the console listens, once it says so."""
        return int(patiently(lambda: re.search(r"http://127\.0\.0\.1:(\d+)/", self.said()))[1])


def patiently(question, seconds=300):
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.005)
    return answer


@dataclass
class Door:
    """Where the console is now; closed when customers shall finish what they have begun and go home."""

    port: int = 0
    round: int = 0
    closed: threading.Event = field(default_factory=threading.Event)


@dataclass
class Said:
    """One command of a customer. `cut`: the rounds in which its connection broke after it had been sent."""

    key: str
    operation: str
    body: dict
    answer: dict | None = None
    cut: list[int] = field(default_factory=list)


class Customer(threading.Thread):
    """Gives one command after the other, and the same again until the answer comes.

    A repetition is sent twice at once, as impatient programs do; now and then an old command is repeated too.
    """

    def __init__(self, number: int, door: Door, token: str, channel: str) -> None:
        super().__init__(name=f"customer-{number}", daemon=True)
        self.said: list[Said] = []
        self.repeated = 0
        self.error: BaseException | None = None
        self._number = number
        self._door = door
        self._token = token
        self._channel = channel
        self._choice = random.Random(number)

    def run(self) -> None:
        try:
            while not self._door.closed.is_set():
                command = self._next()
                self.said.append(command)
                command.answer = self._told(command)
                if self._choice.random() < 0.1:
                    old = self._choice.choice(self.said)
                    self.repeated += 1
                    assert self._told(old) == old.answer
        except BaseException as error:  # noqa: BLE001  # the test raises it
            self.error = error

    def _next(self) -> Said:
        count = len(self.said)
        key = f"customer-{self._number}-{count}"
        if count % 4 == 3:
            return Said(key, "test_channel", {"channel": self._channel})
        subject = f"clusters/{self._number}-{self._choice.randrange(SUBJECTS)}"
        operation = self._choice.choice(["follow", "follow", "unfollow"])
        return Said(key, operation, {"kind": "cluster", "subject": subject})

    def _told(self, command: Said) -> dict:
        """The answer, whatever it takes; several that come must be the same."""
        times = 1
        while True:
            round_, connections = self._door.round, []
            sent = False
            try:
                for _ in range(times):
                    connections.append(HTTPConnection("127.0.0.1", self._door.port, timeout=60))
                    connections[-1].request("POST", f"/api/v1/accounts/{command.operation}", **self._request(command))
                    sent = True
                answers = [_answer(connection) for connection in connections]
            except (OSError, HTTPException):  # refused, reset, or closed in the middle
                if sent:
                    command.cut.append(round_)
                    times = 2
                time.sleep(0.01)
                continue
            finally:
                for connection in connections:
                    connection.close()
            assert all(answer == answers[0] for answer in answers), answers
            return answers[0]

    def _request(self, command: Said) -> dict:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": command.key}
        return {"body": json.dumps(command.body), "headers": headers | {"Content-Type": "application/json"}}


def _answer(connection: HTTPConnection) -> dict:
    response = connection.getresponse()
    content = response.read()
    assert response.status == 200, (response.status, content)
    return json.loads(content)


class Customers:
    """Several customers of one account at one door."""

    def __init__(self, count: int, token: str, channel: str) -> None:
        self.door = Door()
        self._all = [Customer(number, self.door, token, channel) for number in range(count)]

    def come(self) -> None:
        for customer in self._all:
            customer.start()

    def go(self) -> None:
        """Each finishes what it has begun."""
        self.door.closed.set()
        for customer in self._all:
            customer.join()
        self.check()

    def check(self) -> None:
        """Raise what went wrong in their threads."""
        for customer in self._all:
            if customer.error is not None:
                raise customer.error

    def said(self) -> list[list[Said]]:
        """What each has said so far."""
        return [list(customer.said) for customer in self._all]

    def acknowledged(self) -> set[str]:
        """Keys of the commands that were answered by now."""
        self.check()
        return {command.key for commands in self.said() for command in commands if command.answer is not None}

    def wait(self) -> None:
        """Until one more command is answered."""
        before = self.acknowledged()
        patiently(lambda: self.acknowledged() - before)

    def repeated(self) -> int:
        return sum(customer.repeated for customer in self._all)


def followed(commands: list[Said]) -> set[str]:
    """What is followed after some commands, in their order."""
    subjects: set[str] = set()
    for command in commands:
        if command.operation == "follow":
            subjects.add(command.body["subject"])
        elif command.operation == "unfollow":
            subjects.discard(command.body["subject"])
    return subjects


def main() -> None:
    from jiqun import cli  # noqa: PLC0415  # only the nursery needs it all
    from jiqun.web import app  # noqa: F401, PLC0415  # what `jiqun serve` finds by name

    children: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "pid" in asked:
            assert asked["pid"] in children
            if asked["signal"]:
                os.kill(asked["pid"], asked["signal"])
            _, status = os.waitpid(asked["pid"], 0)
            children.remove(asked["pid"])
            _say(os.waitstatus_to_exitcode(status))
            continue
        child = os.fork()
        if child == 0:
            _become(asked, cli.main)
        children.add(child)
        _say(child)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(asked: dict, jiqun) -> None:
    os.environ |= asked["env"]
    log = os.open(asked["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (nothing, 1), (log, 2)):
        os.dup2(source, target)
    if asked["cold"]:
        os.execv(JIQUN[0], [*JIQUN, *asked["arguments"]])  # noqa: S606  # as a shell would
    sys.argv = ["jiqun", *asked["arguments"]]
    status: object = 1
    try:
        jiqun()
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 1)


if __name__ == "__main__":
    main()
