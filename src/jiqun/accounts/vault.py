"""Secrets that must be read again 加密保存: a robot's address and signing key, encrypted with a key file of the workspace."""

from __future__ import annotations

import base64
import binascii
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jiqun.core.errors import UsageError
from jiqun.store import Workspace
from jiqun.store.files import make_folder, told, write_once

_NONCE_BYTES = 12


def seal(workspace: Workspace, text: str, about: str) -> str:
    """The text, encrypted; it opens only for what it is about."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(_key(workspace)).encrypt(nonce, text.encode(), about.encode())
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(workspace: Workspace, sealed: str, about: str) -> str:
    """The text that was sealed.

    Raises
    ------
    UsageError
        JQ-ACCOUNTS-026: the key is another, or it was about something else.
    """
    try:
        content = base64.urlsafe_b64decode(sealed)
        opened = AESGCM(_key(workspace)).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], about.encode())
        return opened.decode()
    except (binascii.Error, InvalidTag, ValueError):
        raise UsageError("JQ-ACCOUNTS-026") from None


def _key(workspace: Workspace) -> bytes:
    path: Path = workspace.path / "keys" / "channels.key"
    with told(path):
        if not path.exists():
            make_folder(path.parent)
            path.parent.chmod(0o700)
            write_once(path, AESGCM.generate_key(256))
        return path.read_bytes()
