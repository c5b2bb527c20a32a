"""Uploads as they come 上传流: fields first, then a file, of which no more than one piece is ever held.

The framework's own reader would put the whole file aside before a handler is called; here the handler reads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator

import anyio.from_thread
from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from jiqun.core.errors import InputError

_MOST_FIELDS = 20
_LONGEST_FIELD = 4_096


def pieces(request: Request) -> Iterator[bytes]:
    """The body of a request as it comes, for a handler that runs in a thread.

    Raises
    ------
    InputError
        JQ-IMPORT-023: the sender went away.
    """
    stream = request.stream()

    async def following(source: AsyncIterator[bytes]) -> bytes | None:
        return await anext(source, None)

    try:
        while (piece := anyio.from_thread.run(following, stream)) is not None:
            if piece:
                yield piece
    except ClientDisconnect as error:
        raise InputError("JQ-IMPORT-023") from error


class Form:
    """A form with one file, which comes last: read `fields`, then `filename`, then iterate `file`.

    Of a field longer than `longest` bytes the rest is read and dropped, and `too_long` has its size; without `longest`
    such a form is refused.

    Raises
    ------
    InputError
        JQ-IMPORT-023: not a form, cut off, or more than fields and one file.
    """

    def __init__(self, content_type: str, body: Iterator[bytes], *, longest: int | None = None) -> None:
        kind, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise InputError("JQ-IMPORT-023")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.too_long: dict[str, int] = {}
        self._longest = longest
        self._body = body
        self._head: dict[bytes, bytes] = {}
        self._field, self._is_file = "", False
        self._parts = 0
        self._name, self._header, self._value = bytearray(), bytearray(), bytearray()
        self._waiting: deque[bytes] = deque()
        self._ended = False
        callbacks = {
            "on_part_begin": self._part,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        while self.filename is None and self._more():
            pass

    @property
    def file(self) -> Iterator[bytes]:
        """The file's content, piece by piece."""
        while self._waiting or self._more():
            while self._waiting:
                yield self._waiting.popleft()

    def _more(self) -> bool:
        if self._ended:
            return False
        piece = next(self._body, None)
        if piece is None:
            raise InputError("JQ-IMPORT-023")
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise InputError("JQ-IMPORT-023") from error
        return True

    def _part(self) -> None:
        self._parts += 1
        if self.filename is not None or self._parts > _MOST_FIELDS + 1:
            raise InputError("JQ-IMPORT-023")
        self._head, self._value = {}, bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_end(self) -> None:
        self._head[bytes(self._name).lower()] = bytes(self._header)
        self._name, self._header = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, parameters = parse_options_header(self._head.get(b"content-disposition", b""))
        self._field = parameters.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in parameters
        if self._is_file:
            # browsers write a quote so, and nothing else
            self.filename = parameters[b"filename"].decode("utf-8", "replace").replace("%22", '"')

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._waiting.append(data[start:end])
            return
        most = _LONGEST_FIELD if self._longest is None else self._longest
        if len(self._value) + end - start <= most:
            self._value += data[start:end]
        elif self._longest is None:
            raise InputError("JQ-IMPORT-023")
        else:
            self.too_long[self._field] = self.too_long.get(self._field, len(self._value)) + end - start
            self._value += data[start : start + most - len(self._value)]

    def _part_end(self) -> None:
        if not self._is_file:
            self.fields[self._field] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True
