"""Proofs of the journal 日志证明: leaves, trees, signed heads and bundles, checked without trusting who keeps them.

This file stands alone: it needs the standard library and `cryptography`, and nothing of jiqun. An auditor checks a
bundle with this one file:

    python proof.py BUNDLE [--key PUBLICKEY] [--language zh|en]

Exit status: 0 all that the bundle claims is proved, 1 something is not, 2 wrong use.
Tree, inclusion and consistency are those of RFC 9162, section 2.1 (as RFC 6962), with SHA-256.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

VERSION = 1
FORMAT = "jiqun-journal-bundle"
HASH_BYTES = KEY_BYTES = SALT_BYTES = 32
SIGNATURE_BYTES = 64
LARGEST_BUNDLE = 1 << 26
MOST_LEAVES = 1 << 62
_HEAD_CONTEXT = b"jiqun journal head\n"
"""Stands before what is signed, so that a signature of the key cannot be taken for one of something else."""
_LEAF_FIELDS = ("actor", "at", "body", "operation", "subject")
_SHOWN = 120
_ALWAYS = [
    ("签名时刻准确：时间出自记录方自己的时钟。", "That the times are right: they are of the keeper's own clock."),
    (
        "记录方给所有人看的是同一棵树：请与他人核对树头。",
        "That the keeper shows everyone the same tree: compare heads.",
    ),
    ("所记之事属实：证明的只是记录未被改动。", "That what was recorded is true: only that it was not changed since."),
]
"""What no bundle can prove, in Chinese and English."""


# What is hashed


def canonical(value: Any) -> bytes:
    """One text for one JSON value: keys sorted, no spaces, UTF-8; NaN and infinity are refused (ValueError).

    Examples
    --------
    >>> canonical({"b": [1, None], "a": "集群"}).decode()
    '{"a":"集群","b":[1,null]}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def instant(at: datetime) -> str:
    """A moment as leaves and heads write it: UTC with microseconds; a moment without a zone is refused (ValueError).

    Examples
    --------
    >>> instant(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000000Z'
    """
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def request_digest(request: Any) -> str:
    """Sha256 (hex) of a command's request."""
    return hashlib.sha256(canonical(request)).hexdigest()


def body_digest(salt: bytes, *, request: str, answer: Any) -> str:
    """Salted sha256 (hex) of what a command was asked and answered.

    `request` is the `request_digest`: the journal's keeper can open the body from its own record, and who has the
    request can show that it was this one. Without the 32 random bytes of the salt nobody can try bodies out.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 32 bytes")
    return hashlib.sha256(salt + canonical({"answer": answer, "request": request})).hexdigest()


def leaf_data(*, actor: str, at: datetime, body: str, operation: str, subject: str) -> bytes:
    """What a leaf stands for: canonical JSON of who did what to what and when; `body` is a `body_digest`."""
    return canonical(
        {"actor": actor, "at": instant(at), "body": body, "operation": operation, "subject": subject, "v": VERSION}
    )


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of a tree, from all its leaf hashes; that of no leaves is the hash of nothing.

    Examples
    --------
    >>> root([]).hex()[:8], root([leaf_hash(b"")]).hex()[:8]
    ('e3b0c442', '6e340b9c')
    """
    if not leaves:
        return hashlib.sha256().digest()
    row = list(leaves)
    while len(row) > 1:  # an odd last node rises as it is, which is the tree of the RFC
        pairs = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = pairs + row[len(row) & ~1 :]
    return row[0]


# Proofs


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], tree_root: bytes) -> bool:
    """Whether the leaf with this hash is number `index` (from 0) of the tree of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size <= MOST_LEAVES or not _hashes(leaf, tree_root, *proof):
        return False
    node, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    return last == 0 and found == tree_root


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether the tree of `second` leaves begins with all of the tree of `first` (RFC 9162, 2.1.4.2).

    A tree of no leaves begins every tree and proves nothing: it is refused.
    """
    if not 0 < first <= second <= MOST_LEAVES:
        return False
    if first == second:
        return not proof and first_root == second_root
    if not _hashes(first_root, second_root, *proof):
        return False
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


# Signed heads


def key_id(key: bytes) -> str:
    """Fingerprint of a public key: sha256 (hex) of its 32 bytes."""
    return hashlib.sha256(key).hexdigest()


def head_data(*, size: int, tree_root: bytes, at: datetime, key: bytes) -> bytes:
    """What the signature of a head is over."""
    return _head_message({"at": instant(at), "key": key_id(key), "root": tree_root.hex(), "size": size, "v": VERSION})


def _head_message(fields: dict[str, Any], where: str = "head") -> bytes:
    return _HEAD_CONTEXT + _canonical(fields, where)


def verify_signature(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is that of the Ed25519 public key over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_key(text: str) -> bytes:
    """The 32 bytes of a public key written as PEM or in base64.

    Raises
    ------
    ValueError
        It is neither.
    """
    if "-----BEGIN" in text:
        try:
            loaded = load_pem_public_key(text.encode())
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error
        if not isinstance(loaded, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
        return loaded.public_bytes_raw()
    return _bytes64(text.strip(), KEY_BYTES, "key")


# Bundles


@dataclass(frozen=True)
class Finding:
    """One thing that was checked 一项核验, in both languages."""

    ok: bool
    zh: str
    en: str


@dataclass(frozen=True)
class Report:
    """What a bundle proves 核验报告, and what it cannot prove."""

    findings: tuple[Finding, ...]
    limits: tuple[tuple[str, str], ...]

    @property
    def ok(self) -> bool:
        """Whether all that the bundle claims is proved."""
        return all(finding.ok for finding in self.findings)

    def render(self, language: str) -> str:
        """The report as text in `zh` or `en`."""
        zh = language == "zh"
        lines = ["已证明：" if zh else "Proved:"]
        lines += [f"  ✓ {finding.zh if zh else finding.en}" for finding in self.findings if finding.ok] or ["  —"]
        failed = [f"  ✗ {finding.zh if zh else finding.en}" for finding in self.findings if not finding.ok]
        if failed:
            lines += ["未通过：" if zh else "FAILED:", *failed]
        lines += ["本文件不能证明：" if zh else "What this bundle cannot prove:"]
        lines += [f"  · {limit[0] if zh else limit[1]}" for limit in self.limits]
        return "\n".join(lines)


class _MalformedError(ValueError):
    """A bundle is not built as it should be; says where."""


def parse_bundle(content: bytes) -> Any:
    """JSON of a bundle; a key given twice, NaN, and more than 64 MiB are refused (ValueError)."""
    if len(content) > LARGEST_BUNDLE:
        raise ValueError("more than 64 MiB")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key is given twice")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(content.decode(), object_pairs_hook=unique, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def verify_bundle(bundle: Any, key: bytes | None = None) -> Report:
    """Check a bundle 核验: signatures of heads, consistency between them, inclusion of leaves, opened bodies.

    Parameters
    ----------
    bundle
        As `parse_bundle` reads it.
    key
        The public key that you have from elsewhere; without it the bundle's own is believed, and the report says so.
    """
    check = _Check()
    try:
        check.bundle(bundle, key)
    except (_MalformedError, RecursionError) as error:
        check.findings.append(Finding(False, f"文件结构有误：{error}", f"The bundle is malformed: {error}"))
    return Report(tuple(check.findings), tuple(check.limits))


class _Check:
    """One run through a bundle: what was found, and what cannot be known."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.limits: list[tuple[str, str]] = []
        self._key = b""
        self._size = 0
        self._root = b""

    def claim(self, ok: bool, yes: tuple[str, str], no: tuple[str, str]) -> None:
        """Note a finding, in the words for its outcome (zh, en)."""
        self.findings.append(Finding(ok, *(yes if ok else no)))

    def bundle(self, bundle: Any, pinned: bytes | None) -> None:
        """All of it."""
        _shape(bundle, {"format", "v", "key", "head", "earlier", "leaves"}, "bundle")
        if bundle["format"] != FORMAT or bundle["v"] != VERSION:
            raise _MalformedError(f"format: expected {FORMAT} version {VERSION}")
        self._key = _bytes64(bundle["key"], KEY_BYTES, "key")
        told = key_id(self._key)
        if pinned is None:
            zh = f"公钥本身可信：它取自本文件。请向发布方核对指纹 {told}，或用 --key 给出公钥。"
            en = f"That the key is whose you think: it comes from this bundle. Compare its fingerprint {told} with the "
            self.limits.append((zh, en + "keeper's, or name the key with --key."))
        else:
            yes = ("公钥就是您给出的公钥", "The key is the one you named")
            no = (f"公钥不是您给出的公钥：指纹 {told}", f"The key is NOT the one you named: fingerprint {told}")
            self.claim(self._key == pinned, yes, no)
        self._size, self._root = self._head(bundle["head"], "head")
        for number, earlier in enumerate(_list(bundle["earlier"], "earlier")):
            self._earlier(earlier, f"earlier[{number}]")
        for number, leaf in enumerate(_list(bundle["leaves"], "leaves")):
            self._leaf(leaf, f"leaves[{number}]")
        self.limits += _ALWAYS

    def _head(self, head: Any, where: str) -> tuple[int, bytes]:
        _shape(head, {"at", "key", "root", "size", "v", "signature"}, where)
        size = _count(head["size"], f"{where}.size")
        tree_root = _bytes16(head["root"], f"{where}.root")
        at = _shown(_string(head["at"], f"{where}.at"))
        signature = _bytes64(head["signature"], SIGNATURE_BYTES, f"{where}.signature")
        message = _head_message({name: head[name] for name in ("at", "key", "root", "size", "v")}, where)
        ok = head["v"] == VERSION and head["key"] == key_id(self._key)
        zh, en = f"树头({size} 叶，{at})：", f"Head of {size} leaves, {at}: "
        self.claim(
            ok and verify_signature(self._key, signature, message),
            (f"{zh}签名有效", f"{en}the signature is valid"),
            (f"{zh}签名无效", f"{en}the signature is NOT valid"),
        )
        return size, tree_root

    def _earlier(self, earlier: Any, where: str) -> None:
        _shape(earlier, {"head", "consistency"}, where)
        size, tree_root = self._head(earlier["head"], f"{where}.head")
        proof = _proof(earlier["consistency"], f"{where}.consistency")
        self.claim(
            verify_consistency(size, self._size, proof, tree_root, self._root),
            (
                f"{size} 叶的树是 {self._size} 叶的树的开头：其后没有改动或删除",
                f"The tree of {self._size} leaves begins with that of {size}: nothing was changed or removed since",
            ),
            (
                f"未能证明 {size} 叶的树是 {self._size} 叶的树的开头：其后可能有改动或删除",
                f"The tree of {self._size} leaves is NOT shown to begin with that of {size}: it may have been changed since",
            ),
        )

    def _leaf(self, leaf: Any, where: str) -> None:
        _shape(leaf, {"position", "data", "proof"}, where, {"opening", "request"})
        position = _count(leaf["position"], f"{where}.position")
        data = leaf["data"]
        _shape(data, {*_LEAF_FIELDS, "v"}, f"{where}.data")
        at, who, what, to = (
            _shown(_string(data[name], f"{where}.data.{name}")) for name in ("at", "actor", "operation", "subject")
        )
        _string(data["body"], f"{where}.data.body")
        hashed = leaf_hash(_canonical(data, f"{where}.data"))
        proof = _proof(leaf["proof"], f"{where}.proof")
        told = f"{at} {who} {what} {to}".rstrip()
        self.claim(
            data["v"] == VERSION and verify_inclusion(position, self._size, hashed, proof, self._root),
            (f"第 {position} 叶({told})在树中", f"Leaf {position} ({told}) is in the tree"),
            (f"第 {position} 叶({told})不在树中", f"Leaf {position} ({told}) is NOT in the tree"),
        )
        if "opening" in leaf:
            self._opening(leaf, position, where)
        elif "request" in leaf:
            raise _MalformedError(f"{where}.request: there is no opening to compare it with")
        else:
            zh = f"第 {position} 叶的内容：未附，或已抹除，只有摘要。"
            en = f"The body of leaf {position}: it is not shown, or was erased; there is only a digest."
            self.limits.append((zh, en))

    def _opening(self, leaf: Any, position: int, where: str) -> None:
        opening = leaf["opening"]
        _shape(opening, {"salt", "request", "answer"}, f"{where}.opening")
        salt = _bytes16(opening["salt"], f"{where}.opening.salt")
        request = _bytes16(opening["request"], f"{where}.opening.request").hex()
        _canonical(opening["answer"], f"{where}.opening.answer")
        self.claim(
            body_digest(salt, request=request, answer=opening["answer"]) == leaf["data"]["body"],
            (
                f"第 {position} 叶所附的答复就是当时记录的答复",
                f"The answer shown for leaf {position} is the one recorded",
            ),
            (
                f"第 {position} 叶所附的答复不是当时记录的答复",
                f"The answer shown for leaf {position} is NOT the one recorded",
            ),
        )
        if "request" in leaf:
            asked = hashlib.sha256(_canonical(leaf["request"], f"{where}.request")).hexdigest()
            self.claim(
                asked == request,
                (
                    f"第 {position} 叶所附的请求就是当时记录的请求",
                    f"The request shown for leaf {position} is the one recorded",
                ),
                (
                    f"第 {position} 叶所附的请求不是当时记录的请求",
                    f"The request shown for leaf {position} is NOT the one recorded",
                ),
            )


def _shape(value: Any, needed: set[str], where: str, allowed: set[str] | None = None) -> None:
    if not isinstance(value, dict):
        raise _MalformedError(f"{where}: expected an object")
    names = set(value)
    missing, odd = needed - names, names - needed - (allowed or set())
    if missing or odd:
        told = ", ".join(sorted(_shown(name) for name in missing or odd)[:5])
        raise _MalformedError(f"{where}: {'missing' if missing else 'unexpected'} {told}")


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _MalformedError(f"{where}: expected a list")
    return value


def _count(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_LEAVES:
        raise _MalformedError(f"{where}: expected a whole number")
    return value


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _MalformedError(f"{where}: expected a text")
    return value


def _canonical(value: Any, where: str) -> bytes:
    try:
        return canonical(value)
    except ValueError as error:  # half a surrogate pair has no UTF-8
        raise _MalformedError(f"{where}: {_shown(str(error))}") from error


def _proof(value: Any, where: str) -> list[bytes]:
    return [_bytes16(item, f"{where}[{number}]") for number, item in enumerate(_list(value, where))]


def _bytes16(value: Any, where: str) -> bytes:
    text = _string(value, where)
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != HASH_BYTES or found.hex() != text:
        raise _MalformedError(f"{where}: expected 64 hexadecimal digits in lower case")
    return found


def _bytes64(value: Any, length: int, where: str) -> bytes:
    try:
        found = base64.b64decode(_string(value, where), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != length:
        raise _MalformedError(f"{where}: expected {length} bytes in base64")
    return found


def _shown(text: str) -> str:
    """What came from outside, on one line and without characters that a terminal obeys."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in cut)


# The command


def main(arguments: Sequence[str] | None = None) -> int:
    """`python proof.py BUNDLE [--key PUBLICKEY]`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show Chinese shows its code
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    parser = argparse.ArgumentParser(
        prog="proof.py", description="核验日志证明。Verify a bundle of journal proofs.", allow_abbrev=False
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="证明文件 JSON file with the proofs")
    parser.add_argument("--key", metavar="PUBLICKEY", help="公钥：PEM 文件或 base64; public key, a PEM file or base64")
    parser.add_argument("--language", choices=["zh", "en"], default="zh" if named.startswith("zh") else "en")
    given = parser.parse_args(arguments)
    try:
        pinned = None if given.key is None else read_key(_text_of(given.key))
        bundle = parse_bundle(given.bundle.read_bytes())
    except (OSError, ValueError) as error:
        parser.error(str(error))
    report = verify_bundle(bundle, pinned)
    sys.stdout.write(report.render(given.language) + "\n")
    return 0 if report.ok else 1


def _text_of(key: str) -> str:
    path = Path(key)
    return path.read_text(encoding="ascii") if path.is_file() else key


if __name__ == "__main__":
    sys.exit(main())
