"""Geocoders 地理编码服务: 天地图, 高德, 百度, each asked with the user's own key, answered in WGS-84 and our classes.

What each one documents decides here what is a result, none, a used-up quota, a refused key, or a bad moment:

- 天地图 (lbs.tianditu.gov.cn, 地理编码查询): `/geocoder?ds={"keyWord":…}&tk=`; status "0" found, "101" none; CGCS2000;
- 高德 (lbs.amap.com, Web 服务 API, 地理编码): `/v3/geocode/geo`; status "1", `count` "0" none; infocode; GCJ-02;
- 百度 (lbsyun.baidu.com, 地理编码 v3): `/geocoding/v3/`; status 0 found, 1 none; confidence by error; BD-09.

A user must follow the terms of the service on asking, storing and showing results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.intake._fetch import UnusableError, get_json, usable
from jiqun.intake.address import DETAILS
from jiqun.intake.crs import Crs, to_wgs84
from jiqun.store.config import Resolved

TRIES: Final = 4
"""How often one address is asked while the service is busy or out of reach."""
PAUSE: Final = 1.0
"""Seconds before the second try; twice as long before each further one."""
LONGEST_QUERY: Final = 120
_GREATEST_LON, _GREATEST_LAT = 180.0, 90.0


class GeocoderBusyError(JiqunError):
    """No usable answer now; there may be one later 暂无应答."""


class GeocoderQuotaError(JiqunError):
    """The day's quota is used up 额度用完."""


@dataclass(frozen=True)
class Query:
    """One address to ask for 查询; `city` narrows it down where it is known."""

    digest: str
    text: str
    city: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a geocoder said of one address 应答; degrees WGS-84. `found` False: it knows no such address."""

    digest: str
    found: bool
    lon: float | None = None
    lat: float | None = None
    precision: str | None = None
    level: str | None = None
    confidence: float | None = None
    region_code: str | None = None


_QUOTA, _BUSY, _REFUSED = "quota", "busy", "refused"


class _Trouble(Exception):  # noqa: N818  # never leaves this module
    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


@dataclass(frozen=True)
class Provider:
    """One service: what to ask, and how to read the answer."""

    name: str
    title: str
    crs: Crs
    target: Callable[[Query, str], str]
    read: Callable[[Any], Mapping[str, Any] | None]
    refusal: Callable[[Any], tuple[str, str] | None]


_LEVELS = {
    "building": "门址 门牌号 单元号 兴趣点 商务大厦 地产小区 政府机构 餐饮 宾馆 购物 生活服务 丽人 旅游景点 休闲娱乐 运动健身 教育 文化传媒 医疗 汽车服务 "
    "金融 房地产 公司企业 行政地标",
    "park": "热点商圈 商圈 园区 公交站台、地铁站 交通设施",
    "road": "道路 道路交叉路口 街道 路口 交叉路口",
    "town": "乡镇 乡镇街道 村庄 自然村",
    "county": "区县 开发区 区县级",
    "city": "城市 市 地级市",
    "province": "省 省级",
    "country": "国家",
}  # fmt: skip
_CLASS = {word: name for name, words in _LEVELS.items() for word in words.split()}
_UNKNOWN = "city"
"""What a level that is not documented is taken for: it must not look finer than it is."""


def precision_of(level: object) -> str:
    """Our class for a service's level 级别.

    Examples
    --------
    >>> precision_of("门牌号"), precision_of("区县"), precision_of("something new")
    ('building', 'county', 'city')
    """
    return _CLASS.get(str(level or "").strip(), _UNKNOWN)


def _coarser(one: str, other: str) -> str:
    return max(one, other, key=DETAILS.index)


def _tianditu_target(query: Query, key: str) -> str:
    asked = json.dumps({"keyWord": query.text}, ensure_ascii=False, separators=(",", ":"))
    return f"/geocoder?ds={quote(asked)}&tk={quote(key)}"


def _tianditu_read(content: Any) -> Mapping[str, Any] | None:
    status = str(content.get("status"))
    if status == "101":
        return None
    if status != "0":
        raise _Trouble(_BUSY, f"status {_short(status)}")
    place = content.get("location")
    if not place:
        return None
    return {
        "lon": place["lon"],
        "lat": place["lat"],
        "level": place.get("level"),
        "precision": precision_of(place.get("level")),
        "confidence": place.get("score"),
    }


def _tianditu_refusal(content: Any) -> tuple[str, str] | None:
    """天地图 tells of keys and quotas by `code` beside status 403 or 418, or with 200."""
    code = str(content.get("code", ""))
    if not code or "status" in content:
        return None
    words = str(content.get("msg", ""))
    if "超" in words or ("限" in words and "量" in words):
        return _QUOTA, f"code {_short(code)}"
    return _REFUSED, f"code {_short(code)}"


def _amap_target(query: Query, key: str) -> str:
    asked = {"address": query.text, "output": "JSON", "key": key}
    if query.city:
        asked["city"] = query.city
    return f"/v3/geocode/geo?{urlencode(asked)}"


def _amap_read(content: Any) -> Mapping[str, Any] | None:
    found = content.get("geocodes")
    if not found:
        return None
    first = found[0]
    lon, lat = str(first["location"]).split(",")
    return {
        "lon": lon,
        "lat": lat,
        "level": first.get("level"),
        "precision": precision_of(first.get("level")),
        "region_code": first.get("adcode"),
    }


_AMAP_QUOTA = {"10003", "10044", "10045", "40000", "40002", "40003"}
# 2xxxx and 3xxxx are about one address or the engine behind it: the next one may do
_AMAP_BUSY = {
    "10004",
    "10014",
    "10015",
    "10016",
    "10017",
    "10019",
    "10020",
    "10021",
    "10022",
    "10023",
    "10029",
    "20003",
}


def _amap_refusal(content: Any) -> tuple[str, str] | None:
    code = str(content.get("infocode", ""))
    if str(content.get("status")) == "1":
        return None
    kind = _QUOTA if code in _AMAP_QUOTA else _BUSY if code in _AMAP_BUSY or code[:1] in {"2", "3"} else _REFUSED
    return kind, f"infocode {_short(code)}"


def _baidu_target(query: Query, key: str) -> str:
    # documented: at most 84 bytes
    text = query.text.encode()[:84].decode(errors="ignore")
    asked = {"address": text, "output": "json", "ak": key}
    if query.city:
        asked["city"] = query.city
    return f"/geocoding/v3/?{urlencode(asked)}"


_BAIDU_CONFIDENCE = ((80, "building"), (50, "park"), (40, "road"), (30, "town"), (20, "county"))
"""Confidence by error as documented: >= 80 within 100 m, 50 within 1 km, 40 2 km, 30 5 km, 20 10 km."""


def _baidu_read(content: Any) -> Mapping[str, Any] | None:
    if content.get("status") == 1:
        return None
    place = content["result"]
    level, confidence = place.get("level"), place.get("confidence")
    sure = 0.0 if confidence is None else float(confidence)
    by_error = next((name for least, name in _BAIDU_CONFIDENCE if sure >= least), "city")
    return {
        "lon": place["location"]["lng"],
        "lat": place["location"]["lat"],
        "level": level,
        "precision": _coarser(_CLASS.get(str(level), by_error), by_error),
        "confidence": confidence,
    }


def _baidu_refusal(content: Any) -> tuple[str, str] | None:
    status = content.get("status")
    if status in {0, 1}:
        return None
    if status in {4, 301, 302}:
        kind = _QUOTA
    else:
        kind = _BUSY if status in {401, 402} or not isinstance(status, int) or isinstance(status, bool) else _REFUSED
    return kind, f"status {_short(status)}"


PROVIDERS: Final[Mapping[str, Provider]] = {
    provider.name: provider
    for provider in (
        Provider("tianditu", "天地图", "wgs84", _tianditu_target, _tianditu_read, _tianditu_refusal),
        Provider("amap", "高德", "gcj02", _amap_target, _amap_read, _amap_refusal),
        Provider("baidu", "百度", "bd09", _baidu_target, _baidu_read, _baidu_refusal),
    )
}
"""The services by name."""


class Geocoder:
    """A service with its key 地理编码器, asked no faster than it may be; `sleep` and `now` are given by tests."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Resolved],
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        seconds: float = 10.0,
    ) -> None:
        """Take key, address and rate from the settings.

        Raises
        ------
        UsageError
            JQ-USE-001: no such service; JQ-PLACE-020: it has no key; JQ-PLACE-024: its address is neither https nor of
            this machine.
        """
        self.provider = find_provider(name)
        title = self.provider.title
        self._key = str(settings[f"{name}_key"].value).strip()
        self._base = str(settings[f"{name}_url"].value).strip()
        if not self._key:
            setting = settings[f"{name}_key"].setting
            raise UsageError("JQ-PLACE-020", provider=title, variable=setting.environment, setting=setting.name)
        if not usable(self._base):
            raise UsageError("JQ-PLACE-024", provider=title, value=self._base, setting=f"{name}_url")
        self.per_day = int(float(settings[f"{name}_per_day"].value))
        rate = float(settings[f"{name}_per_second"].value)
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._sleep, self._now, self._seconds = sleep, now, seconds
        self._next = 0.0

    def ask(self, query: Query, spend: Callable[[], None]) -> Answer:
        """One address 查询一个地址. `spend` is called before every request and may forbid it.

        Raises
        ------
        GeocoderQuotaError
            JQ-PLACE-022: the service says that the quota is used up (or `spend` does).
        GeocoderBusyError
            JQ-PLACE-023: no usable answer after `TRIES` requests.
        InputError
            JQ-PLACE-021: it refuses the key, or leads elsewhere.
        """
        pause = PAUSE
        for left in reversed(range(TRIES)):
            spend()
            self._wait()
            try:
                return self._once(query)
            except _Trouble as trouble:
                title = self.provider.title
                if trouble.kind == _REFUSED:
                    raise InputError("JQ-PLACE-021", provider=title, reason=trouble.reason) from None
                if trouble.kind == _QUOTA:
                    raise GeocoderQuotaError("JQ-PLACE-022", provider=title, reason=trouble.reason) from None
                if not left:
                    raise GeocoderBusyError("JQ-PLACE-023", provider=title, reason=trouble.reason) from None
            self._sleep(pause)
            pause *= 2
        raise AssertionError  # the loop returns or raises

    def _wait(self) -> None:
        now = self._now()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._interval

    def _once(self, query: Query) -> Answer:
        try:
            content = get_json(self._base, self.provider.target(query, self._key), seconds=self._seconds)
        except UnusableError as error:
            raise self._trouble(error) from None
        if not isinstance(content, dict):
            raise _Trouble(_BUSY, "no object")
        refusal = self.provider.refusal(content)
        if refusal is not None:
            raise _Trouble(*refusal)
        try:
            told = self.provider.read(content)
            return _answer(query, told, self.provider.crs)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise _Trouble(_BUSY, "not as documented") from None

    def _trouble(self, error: UnusableError) -> _Trouble:
        if isinstance(error.content, dict):
            refusal = self.provider.refusal(error.content)
            if refusal is not None:
                return _Trouble(*refusal)
        if error.status in {401, 403} or 300 <= error.status < 400:
            return _Trouble(_REFUSED, error.reason)
        return _Trouble(_BUSY, error.reason)


def find_provider(name: str) -> Provider:
    """One service by name.

    Raises
    ------
    UsageError
        JQ-USE-001: no such service.
    """
    if name not in PROVIDERS:
        raise UsageError("JQ-USE-001", what="provider", value=name, known=", ".join(PROVIDERS))
    return PROVIDERS[name]


def _answer(query: Query, told: Mapping[str, Any] | None, crs: Crs) -> Answer:
    if told is None:
        return Answer(query.digest, found=False)
    lon, lat = float(told["lon"]), float(told["lat"])
    if not (abs(lon) <= _GREATEST_LON and abs(lat) <= _GREATEST_LAT):
        raise ValueError("out of range")
    if lon == 0 and lat == 0:
        return Answer(query.digest, found=False)
    x, y = to_wgs84(lon, lat, crs)
    confidence = told.get("confidence")
    code = str(told.get("region_code") or "")
    return Answer(
        query.digest,
        found=True,
        lon=round(float(x[0]), 6),
        lat=round(float(y[0]), 6),
        precision=str(told["precision"]),
        level=_short(told.get("level")) or None,
        confidence=None if confidence is None else float(confidence),
        region_code=code if code.isdecimal() and len(code) == 6 else None,
    )


def _short(value: object) -> str:
    """What a service says, short enough for a message: it is not ours to believe."""
    return str(value if value is not None else "")[:40]
