"""Delivery of notices 通知投递 by mail and group robots, as jobs: at least once, with pauses, until it is hopeless.

Formats: 企业微信 group robot (developer.work.weixin.qq.com, 群机器人配置说明) and 钉钉 custom robot (open.dingtalk.com,
自定义机器人接入, 加签): markdown messages, an `errcode` in an answer of status 200, twenty messages a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote_plus, urlsplit

from sqlalchemy import Row, select, update

from jiqun.accounts import channels, vault
from jiqun.accounts.notices import Notice
from jiqun.accounts.people import SYSTEM
from jiqun.accounts.reach import DeliveryError, Reach
from jiqun.core.document import Text
from jiqun.core.errors import InputError, JiqunError, Language, UsageError
from jiqun.core.text import visible
from jiqun.store import Workspace
from jiqun.store.database import JSON, Transaction, table
from jiqun.store.jobs import Handler, Job, Report

SECONDS = 20.0
MAIL_KIND, WEBHOOK_KIND = "deliver.mail", "deliver.webhook"
_MOST_BYTES = {"wecom": 4000, "dingtalk": 18_000}
_LATER = {"wecom": {-1, 45009, 45033}, "dingtalk": {-1, 130101, 410100}}
"""Answers that mean: busy, or too many at once. All others are about the robot or the message."""
_MOST_SHOWN = 20
_MARKS = str.maketrans("[]()<>*`#|~!@", "［］（）＜＞＊｀＃｜～！＠")
_TEST = Text("测试消息：这个渠道可以收到通知。", "Test message: this channel receives notices.")
_SENDER = Text("集群 jiqun", "jiqun")

Mailer = Callable[[Workspace, EmailMessage], None]


def send(workspace: Workspace, message: EmailMessage) -> None:
    """Hand a message to the mail server of the settings.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-031: there is none.
    InputError
        JQ-ACCOUNTS-030: it refuses for good.
    DeliveryError
        JQ-ACCOUNTS-029: it cannot be reached, or not now.
    """
    settings = {name: resolved.value for name, resolved in workspace.settings.items()}
    host, port = str(settings["smtp_host"]), int(float(settings["smtp_port"]))
    if not host:
        raise UsageError("JQ-ACCOUNTS-031")
    try:
        context = ssl.create_default_context()
        if settings["smtp_security"] == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=SECONDS)
        with server:
            if settings["smtp_security"] == "starttls":
                server.starttls(context=context)
            if settings["smtp_user"]:
                server.login(str(settings["smtp_user"]), str(settings["smtp_password"]))
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _mail_error(host, min(codes, default=0)) from None
    except smtplib.SMTPResponseException as error:
        raise _mail_error(host, error.smtp_code) from None
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryError("JQ-ACCOUNTS-029", host=host, reason=type(error).__name__) from None


def _mail_error(host: str, code: int) -> JiqunError:
    if code >= 500:
        return InputError("JQ-ACCOUNTS-030", host=host, reason=f"SMTP {code}")
    return DeliveryError("JQ-ACCOUNTS-029", host=host, reason=f"SMTP {code}")


class Outbox:
    """Handlers of the delivery jobs; tests give their own mailer and reach."""

    def __init__(self, *, mailer: Mailer = send, reach: Reach | None = None) -> None:
        self._mailer = mailer
        self._reach = reach or Reach()

    def handlers(self) -> dict[str, Handler]:
        """Handlers by kind of job."""
        return {MAIL_KIND: self.deliver, WEBHOOK_KIND: self.deliver}

    def deliver(self, workspace: Workspace, job: Job, report: Report) -> JSON:
        """Deliver notices to one channel; tells on the channel what became of it."""
        report("deliver", 0, 1)
        channel, notices = _asked(workspace, job.payload)
        if channel is None or (job.payload["notices"] and not notices):
            return {"skipped": True}  # the channel was removed or switched off, or the notices with their account
        written = channel.language or workspace.settings["language"].value
        language: Language = "zh" if written == "zh" else "en"
        try:
            if channel.kind == "mail":
                self._mailer(workspace, mail(workspace, channel.address, notices, language, job.id))
            else:
                self._post(workspace, channel, notices, language)
        except JiqunError as error:
            if not isinstance(error, DeliveryError) or job.attempt >= job.most_attempts:
                _note(workspace, job, channel.id, error)
            raise
        _note(workspace, job, channel.id, None)
        return {"notices": len(notices)}

    def _post(self, workspace: Workspace, channel: Row[Any], notices: Sequence[Notice], language: Language) -> None:
        url = vault.unseal(workspace, channel.address, channel.id)
        hosts = channels.hosts(workspace, channel.kind)
        title, text = words(workspace, notices, language)
        content = _cut(f"**{_plain(title)}**\n\n{text}", _MOST_BYTES[channel.kind])
        if channel.kind == "wecom":
            body: dict[str, Any] = {"msgtype": "markdown", "markdown": {"content": content}}
        else:
            body = {"msgtype": "markdown", "markdown": {"title": _plain(title)[:100], "text": content}}
            if channel.secret:
                secret = vault.unseal(workspace, channel.secret, channel.id)
                url = signed(url, secret, milliseconds=int(workspace.clock().timestamp() * 1000))
        answer = self._reach.post(url, body, hosts=hosts)
        code = answer.get("errcode") if isinstance(answer, dict) else None
        if code == 0:
            return
        host = str(urlsplit(url).hostname)
        kind = DeliveryError if code in _LATER[channel.kind] else InputError
        number = "JQ-ACCOUNTS-029" if kind is DeliveryError else "JQ-ACCOUNTS-030"
        raise kind(number, host=host, reason=f"errcode {code}" if isinstance(code, int) else "errcode —")


HANDLERS: Mapping[str, Handler] = Outbox().handlers()
"""What this room does when jobs of its kinds are due."""


def mail(
    workspace: Workspace, address: str, notices: Sequence[Notice], language: Language, message_id: str
) -> EmailMessage:
    """The mail that tells notices."""
    title, text = words(workspace, notices, language)
    return message(workspace, address, f"[{_SENDER.get(language)}] {title}", text, message_id)


def message(workspace: Workspace, address: str, title: str, text: str, message_id: str) -> EmailMessage:
    """A mail of this console. A header cannot be broken out of: the policy refuses line breaks in one."""
    sender = str(workspace.settings["mail_from"].value)
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = address
    made["Subject"] = visible(title)
    made["Date"] = format_datetime(workspace.clock())
    # the same for every attempt, so that a mailbox can tell a repetition
    made["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].strip('> ')}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text)
    return made


def words(workspace: Workspace, notices: Sequence[Notice], language: Language) -> tuple[str, str]:
    """Title and text of a message about notices."""
    if not notices:
        return _TEST.get(language), _TEST.get(language)
    address = str(workspace.settings["url"].value).rstrip("/")
    parts = []
    for notice in notices[:_MOST_SHOWN]:
        lines = [_plain(notice.title.get(language))]
        if notice.body:
            lines.append(_plain(notice.body.get(language)))
        if notice.link and address:
            lines.append(address + notice.link)
        parts.append("\n".join(lines))
    more = len(notices) - _MOST_SHOWN
    if more > 0:
        parts.append(f"另有 {more} 条，请到控制台查看。" if language == "zh" else f"{more} more in the console.")
    title = notices[0].title.get(language)
    if len(notices) > 1:
        title = f"{len(notices)} 条新通知" if language == "zh" else f"{len(notices)} new notices"
    return title, "\n\n".join(parts)


def signed(url: str, secret: str, *, milliseconds: int) -> str:
    """The address with 钉钉's signature 加签: HMAC-SHA256 of timestamp and secret.

    Examples
    --------
    >>> signed("https://oapi.dingtalk.com/robot/send?access_token=x", "SEC1", milliseconds=1)
    'https://oapi.dingtalk.com/robot/send?access_token=x&timestamp=1&sign=xLlywIuSvlBMcbHM7O4JN3u5Z7ES0PnaL8hM5mors%2Fg%3D'
    """
    mac = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256).digest()
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}timestamp={milliseconds}&sign={quote_plus(base64.b64encode(mac))}"


def _plain(text: str) -> str:
    """Words without marks: a firm's name must not become a link, or call somebody."""
    return visible(text).translate(_MARKS)


def _cut(text: str, most: int) -> str:
    content = text.encode()
    return text if len(content) <= most else content[: most - 3].decode(errors="ignore") + "…"


def _asked(workspace: Workspace, payload: Mapping[str, Any]) -> tuple[Row[Any] | None, list[Notice]]:
    rows, people, told = table("channels"), table("accounts"), table("notices")
    channel = (
        select(rows, people.c.language)
        .join_from(rows, people)
        .where(rows.c.id == payload["channel"], rows.c.state != "off", people.c.state == "active")
    )
    with workspace.database.read() as connection:
        found = connection.execute(channel).first()
        where = told.c.id.in_(payload["notices"])
        notices = connection.execute(select(told).where(where).order_by(told.c.at, told.c.id)).mappings()
        return found, [Notice.of(row) for row in notices]


def _note(workspace: Workspace, job: Job, channel: str, error: JiqunError | None) -> None:
    """Tell on the channel how it went."""

    def note(tx: Transaction) -> None:
        rows = table("channels")
        if error is None:
            values: dict[str, Any] = {"state": "on", "sent_at": tx.now, "reason": None}
        else:
            values = {"state": "failing", "reason": f"{error.code} {error.fields.get('reason', '')}".strip()}
        tx.execute(update(rows).where(rows.c.id == channel, rows.c.state != "off").values(values))

    step = f"{job.attempt}" if error else "sent"
    with suppress(UsageError):  # said before by an attempt that then lost its lease
        workspace.database.command(SYSTEM, job.key(step), "accounts.delivered", note, subject=channel)
