"""The three geocoders, each against a fake that answers as documented, and against fakes that misbehave."""

from __future__ import annotations

import pytest
from fake_geocoders import BAD_KEY, BUSY, FOUND, KEY, NONE, QUOTA, SHENZHEN, serving

from jiqun.core.errors import InputError, JiqunError, UsageError
from jiqun.intake._fetch import usable
from jiqun.intake.crs import to_wgs84
from jiqun.intake.geocoders import (
    PROVIDERS,
    TRIES,
    Geocoder,
    GeocoderBusyError,
    GeocoderQuotaError,
    Query,
    precision_of,
)
from jiqun.store.config import resolve

NAMES = ("tianditu", "amap", "baidu")
QUERY = Query("d" * 64, "广东省深圳市南山区科技南路16号", "深圳市")


@pytest.fixture(params=NAMES)
def fake(request):
    with serving(request.param) as fake:
        yield fake


def settings(fake, monkeypatch, **more):
    upper = f"JIQUN_{fake.name.upper()}"
    for name, value in {"KEY": KEY, "URL": fake.url, "PER_SECOND": "0", **more}.items():
        monkeypatch.setenv(f"{upper}_{name}", value)
    return resolve(None)


@pytest.fixture
def geocoder(fake, monkeypatch):
    naps: list[float] = []
    made = Geocoder(fake.name, settings(fake, monkeypatch), sleep=naps.append, seconds=0.8)
    made.naps = naps
    return made


def spend() -> None:
    pass


def test_an_answer_is_a_point_in_wgs84_with_our_class(fake, geocoder):
    answer = geocoder.ask(QUERY, spend)
    lon, lat = to_wgs84(*SHENZHEN, PROVIDERS[fake.name].crs)
    assert (answer.lon, answer.lat) == pytest.approx((float(lon[0]), float(lat[0])), abs=1e-6)
    assert (answer.found, answer.precision, answer.digest) == (True, "building", QUERY.digest)
    assert answer.region_code == ("440305" if fake.name == "amap" else None)
    assert fake.asked == [QUERY.text]


def test_the_three_systems_differ_by_hundreds_of_metres_and_are_brought_together():
    """天地图 is CGCS2000 and stays; 高德 and 百度 are shifted by some 500 m and 1 km in Shenzhen."""
    points = [to_wgs84(*SHENZHEN, PROVIDERS[name].crs) for name in NAMES]
    east = [float(SHENZHEN[0] - lon[0]) * 102_800 for lon, _ in points]
    assert east[0] == 0
    assert 300 < east[1] < 700
    assert 800 < east[2] < 1_600


def test_no_result_is_an_answer_too(fake, geocoder):
    fake.behave = lambda number, address: (200, NONE[fake.name])
    assert geocoder.ask(QUERY, spend).found is False
    assert len(fake.asked) == 1


def test_a_used_up_quota_is_told_as_such_and_not_tried_again(fake, geocoder):
    fake.behave = lambda number, address: (200, QUOTA[fake.name])
    with pytest.raises(GeocoderQuotaError, match="JQ-PLACE-022"):
        geocoder.ask(QUERY, spend)
    assert len(fake.asked) == 1


def test_a_refused_key_ends_it(fake, geocoder):
    fake.behave = lambda number, address: BAD_KEY[fake.name]
    with pytest.raises(InputError, match="JQ-PLACE-021") as refused:
        geocoder.ask(QUERY, spend)
    assert KEY not in str(refused.value)


def test_a_busy_service_is_asked_again_after_longer_and_longer_pauses(fake, geocoder):
    fake.behave = lambda number, address: BUSY[fake.name] if number < 3 else (200, FOUND[fake.name])
    assert geocoder.ask(QUERY, spend).found
    assert geocoder.naps == [1.0, 2.0]


@pytest.mark.parametrize("how", ["malformed", "not an object", "huge", "slow", "drops", "hangs up"])
def test_what_is_no_usable_answer_is_given_up_after_some_tries(fake, geocoder, how):
    fake.behave = lambda number, address: how
    spent = []
    with pytest.raises(GeocoderBusyError, match="JQ-PLACE-023") as given_up:
        geocoder.ask(QUERY, lambda: spent.append(1))
    assert len(spent) == TRIES
    told = f"{given_up.value.render('zh')} {given_up.value.render('en')} {given_up.value!r}"
    assert KEY not in told
    assert "科技南路" not in told


def test_a_redirect_is_not_followed(fake, geocoder):
    fake.behave = lambda number, address: "redirect"
    with pytest.raises(InputError, match="HTTP 302"):
        geocoder.ask(QUERY, spend)
    assert fake.strangers == 0


def test_answers_of_another_form_are_no_answers(monkeypatch):
    for name, how in (("amap", "other fields"), ("baidu", "out of range")):
        with serving(name) as fake:
            fake.behave = lambda number, address, how=how: how
            made = Geocoder(name, settings(fake, monkeypatch), sleep=lambda _: None)
            with pytest.raises(GeocoderBusyError, match="not as documented"):
                made.ask(QUERY, spend)


def test_requests_keep_their_distance(fake, monkeypatch):
    naps: list[float] = []
    now = [100.0]

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    made = Geocoder(fake.name, settings(fake, monkeypatch, PER_SECOND="4"), sleep=sleep, now=lambda: now[0])
    for _ in range(4):
        made.ask(QUERY, spend)
    assert naps == pytest.approx([0.25] * 3)


def test_a_service_without_a_key_or_over_plain_http_is_refused(fake, monkeypatch):
    with pytest.raises(UsageError, match="JQ-PLACE-020"):
        Geocoder(fake.name, resolve(None))
    with pytest.raises(UsageError, match="JQ-PLACE-024"):
        Geocoder(fake.name, settings(fake, monkeypatch, URL="http://restapi.example.com"))
    with pytest.raises(UsageError, match="JQ-USE-001"):
        Geocoder("google", resolve(None))


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://restapi.amap.com", True),
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://127.0.0.1.example.com", False),
        ("http://user:pw@127.0.0.1", False),
        ("ftp://127.0.0.1", False),
        ("https://a b", False),
        ("https://", False),
        ("https://x?key=1", False),
        ("", False),
    ],
)
def test_only_https_and_this_machine_may_be_asked(url, may):
    assert usable(url) is may


def test_the_published_hosts_are_asked_by_https():
    found = resolve(None)
    assert [str(found[f"{name}_url"].value) for name in NAMES] == [
        "https://api.tianditu.gov.cn",
        "https://restapi.amap.com",
        "https://api.map.baidu.com",
    ]
    assert all(found[f"{name}_key"].setting.secret for name in NAMES)


@pytest.mark.parametrize(
    ("level", "confidence", "precision"),
    [
        ("门址", 100, "building"),
        ("门址", 60, "park"),
        ("道路", 80, "road"),
        ("道路", 30, "town"),
        ("区县", 80, "county"),
        ("城市", 90, "city"),
        ("UNKNOWN", 80, "building"),
        ("UNKNOWN", 20, "county"),
        ("UNKNOWN", 10, "city"),
        ("门址", None, "city"),
    ],
)
def test_baidus_confidence_and_level_together_say_how_exact_it_is(monkeypatch, level, confidence, precision):
    told = {"location": {"lng": 113.9, "lat": 22.5}, "precise": 0, "confidence": confidence, "level": level}
    with serving("baidu") as fake:
        fake.behave = lambda number, address: (200, {"status": 0, "result": told})
        made = Geocoder("baidu", settings(fake, monkeypatch), sleep=lambda _: None)
        assert made.ask(QUERY, spend).precision == precision


@pytest.mark.parametrize(
    ("level", "precision"),
    [
        ("国家", "country"),
        ("省", "province"),
        ("市", "city"),
        ("区县", "county"),
        ("开发区", "county"),
        ("乡镇", "town"),
        ("村庄", "town"),
        ("热点商圈", "park"),
        ("兴趣点", "building"),
        ("门牌号", "building"),
        ("道路", "road"),
        ("道路交叉路口", "road"),
        ("未知", "city"),
        (None, "city"),
    ],
)
def test_levels_of_the_services_are_our_classes(level, precision):
    assert precision_of(level) == precision


def test_errors_of_every_kind_are_coded_in_both_languages():
    for code in ("020", "021", "022", "023", "024", "025", "026"):
        fields = dict.fromkeys(("provider", "variable", "setting", "reason", "value", "table"), "x")
        error = JiqunError(f"JQ-PLACE-{code}", **fields)
        assert error.render("zh") != error.render("en")
