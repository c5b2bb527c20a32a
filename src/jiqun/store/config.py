"""Settings 设置: `jiqun.toml` in the workspace, overridden by `JIQUN_*` in the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from jiqun.core.errors import UsageError, current_language
from jiqun.store.files import told

NAME = "jiqun.toml"

_MOST_DAYS = 36_500
Origin = Literal["default", "jiqun.toml", "environment"]
Value = str | float | bool


@dataclass(frozen=True)
class Setting:
    """One setting 设置项. `read` takes what was written and raises ValueError unless it is as `expected`."""

    name: str
    environment: str
    default: Callable[[], Value]
    read: Callable[[object], Value]
    expected: str
    help_zh: str
    help_en: str
    in_file: bool = True
    secret: bool = False
    """Whether the value may hold a password: it is not shown, and no backup carries it."""


@dataclass(frozen=True)
class Resolved:
    """A setting's value and where it comes from."""

    setting: Setting
    value: Value
    origin: Origin


def _language(written: object) -> Value:
    text = str(written).lower()
    if text[:2] not in {"zh", "en"}:
        raise ValueError(written)
    return text[:2]


def _seconds(written: object) -> Value:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError(written)  # noqa: TRY004  # one kind of error for all that is not as expected
    value = float(written)
    if not (isfinite(value) and value >= 0):
        raise ValueError(written)
    return value


def _days(written: object) -> Value:
    value = float(_seconds(written))
    if value > _MOST_DAYS:
        raise ValueError(written)
    return value


def _yes_or_no(written: object) -> Value:
    text = str(written).lower()
    if text not in {"true", "false", "1", "0"}:
        raise ValueError(written)
    return text in {"true", "1"}


def _mail_security(written: object) -> Value:
    text = str(written).lower()
    if text not in {"starttls", "tls", "none"}:
        raise ValueError(written)
    return text


def _per_day(written: object) -> Value:
    value = float(_seconds(written))
    if value != int(value):
        raise ValueError(written)
    return value


def _geocoder(name: str, zh: str, url: str, per_day: float) -> tuple[Setting, ...]:
    """The settings of one geocoder. The quotas are cautious: what a key may ask is for its owner to know."""
    upper = f"JIQUN_{name.upper()}"
    return (
        Setting(
            f"{name}_key",
            f"{upper}_KEY",
            lambda: "",
            str,
            "a key",
            f"{zh}地理编码服务的密钥(用户自己的)；留空则不用",
            f"your own key for the geocoder of {zh}; empty for none",
            secret=True,
        ),
        Setting(
            f"{name}_url",
            f"{upper}_URL",
            lambda: url,
            str,
            "https://name",
            f"{zh}地理编码服务的地址",
            f"address of the geocoder of {zh}",
        ),
        Setting(
            f"{name}_per_day",
            f"{upper}_PER_DAY",
            lambda: per_day,
            _per_day,
            ">= 0",
            f"{zh}每日最多请求数，按您的额度设定",
            f"most requests a day to {zh}: set it to your quota",
        ),
        Setting(
            f"{name}_per_second",
            f"{upper}_PER_SECOND",
            lambda: 2.0,
            _seconds,
            ">= 0",
            f"{zh}每秒最多请求数；0 为不限",
            f"most requests a second to {zh}; 0 for no limit",
        ),
    )


SETTINGS = (
    Setting(
        "workspace",
        "JIQUN_WORKSPACE",
        lambda: "",
        str,
        "a folder",
        "命令默认使用的工作区；未设置时取当前目录或其最近的、含 jiqun.toml 的上级目录",
        "workspace that commands use; if unset, the nearest folder upwards that holds jiqun.toml",
        in_file=False,
    ),
    Setting(
        "language",
        "JIQUN_LANG",
        current_language,
        _language,
        "zh / en",
        "提示信息的语言；默认随系统",
        "language of messages; by default the system's",
    ),
    Setting(
        "lock_wait_seconds",
        "JIQUN_LOCK_WAIT_SECONDS",
        lambda: 10.0,
        _seconds,
        ">= 0",
        "等待另一写入进程的秒数",
        "seconds to wait while another process writes",
    ),
    Setting(
        "database_url",
        "JIQUN_DATABASE_URL",
        lambda: "",
        str,
        "postgresql://user@host/name",
        "运行库；留空为工作区内的 SQLite，多个网页进程时用 PostgreSQL",
        "operational database; empty for SQLite in the workspace, PostgreSQL for more than one web process",
        secret=True,
    ),
    Setting(
        "keep_jobs_days",
        "JIQUN_KEEP_JOBS_DAYS",
        lambda: 90.0,
        _days,
        "0 to 36500",
        "已完成或已取消的作业保留的天数",
        "days for which jobs are kept after they were done or cancelled",
    ),
    Setting(
        "public",
        "JIQUN_PUBLIC",
        lambda: False,
        _yes_or_no,
        "true / false",
        "未登录的访客能否查看汇总结果",
        "whether visitors who are not signed in may see aggregate results",
    ),
    Setting(
        "hosts",
        "JIQUN_HOSTS",
        lambda: "",
        str,
        "names, separated by blanks",
        "控制台可用的主机名，以空格分隔；IP 地址与 localhost 始终可用",
        "host names under which the console may be called, separated by blanks; addresses and localhost always may",
    ),
    Setting(
        "proxies",
        "JIQUN_PROXIES",
        lambda: "127.0.0.1",
        str,
        "addresses, separated by commas",
        "可信的反向代理地址，以逗号分隔；只采信它们报告的访客地址与 https",
        "addresses of reverse proxies, separated by commas, that are believed about the visitor's address and https",
    ),
    Setting(
        "upload_mb",
        "JIQUN_UPLOAD_MB",
        lambda: 200.0,
        _seconds,
        ">= 0",
        "上传文件的上限(MB)",
        "largest file that may be uploaded, in MB",
    ),
    Setting(
        "requests_per_second",
        "JIQUN_REQUESTS_PER_SECOND",
        lambda: 100.0,
        _seconds,
        ">= 0",
        "每个访客地址每秒的请求数上限",
        "most requests per second from one address",
    ),
    Setting(
        "url",
        "JIQUN_URL",
        lambda: "",
        str,
        "https://name",
        "控制台对外的地址，用于通知中的链接；留空则不带链接",
        "address of the console as others see it, for links in notices; empty for none",
    ),
    Setting(
        "smtp_host",
        "JIQUN_SMTP_HOST",
        lambda: "",
        str,
        "a host name",
        "发送通知的邮件服务器；留空则不发邮件",
        "mail server that sends notices; empty for no mail",
    ),
    Setting(
        "smtp_port",
        "JIQUN_SMTP_PORT",
        lambda: 587.0,
        _seconds,
        ">= 0",
        "邮件服务器的端口",
        "port of the mail server",
    ),
    Setting(
        "smtp_security",
        "JIQUN_SMTP_SECURITY",
        lambda: "starttls",
        _mail_security,
        "starttls / tls / none",
        "与邮件服务器的连接如何加密",
        "how the connection to the mail server is encrypted",
    ),
    Setting(
        "smtp_user",
        "JIQUN_SMTP_USER",
        lambda: "",
        str,
        "a name",
        "登录邮件服务器的用户名；留空则不登录",
        "name to sign in to the mail server with; empty for none",
    ),
    Setting(
        "smtp_password",
        "JIQUN_SMTP_PASSWORD",
        lambda: "",
        str,
        "a password",
        "登录邮件服务器的口令",
        "password to sign in to the mail server with",
        in_file=False,
        secret=True,
    ),
    Setting(
        "mail_from",
        "JIQUN_MAIL_FROM",
        lambda: "jiqun@localhost",
        str,
        "name@host",
        "通知邮件的发件人",
        "sender of notices by mail",
    ),
    Setting(
        "webhook_hosts",
        "JIQUN_WEBHOOK_HOSTS",
        lambda: "",
        str,
        "host names, separated by blanks",
        "除企业微信和钉钉官方主机外，群机器人可用的主机，以空格分隔",
        "hosts that group robots may have besides the official ones of 企业微信 and 钉钉, separated by blanks",
    ),
    *_geocoder("tianditu", "天地图", "https://api.tianditu.gov.cn", 5_000.0),
    *_geocoder("amap", "高德", "https://restapi.amap.com", 5_000.0),
    *_geocoder("baidu", "百度", "https://api.map.baidu.com", 5_000.0),
)


def template() -> str:
    """The `jiqun.toml` of a new workspace: every setting as a comment with its default.

    Examples
    --------
    >>> "lock_wait_seconds = 10.0" in template()
    True
    """

    def lines() -> Iterator[str]:
        yield "# jiqun workspace 工作区"
        for setting in SETTINGS:
            if setting.in_file:
                default = setting.default()
                yield f"\n# {setting.help_en}\n# {setting.help_zh}"
                yield f"# {setting.name} = " + (f'"{default}"' if isinstance(default, str) else str(default).lower())

    return "\n".join(lines()) + "\n"


def without_secrets(written: bytes) -> bytes:
    r"""The text of a `jiqun.toml` without its secret settings, for a backup.

    Examples
    --------
    >>> without_secrets(b'language = "zh"\ndatabase_url = "postgresql://me:pw@db/x"\n')
    b'language = "zh"\n'
    """
    names = "|".join(setting.name for setting in SETTINGS if setting.secret)
    return re.sub(rf"(?m)^[ \t]*[\"']?({names})[\"']?[ \t]*=.*\n?".encode(), b"", written)


def resolve(root: Path | None) -> dict[str, Resolved]:
    """Every setting by name; `root` is the workspace folder, or None for no workspace.

    Raises
    ------
    UsageError
        JQ-STORE-022: a value is not as expected; JQ-STORE-023: no such setting; JQ-STORE-024: not TOML.

    Examples
    --------
    >>> "language" in resolve(None)
    True
    """
    written = _read(root / NAME) if root else {}
    return {setting.name: _resolve(setting, written, root) for setting in SETTINGS}


def _resolve(setting: Setting, written: dict[str, object], root: Path | None) -> Resolved:
    where: object = setting.environment
    found: object = os.environ.get(setting.environment) or None
    origin: Origin = "environment"
    if found is None and setting.name in written:
        where, found, origin = f"{root}/{NAME}: {setting.name}", written[setting.name], "jiqun.toml"
    if found is None:
        return Resolved(setting, setting.default(), "default")
    try:
        return Resolved(setting, setting.read(found), origin)
    except ValueError:
        shown = "***" if setting.secret else found
        raise UsageError("JQ-STORE-022", where=where, value=shown, expected=setting.expected) from None


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    with told(path):
        content = path.read_bytes()
    try:
        written = tomllib.loads(content.decode())
    except ValueError as error:
        raise UsageError("JQ-STORE-024", path=path, reason=error) from error
    known = [setting.name for setting in SETTINGS if setting.in_file]
    for name in written:
        if name not in known:
            raise UsageError("JQ-STORE-023", path=path, value=name, known=", ".join(known))
    return written
