"""Follows, notices, channels and their delivery by mail and robots, against a server of the test's own."""

import base64
import hashlib
import hmac
import json
import logging
import socket
import threading
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from accounts_nursery import account
from sqlalchemy import select

from jiqun.accounts import channels, delivery, follows, notices, people, reach
from jiqun.accounts.notices import News
from jiqun.accounts.reach import DeliveryError, Reach
from jiqun.core.actor import LOCAL
from jiqun.core.document import Text
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.store import Workspace
from jiqun.store.database import new_key, table
from jiqun.store.worker import work

WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc-1234"
DINGTALK = "https://oapi.dingtalk.com/robot/send?access_token=abc-1234"
PUBLIC_ADDRESS = "1.1.1.1"


@pytest.fixture(autouse=True)
def mail_settings(monkeypatch):
    monkeypatch.setenv("JIQUN_SMTP_HOST", "mail.example.org")
    monkeypatch.setenv("JIQUN_MAIL_FROM", "集群 <jiqun@example.org>")
    monkeypatch.setenv("JIQUN_URL", "https://jiqun.example.org/")


@pytest.fixture(autouse=True)
def expected_errors(caplog):
    caplog.set_level(logging.CRITICAL, "jiqun.store.worker")


class Robot:
    """A robot's server on this machine: what it was sent, and what it answers."""

    def __init__(self):
        self.got = []
        self.answers = []
        self.status = 200
        self.headers = {}
        robot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                robot.got.append((self.path, self.headers["Host"], json.loads(body)))
                answer = robot.answers.pop(0) if robot.answers else {"errcode": 0, "errmsg": "ok"}
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(robot.status)
                for name, value in robot.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def connect(self, address, host, seconds):
        assert address == PUBLIC_ADDRESS
        return socket.create_connection(self.server.server_address, seconds)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def robot():
    made = Robot()
    yield made
    made.close()


@pytest.fixture
def outbox(robot):
    sent = []
    found = delivery.Outbox(
        mailer=lambda _, message: sent.append(message),
        reach=Reach(resolver=lambda _: [PUBLIC_ADDRESS], connector=robot.connect, seconds=2),
    )
    found.sent = sent
    return found


@pytest.fixture
def reader(workspace):
    return account(workspace, "analyst").actor


def news(actor, number=1, **more):
    title, body = Text(f"杭州：增加 {number} 家企业", f"Hangzhou: {number} more firms"), Text("企业数", "Firms")
    told = {
        "kind": "cluster.grew",
        "title": title,
        "subject": "clusters/c0001",
        "body": body,
        "link": "/clusters/c0001",
    }
    return News(actor.id, source=f"clusters/run{number}/c0001", **told | more)


def jobs(workspace):
    return sorted(workspace.database.jobs.list(limit=100), key=lambda job: (job.created_at, job.id))


# Follows and notices


def test_following_twice_is_following(workspace, reader):
    for _ in range(2):
        follows.follow(reader, workspace, "cluster", "clusters/c0001", key=new_key())
    follows.follow(reader, workspace, "region", "clusters/CN", key=new_key())
    assert {one.subject for one in follows.follows(workspace, reader.id)} == {"clusters/c0001", "clusters/CN"}
    assert follows.followers(workspace, "cluster", "clusters/") == {"clusters/c0001": [reader.id]}
    assert follows.followers(workspace, "cluster", "clusters-01/") == {}
    follows.unfollow(reader, workspace, "cluster", "clusters/c0001", key=new_key())
    assert not follows.follows_it(workspace, reader.id, "cluster", "clusters/c0001")


def test_follows_are_bounded_and_need_an_account(workspace, reader, monkeypatch):
    monkeypatch.setattr(follows, "MOST", 1)
    follows.follow(reader, workspace, "firm", "o0000001", key=new_key())
    with pytest.raises(InputError, match="JQ-ACCOUNTS-025"):
        follows.follow(reader, workspace, "firm", "o0000002", key=new_key())
    with pytest.raises(PermissionDeniedError, match="JQ-ACCOUNTS-016"):
        follows.follow(LOCAL, workspace, "firm", "o0000001", key=new_key())


def test_a_source_is_told_once_whatever_is_repeated(workspace, reader):
    assert notices.tell(workspace, [news(reader), news(reader, 2)], key="job:1") == 2
    assert notices.tell(workspace, [news(reader), news(reader, 2)], key="job:1") == 2  # the first answer again
    assert notices.tell(workspace, [news(reader), news(reader, 3)], key="job:2") == 1
    assert notices.count(workspace, reader.id) == 3
    closed = account(workspace, "analyst").actor
    people.close(closed, workspace, closed.id, key=new_key())
    assert notices.tell(workspace, [news(closed)], key="job:3") == 0


def test_notices_are_read_by_their_owner_only(workspace, reader):
    notices.tell(workspace, [news(reader, n) for n in range(3)], key="job:1")
    ids = [one.id for one in notices.notices(workspace, reader.id)]
    other = account(workspace, "analyst").actor
    assert notices.mark_read(other, workspace, ids, key=new_key()) == 0
    assert notices.mark_read(reader, workspace, ids[:1], key=new_key()) == 1
    assert notices.count(workspace, reader.id, unread=True) == 2
    assert notices.mark_read(reader, workspace, key=new_key()) == 2


def test_many_followers_are_told_in_parts(workspace, reader, monkeypatch):
    monkeypatch.setattr(notices, "TOGETHER", 4)
    assert notices.tell(workspace, [news(reader, n) for n in range(11)], key="job:1") == 11
    assert notices.count(workspace, reader.id) == 11


# Channels


@pytest.mark.parametrize(
    "address",
    [
        "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1",
        "https://qyapi.weixin.qq.com.evil.example/x",
        "https://evil.example/?https://qyapi.weixin.qq.com/",
        "https://user@qyapi.weixin.qq.com/x",
        "https://qyapi.weixin.qq.com:8443/x",
        "https://qyapi.weixin.qq.com@evil.example/x",
        "https://qyapi.weixin.qq.com\\@evil.example/x",
        "https://oapi.dingtalk.com/robot/send?access_token=1",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://qyapi.weixin.qq.com/x y",
        "https://qyapi.weixin.qq.com/x\r\nHost: evil",
        "https://qyapi.weixin.qq.com/#x",
        "file:///etc/passwd",
        "https://",
        "https://[",
    ],
)
def test_only_robots_on_listed_hosts_are_channels(workspace, reader, address):
    with pytest.raises(InputError, match="JQ-ACCOUNTS-027"):
        channels.add(reader, workspace, "wecom", address, key=new_key())


def test_the_operator_may_list_more_hosts(workspace, reader, monkeypatch):
    monkeypatch.setenv("JIQUN_WEBHOOK_HOSTS", "robot.example.org Other.example.org")
    opened = Workspace.open(workspace.path, clock=workspace.clock)
    channels.add(reader, opened, "wecom", "https://other.example.org/x", key=new_key())
    opened.close()


@pytest.mark.parametrize("address", ["wang", "a@b\r\nBcc: c@d", "a b@c.org", "<a@b.org>", "a@b.org, c@d.org", "@x.org"])
def test_what_is_no_mail_address_is_no_channel(workspace, reader, address):
    with pytest.raises(InputError, match="JQ-ACCOUNTS-032"):
        channels.add(reader, workspace, "mail", address, key=new_key())


def test_a_console_without_mail_server_takes_no_mail_channel(workspace, reader, monkeypatch):
    monkeypatch.delenv("JIQUN_SMTP_HOST")
    opened = Workspace.open(workspace.path, clock=workspace.clock)
    with pytest.raises(UsageError, match="JQ-ACCOUNTS-031"):
        channels.add(reader, opened, "mail", "a@example.org", key=new_key())
    opened.close()


def test_a_robot_s_address_is_stored_encrypted_and_shown_by_its_end(workspace, reader):
    made = channels.add(reader, workspace, "dingtalk", DINGTALK, secret="SEC-signing-key", key=new_key())  # noqa: S106
    assert made.shown == "oapi.dingtalk.com …1234"
    workspace.database.close()
    content = b"".join(path.read_bytes() for path in workspace.path.glob("jiqun.db*"))
    assert b"abc-1234" not in content
    assert b"SEC-signing-key" not in content
    workspace.close()
    key = workspace.path / "keys" / "channels.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    assert channels.channels(workspace, reader.id)[0].shown == "—"


# Delivery


def test_a_wecom_robot_gets_markdown_that_can_hold_no_link_of_a_firm(workspace, reader, robot, outbox):
    channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    evil = Text("[点我](https://evil.example) <@all> **企业**", "[x](https://evil.example)")
    notices.tell(workspace, [news(reader), news(reader, 2, title=evil)], key="job:1")
    assert work(workspace, outbox.handlers(), once=True) == 1
    ((path, host, body),) = robot.got
    assert path == "/cgi-bin/webhook/send?key=abc-1234"
    assert host == "qyapi.weixin.qq.com"
    assert body["msgtype"] == "markdown"
    content = body["markdown"]["content"]
    assert "https://jiqun.example.org/clusters/c0001" in content
    assert "](" not in content
    assert "<@" not in content
    (channel,) = channels.channels(workspace, reader.id)
    assert channel.state == "on"
    assert channel.sent_at is not None


def test_a_dingtalk_robot_gets_a_signature(workspace, reader, robot, outbox, clock):
    channels.add(reader, workspace, "dingtalk", DINGTALK, secret="SEC1", key=new_key())  # noqa: S106
    notices.tell(workspace, [news(reader)], key="job:1")
    work(workspace, outbox.handlers(), once=True)
    ((path, _, body),) = robot.got
    asked = parse_qs(urlsplit(path).query)
    milliseconds = int(clock().timestamp() * 1000)
    mac = hmac.new(b"SEC1", f"{milliseconds}\nSEC1".encode(), hashlib.sha256).digest()
    assert asked["timestamp"] == [str(milliseconds)]
    assert asked["sign"] == [base64.b64encode(mac).decode()]
    assert body["markdown"]["title"]


def test_too_many_messages_are_sent_later(workspace, reader, robot, outbox, clock):
    channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    notices.tell(workspace, [news(reader)], key="job:1")
    robot.answers = [{"errcode": 45009, "errmsg": "api freq out of limit"}]
    work(workspace, outbox.handlers(), once=True)
    (job,) = jobs(workspace)
    assert (job.state, job.attempt, job.reason["code"]) == ("queued", 1, "JQ-ACCOUNTS-029")
    assert "abc-1234" not in str(job.reason)
    clock.move(hours=1)
    work(workspace, outbox.handlers(), once=True)
    assert jobs(workspace)[0].state == "done"
    assert len(robot.got) == 2


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, 200),
        ({"errmsg": "no code"}, 200),
        ([], 200),
        ({}, 404),
        ({}, 301),
    ],
)
def test_a_robot_that_refuses_is_not_asked_again(workspace, reader, robot, outbox, answer, status):
    channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    notices.tell(workspace, [news(reader)], key="job:1")
    robot.answers, robot.status = [answer], status
    robot.headers = {"Location": "https://127.0.0.1/"} if status == 301 else {}
    work(workspace, outbox.handlers(), once=True)
    (job,) = jobs(workspace)
    assert (job.state, job.reason["code"]) == ("dead", "JQ-ACCOUNTS-030")
    assert len(robot.got) == 1
    (channel,) = channels.channels(workspace, reader.id)
    assert channel.state == "failing"
    assert channel.reason.startswith("JQ-ACCOUNTS-030")


@pytest.mark.parametrize("answer", [b"not json", b"x" * 100_000])
def test_an_answer_that_cannot_be_read_is_tried_again_until_the_last_attempt(
    workspace, reader, robot, outbox, clock, answer
):
    channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    notices.tell(workspace, [news(reader)], key="job:1")
    robot.answers = [answer] * 20
    for _ in range(20):
        work(workspace, outbox.handlers(), once=True)
        clock.move(hours=2)
    (job,) = jobs(workspace)
    assert (job.state, job.attempt) == ("dead", job.most_attempts)
    assert channels.channels(workspace, reader.id)[0].state == "failing"


def test_a_channel_switched_off_or_removed_gets_nothing(workspace, reader, robot, outbox):
    made = channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    notices.tell(workspace, [news(reader)], key="job:1")
    channels.switch(reader, workspace, made.id, on=False, key=new_key())
    notices.tell(workspace, [news(reader, 2)], key="job:2")
    work(workspace, outbox.handlers(), once=True)
    channels.drop(reader, workspace, made.id, key=new_key())
    assert [job.state for job in jobs(workspace)] == ["done"]
    assert robot.got == []


def test_a_test_message_says_that_it_is_one(workspace, reader, robot, outbox):
    made = channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    channels.test(reader, workspace, made.id, key=new_key())
    work(workspace, outbox.handlers(), once=True)
    assert "est message" in robot.got[0][2]["markdown"]["content"]


def test_mail_is_told_once_in_one_message_whose_headers_hold(workspace, reader, outbox):
    channels.add(reader, workspace, "mail", "wang@example.org", key=new_key())
    evil = Text("标题\r\nBcc: evil@example.org", "Title\r\nBcc: evil@example.org")
    notices.tell(workspace, [news(reader, title=evil)], key="job:1")
    work(workspace, outbox.handlers(), once=True)
    (message,) = outbox.sent
    read = message_from_bytes(message.as_bytes(), policy=default)
    assert read["To"] == "wang@example.org"
    assert read["Bcc"] is None
    assert "evil@example.org" in read["Subject"]
    assert read["Message-ID"].startswith(f"<{jobs(workspace)[0].id}@example.org")
    assert "https://jiqun.example.org/clusters/c0001" in read.get_content()


class Postman:
    """A mail server of few words: what it was handed, and how it answers to a recipient."""

    def __init__(self, answer):
        self.answer = answer
        self.got = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        link, _ = self.listener.accept()
        with link, link.makefile("rwb", buffering=0) as talk:
            talk.write(b"220 here\r\n")
            for line in talk:
                word = line[:4].upper().strip()
                if word == b"DATA":
                    talk.write(b"354 go on\r\n")
                    while (line := talk.readline()) != b".\r\n":
                        self.got += line
                talk.write(b"221 bye\r\n" if word == b"QUIT" else self.answer if word == b"RCPT" else b"250 fine\r\n")
                if word == b"QUIT":
                    return

    def close(self):
        self.thread.join()
        self.listener.close()


@pytest.mark.parametrize(
    ("answer", "kind"), [(b"250 fine\r\n", None), (b"451 later\r\n", DeliveryError), (b"550 nobody\r\n", InputError)]
)
def test_mail_is_handed_to_the_server_of_the_settings(workspace, reader, monkeypatch, answer, kind):
    postman = Postman(answer)
    monkeypatch.setenv("JIQUN_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("JIQUN_SMTP_PORT", str(postman.listener.getsockname()[1]))
    monkeypatch.setenv("JIQUN_SMTP_SECURITY", "none")
    opened = Workspace.open(workspace.path, clock=workspace.clock)
    message = delivery.mail(opened, "wang@example.org", [], "zh", "job_1")
    if kind is None:
        delivery.send(opened, message)
        assert "测试消息" in message_from_bytes(postman.got, policy=default).get_content()
    else:
        with pytest.raises(kind):
            delivery.send(opened, message)
    postman.close()


def test_a_mail_server_that_is_away_is_tried_later(workspace, reader, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("JIQUN_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("JIQUN_SMTP_PORT", str(port))
    opened = Workspace.open(workspace.path, clock=workspace.clock)
    with pytest.raises(DeliveryError):
        delivery.send(opened, delivery.mail(opened, "wang@example.org", [], "en", "job_1"))


def test_a_long_list_is_cut_to_what_a_robot_takes(workspace, reader, robot, outbox):
    channels.add(reader, workspace, "wecom", WECOM, key=new_key())
    long = Text("长" * 400, "long " * 100)
    notices.tell(workspace, [news(reader, n, body=long) for n in range(50)], key="job:1")
    work(workspace, outbox.handlers(), once=True)
    assert len(robot.got[0][2]["markdown"]["content"].encode()) <= 4096


# Reach


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "nonsense",
    ],
)
def test_an_address_within_is_never_called(robot, address):
    calls = []

    def connector(*called):
        calls.append(called)
        raise OSError

    for found in ([address], [PUBLIC_ADDRESS, address]):
        with pytest.raises(InputError, match="JQ-ACCOUNTS-028"):
            Reach(resolver=lambda _, found=found: found, connector=connector).post(
                WECOM, {}, hosts=["qyapi.weixin.qq.com"]
            )
    assert calls == []


def test_the_name_is_resolved_once_and_the_address_called_is_the_one_looked_at(robot):
    answers = [[PUBLIC_ADDRESS], ["127.0.0.1"]]
    calls = Reach(resolver=lambda _: answers.pop(0), connector=robot.connect)
    assert calls.post(WECOM, {}, hosts=["qyapi.weixin.qq.com"])["errcode"] == 0
    assert answers == [["127.0.0.1"]]


def test_an_answer_drop_by_drop_is_cut_off():
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip():
        theirs.recv(65536)
        theirs.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            try:
                theirs.sendall(b"X-A: b\r\n")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    calls = Reach(resolver=lambda _: [PUBLIC_ADDRESS], connector=lambda *_: ours, seconds=0.4)
    with pytest.raises(DeliveryError, match="JQ-ACCOUNTS-029"):
        calls.post(WECOM, {}, hosts=["qyapi.weixin.qq.com"])
    over.set()
    thread.join()
    theirs.close()


def test_a_name_that_does_not_resolve_is_tried_later():
    def nowhere(_):
        raise socket.gaierror(-2, "abc-1234")

    with pytest.raises(DeliveryError, match="JQ-ACCOUNTS-029") as error:
        Reach(resolver=nowhere).post(WECOM, {}, hosts=["qyapi.weixin.qq.com"])
    assert "abc-1234" not in str(error.value)


def test_certificates_are_checked(monkeypatch):
    made = []

    class Context:
        def wrap_socket(self, plain, server_hostname):
            made.append(server_hostname)
            return plain

    monkeypatch.setattr(reach.socket, "create_connection", lambda *_: "link")
    monkeypatch.setattr(reach.ssl, "create_default_context", Context)
    assert reach.connect(PUBLIC_ADDRESS, "qyapi.weixin.qq.com", 1) == "link"
    assert made == ["qyapi.weixin.qq.com"]


def test_a_notice_and_its_delivery_are_one_transaction(workspace, reader):
    channels.add(reader, workspace, "wecom", WECOM, key=new_key())

    def fail(tx):
        notices.write(tx, [news(reader)])
        raise InputError("JQ-ACCOUNTS-008")

    with pytest.raises(InputError):
        workspace.database.command(LOCAL, new_key(), "x", fail)
    assert jobs(workspace) == []
    with workspace.database.read() as connection:
        assert connection.execute(select(table("notices"))).all() == []
