"""Words of the pages in both languages 界面文字: English in templates and code, Chinese in `locale/zh/*.po`.

Texts that rooms make carry both languages themselves (`jiqun.core.document.Text`); this is for what only pages say.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from babel.messages.pofile import read_po
from starlette.requests import Request

from jiqun.core.errors import Language
from jiqun.store import Workspace

COOKIE = "jiqun-lang"


@cache
def catalogue() -> dict[str, tuple[str, ...]]:
    """The Chinese of every English text; of one that counts, its only plural form."""
    words: dict[str, tuple[str, ...]] = {}
    folder = files("jiqun.web").joinpath("locale", "zh")
    for source in sorted(folder.iterdir(), key=lambda path: path.name):
        if not source.name.endswith(".po"):
            continue
        with source.open("rb") as lines:
            for message in read_po(lines, locale="zh"):
                if message.id and message.string:
                    english = message.id if isinstance(message.id, str) else message.id[0]
                    words[english] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return words


def gettext(language: Language, english: str) -> str:
    """A text of the pages in `language`; the English one where the Chinese is missing."""
    return catalogue().get(english, (english,))[0] if language == "zh" else english


def ngettext(language: Language, one: str, many: str, number: int) -> str:
    """A text that counts, in `language`; Chinese has one form."""
    if language == "zh":
        return catalogue().get(one, (one if number == 1 else many,))[0]
    return one if number == 1 else many


def say(language: Language, english: str, **fields: Any) -> str:
    """A text of the pages with its `%(name)s` filled in.

    Examples
    --------
    >>> say("en", "Signed in as %(name)s", name="Li")
    'Signed in as Li'
    """
    text = gettext(language, english)
    return text % fields if fields else text


def asked(request: Request) -> Language | None:
    """The language that the address asks for with `?lang=`, if any."""
    return _known(request.query_params.get("lang", ""))


def chosen(request: Request, account: str | None, workspace: Workspace) -> Language:
    """The language of a request: its address, the visitor's last choice, the account's, the browser's, the workspace's.

    The last choice goes before the account's, so that the switch on a page holds for the pages after it; signing in
    and changing the account's language set it.
    """
    written = workspace.settings["language"].value
    candidates = (asked(request), _known(request.cookies.get(COOKIE, "")), _known(account or ""), _accepted(request))
    return next((language for language in candidates if language), "zh" if written == "zh" else "en")


def _known(written: str) -> Language | None:
    prefix = written[:2].lower()
    return "zh" if prefix == "zh" else "en" if prefix == "en" else None


def _accepted(request: Request) -> Language | None:
    """The first language of Accept-Language by weight that is one of ours."""
    weighed: list[tuple[float, int, Language]] = []
    for place, part in enumerate(request.headers.get("accept-language", "")[:400].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        language = _known(tag)
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if language and quality > 0:
            weighed.append((-quality, place, language))
    return min(weighed)[2] if weighed else None
