"""Fakes of the three geocoders on this machine, answering as each one documents; every misbehaviour can be asked for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "SECRET-key-4f1c9d"
"""What must never be seen anywhere."""
SHENZHEN = (113.9432, 22.5395)
"""The fakes' answer, in their own coordinate system."""

FOUND = {
    "tianditu": {
        "msg": "ok",
        "location": {"score": 95, "level": "门址", "lon": "113.9432", "lat": "22.5395", "keyWord": "…"},
        "searchVersion": "6.4.9V",
        "status": "0",
    },
    "amap": {
        "status": "1",
        "info": "OK",
        "infocode": "10000",
        "count": "1",
        "geocodes": [
            {
                "formatted_address": "广东省深圳市南山区科技南路|16号",
                "country": "中国",
                "province": "广东省",
                "citycode": "0755",
                "city": "深圳市",
                "district": "南山区",
                "township": [],
                "neighborhood": {"name": [], "type": []},
                "building": {"name": [], "type": []},
                "adcode": "440305",
                "street": "科技南路",
                "number": "16号",
                "location": "113.9432,22.5395",
                "level": "门牌号",
            }
        ],
    },
    "baidu": {
        "status": 0,
        "result": {
            "location": {"lng": 113.9432, "lat": 22.5395},
            "precise": 1,
            "confidence": 80,
            "comprehension": 100,
            "level": "门址",
        },
    },
}
NONE = {
    "tianditu": {"msg": "无结果", "searchVersion": "6.4.9V", "status": "101"},
    "amap": {"status": "1", "info": "OK", "infocode": "10000", "count": "0", "geocodes": []},
    "baidu": {"status": 1, "msg": "Internal Service Error:无相关结果", "results": []},
}
QUOTA = {
    "tianditu": {"msg": "已超过当日访问量限制", "resolve": "…", "code": 301014},
    "amap": {"status": "0", "info": "USER_DAILY_QUERY_OVER_LIMIT", "infocode": "10044"},
    "baidu": {"status": 302, "message": "天配额超限，限制访问"},
}
BAD_KEY = {
    "tianditu": (403, {"msg": "非法Key", "resolve": "请到API控制台重新申请Key", "code": 301012}),
    "amap": (200, {"status": "0", "info": "INVALID_USER_KEY", "infocode": "10001"}),
    "baidu": (200, {"status": 200, "message": "APP不存在，AK有误请检查再重试"}),
}
BUSY = {
    "tianditu": (503, {}),
    "amap": (200, {"status": "0", "info": "CUQPS_HAS_EXCEEDED_THE_LIMIT", "infocode": "10021"}),
    "baidu": (200, {"status": 401, "message": "当前并发量已经超过约定并发配额，限制访问"}),
}
PATHS = {"tianditu": "/geocoder", "amap": "/v3/geocode/geo", "baidu": "/geocoding/v3/"}
KEYS = {"tianditu": "tk", "amap": "key", "baidu": "ak"}


class Fake:
    """One service. `behave` says what to answer to the n-th address; `asked` are the addresses, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []
        self.strangers = 0
        self.behave: Callable[[int, str], tuple[int, Any] | str] = lambda number, address: (200, FOUND[name])
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != PATHS[self.name]:
            self.strangers += 1
            return _send(handler, 404, b"{}")
        if asked.get(KEYS[self.name]) != KEY:
            return _send(handler, *_json(*BAD_KEY[self.name]))
        address = json.loads(asked["ds"])["keyWord"] if self.name == "tianditu" else asked["address"]
        self.asked.append(address)
        told = self.behave(len(self.asked), address)
        if isinstance(told, str):
            return _misbehave(handler, told, self.url)
        return _send(handler, *_json(*told))


def _json(status: int, content: Any) -> tuple[int, bytes]:
    return status, json.dumps(content, ensure_ascii=False).encode()


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


PLAIN = {
    "malformed": b'{"status": ',
    "not an object": b"[1, 2]",
    "other fields": b'{"status": "1", "geocodes": [{"place": 1}], "infocode": "10000"}',
    "out of range": b'{"status": 0, "result": {"location": {"lng": 500, "lat": 1}, "confidence": 80, "level": "x"}}',
    "huge": b'{"status": "1", "pad": "' + b"x" * 400_000 + b'"}',
}


def _misbehave(handler: BaseHTTPRequestHandler, how: str, url: str) -> None:
    match how:
        case "redirect":
            _send(handler, 302, b"", Location=f"{url}/elsewhere?stolen={KEY}")
        case "slow":
            time.sleep(1.5)
            _send(handler, 200, b"{}")
        case "drops":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            for _ in range(8):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.25)
        case "hangs up":
            handler.close_connection = True
        case _:
            _send(handler, 200, PLAIN[how])


@contextmanager
def serving(name: str) -> Iterator[Fake]:
    """A fake on a port of its own."""
    fake = Fake(name)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the client has gone
                fake.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
