"""Geocoding a table: what is asked, what is kept, what a crash or a used-up quota leaves, and that the key is seen nowhere."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from fake_geocoders import BAD_KEY, FOUND, KEY, NONE, QUOTA, serving

from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError
from jiqun.intake import desk, geocode_records, place_room
from jiqun.intake.geocode_records import day_of, digests
from jiqun.intake.geocoding import BATCH, RUN, geocode, plan, start
from jiqun.store import Workspace
from jiqun.store.commands import new_key
from jiqun.store.database import table
from jiqun.store.worker import work

MEMBER = Actor("acc_m", frozenset({"member"}), "o0000001")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def workspace(tmp_path, places, clock):
    made = Workspace.init(tmp_path / "ws", clock=clock)
    shutil.copytree(places, made.cache, dirs_exist_ok=True)
    yield made
    made.close()


@pytest.fixture
def fake(monkeypatch):
    with serving("amap") as fake:
        for name, value in {"KEY": KEY, "URL": fake.url, "PER_SECOND": "0", "PER_DAY": "1000"}.items():
            monkeypatch.setenv(f"JIQUN_AMAP_{name}", value)
        yield fake


def firms(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "企业名称": [f"企业{n:03}" for n in range(count)],
            "地址": [f"深圳市南山区科技南路{n + 1}号" for n in range(count)],
        }
    )


def reopened(workspace, clock):
    """The workspace as a new process sees it, with the settings of now."""
    return Workspace.open(workspace.path, clock=clock)


def silent(step, done, total):
    pass


def ask(workspace, **more):
    options = {"limit": None, "job": new_key(), "report": silent, "sleep": lambda _: None} | more
    return geocode(LOCAL, workspace, "amap", "organisations", **options)


@pytest.fixture
def loaded(workspace, fake, clock):
    desk.load(LOCAL, workspace, firms(45), "organisations")
    opened = reopened(workspace, clock)
    yield opened
    opened.close()


def test_a_plan_says_what_would_be_asked_and_asks_nothing(loaded, fake):
    told = plan(LOCAL, loaded, "amap", "organisations")
    assert (told.rows, told.queries, told.known, told.to_ask, told.today) == (45, 45, 0, 45, 45)
    assert (told.per_day, told.used, told.days, told.has_key) == (1000, 0, 1, True)
    assert plan(LOCAL, loaded, "amap", "organisations", limit=7).to_ask == 7
    assert fake.asked == []
    assert KEY not in told.model_dump_json()


def test_the_answers_place_the_rows_and_say_so(loaded, fake):
    before = loaded.snapshot("organisations")
    done = ask(loaded)
    assert (done.asked, done.found, done.none, done.left, done.paused, done.changed) == (45, 45, 0, 0, False, 45)
    rows = loaded.scan("organisations").collect()
    assert rows["placed_by"].unique().to_list() == ["amap"]
    assert rows["precision_km"].unique().to_list() == [0.1]
    assert rows["lon"].unique().to_list() == pytest.approx([113.93839], abs=1e-3)  # GCJ-02 brought to WGS-84
    snapshot = loaded.snapshot("organisations")
    assert snapshot.previous == before.id
    assert snapshot.summary["derived"] == {"from": before.id, "by": "amap", "changed": 45}
    assert snapshot.summary["next_id"] == before.summary["next_id"]
    assert rows["id"].to_list() == loaded.scan("organisations", before.id).collect()["id"].to_list()


def test_nothing_is_asked_twice_and_a_later_load_finds_the_points_again(loaded, fake):
    ask(loaded)
    asked = len(fake.asked)
    assert ask(loaded).asked == 0
    more = firms(46).with_columns(pl.col("地址").str.replace("深圳市", "深圳市 ").str.replace("1号", "１号"))
    desk.load(LOCAL, loaded, more, "organisations")
    rows = loaded.scan("organisations").collect()
    assert rows["placed_by"].value_counts().sort("count").rows() == [("address", 1), ("amap", 45)]
    assert plan(LOCAL, loaded, "amap", "organisations").to_ask == 1
    assert len(fake.asked) == asked


def test_what_the_service_does_not_know_is_kept_too(loaded, fake):
    fake.behave = lambda number, address: (200, NONE["amap"] if number % 2 else FOUND["amap"])
    done = ask(loaded)
    assert (done.found, done.none) == (22, 23)
    kept = geocode_records.known(loaded, "amap")
    assert kept.filter(~pl.col("found")).height == 23
    with loaded.database.read() as connection:
        at = connection.execute(sa.select(table("geocodes").c.answered_at)).scalars().all()
    assert {day_of(moment) for moment in at} == {"2026-03-01"}
    assert ask(loaded).asked == 0


def test_an_answer_outside_the_named_region_is_not_used_but_warned_of(loaded, fake):
    beijing = {
        **FOUND["amap"],
        "geocodes": [{**FOUND["amap"]["geocodes"][0], "adcode": "110108", "location": "116.3,39.9"}],
    }
    fake.behave = lambda number, address: (200, beijing if address.endswith("路7号") else FOUND["amap"])
    ask(loaded)
    rows = loaded.scan("organisations").collect()
    wrong = rows.filter(pl.col("place_warning") == "JQ-PLACE-017")
    assert wrong["address"].to_list() == ["深圳市南山区科技南路7号"]
    assert wrong["placed_by"].to_list() == ["address"]


def test_the_days_quota_is_never_overdrawn_and_the_rest_goes_on_tomorrow(workspace, fake, clock, monkeypatch):
    desk.load(LOCAL, workspace, firms(45), "organisations")
    monkeypatch.setenv("JIQUN_AMAP_PER_DAY", "30")
    opened = reopened(workspace, clock)
    assert plan(LOCAL, opened, "amap", "organisations").days == 2
    first = start(LOCAL, opened, "amap", "organisations", limit=None, key=new_key())
    assert start(LOCAL, opened, "amap", "organisations", limit=None, key=new_key()) == first  # one at a time
    work(opened, place_room.HANDLERS, once=True, threads=1)
    assert len(fake.asked) == 30
    result = opened.database.jobs.find(first).result
    assert (result["asked"], result["left"], result["paused"]) == (30, 15, True)
    (follower,) = opened.database.jobs.list(kind=RUN, state="queued")
    assert follower.due_at > clock.now
    assert opened.scan("organisations").collect()["placed_by"].value_counts().sort("count").rows() == [
        ("address", 15),
        ("amap", 30),
    ]
    clock.now = follower.due_at
    work(opened, place_room.HANDLERS, once=True, threads=1)
    assert len(fake.asked) == 45
    assert geocode_records.used(opened, "amap") == 15
    assert opened.scan("organisations").collect()["placed_by"].unique().to_list() == ["amap"]
    opened.close()


def test_a_quota_that_the_service_says_is_used_up_pauses_the_job(loaded, fake):
    fake.behave = lambda number, address: (200, QUOTA["amap"] if number > 10 else FOUND["amap"])
    done = ask(loaded)
    assert (done.asked, done.left, done.paused) == (10, 35, True)
    assert geocode_records.used(loaded, "amap") == 11  # what was set aside and not used is given back


def test_a_wrong_key_is_told_and_what_was_answered_is_kept(loaded, fake):
    fake.behave = lambda number, address: BAD_KEY["amap"] if number > 5 else (200, FOUND["amap"])
    with pytest.raises(InputError, match="JQ-PLACE-021"):
        ask(loaded)
    assert geocode_records.known(loaded, "amap").height == 5


def test_one_bad_address_does_not_stop_the_others_but_a_dead_service_does(loaded, fake):
    odd = (200, {"status": "0", "info": "ENGINE_RESPONSE_DATA_ERROR", "infocode": "30001"})
    fake.behave = lambda number, address: odd if address.endswith("路3号") else (200, FOUND["amap"])
    done = ask(loaded)
    assert (done.asked, done.skipped, done.left) == (44, 1, 1)
    fake.behave = lambda number, address: "malformed"
    assert ask(loaded).skipped == 1
    desk.load(LOCAL, loaded, firms(60), "organisations")
    with pytest.raises(Exception, match="JQ-PLACE-023"):
        ask(loaded)


def test_a_limit_holds_over_all_runs_of_a_job(loaded, fake):
    assert ask(loaded, limit=7, job="job_a").asked == 7
    assert ask(loaded, limit=10, job="job_a", attempt=2).asked == 3
    assert ask(loaded, limit=10, job="job_b").asked == 10


def test_given_points_and_coarse_addresses_are_not_asked_for(workspace, fake, clock):
    rows = pl.DataFrame(
        {
            "企业名称": ["甲", "乙", "丙", "丁"],
            "地址": ["深圳市南山区科技南路1号", "深圳市", None, "Main Street 5, Hutchinson, Minnesota, USA"],
            "经度": [113.95, None, None, None],
            "纬度": [22.53, None, None, None],
        }
    )
    desk.load(LOCAL, workspace, rows, "organisations")
    assert plan(LOCAL, workspace, "amap", "organisations").to_ask == 0


def test_a_query_says_what_the_address_leaves_out(workspace, fake, clock):
    rows = pl.DataFrame({"企业名称": ["甲"], "城市": ["福州市"], "地址": ["鼓楼区软件大道89号"]})
    desk.load(LOCAL, workspace, rows, "organisations")
    ask(reopened(workspace, clock))
    assert fake.asked == ["福建省福州市鼓楼区软件大道89号"]


def test_spellings_of_one_address_have_one_digest():
    spelled = pl.DataFrame(
        {"address": ["深圳市 南山区科技路１号", "深圳市南山区科技路1号", "深圳市南山区科技路2号", None, ""]}
    )
    found = digests(spelled).to_list()
    assert found[0] == found[1] != found[2]
    assert found[3:] == [None, None]
    in_city = digests(spelled.with_columns(city=pl.lit("深圳")))
    assert in_city[0] != found[0]


def test_only_operators_and_analysts_may(loaded):
    for refused in (
        lambda: plan(MEMBER, loaded, "amap", "organisations"),
        lambda: start(MEMBER, loaded, "amap", "organisations", limit=1, key=new_key()),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()
    with pytest.raises(UsageError, match="JQ-PLACE-026"):
        plan(LOCAL, loaded, "amap", "sites")
    with pytest.raises(UsageError, match="JQ-PLACE-026"):
        plan(LOCAL, loaded, "amap", "links")


def test_the_key_is_seen_nowhere(loaded, fake, caplog):
    """Not in the logs, in what is stored, in jobs or results, whether it works, is refused, or fails."""
    caplog.set_level(logging.DEBUG)
    job = start(LOCAL, loaded, "amap", "organisations", limit=5, key=new_key())
    work(loaded, place_room.HANDLERS, once=True, threads=1)
    for behaviour in (lambda n, a: BAD_KEY["amap"], lambda n, a: "redirect", lambda n, a: "hangs up"):
        fake.behave = behaviour
        start(LOCAL, loaded, "amap", "organisations", limit=20, key=new_key())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jiqun.intake.geocoders.PAUSE", 0.0)
            work(loaded, place_room.HANDLERS, once=True, threads=1)
    assert loaded.database.jobs.find(job).state == "done"
    assert loaded.settings["amap_key"].value == KEY
    loaded.close()
    with sqlite3.connect(loaded.path / "jiqun.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert "JQ-PLACE-021" in dump
    files = [path for path in loaded.path.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert len(files) > 3
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in dump
    assert KEY not in caplog.text
    assert "科技南路" not in dump  # nor are addresses kept where answers are
    assert "科技南路" not in caplog.text


KILLED = """
import sys
from pathlib import Path
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace
from jiqun.intake import place_room
from jiqun.store.worker import work
work(Workspace.open(Path(sys.argv[1])), place_room.HANDLERS, once=True, threads=1)
"""


def test_a_worker_that_is_killed_goes_on_where_it_was(workspace, fake, clock, monkeypatch):
    """Killed with SIGKILL in the middle: at most one batch is asked again, every row is placed in the end."""
    count = 65
    desk.load(LOCAL, workspace, firms(count), "organisations")
    opened = Workspace.open(workspace.path)
    job = start(LOCAL, opened, "amap", "organisations", limit=None, key=new_key())

    def slowly(number, address):
        time.sleep(0.02)
        return 200, FOUND["amap"]

    fake.behave = slowly
    worker = subprocess.Popen([sys.executable, "-c", KILLED, workspace.path])
    end = time.monotonic() + 120
    while len(fake.asked) < 30 and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    kept = geocode_records.known(opened, "amap").height
    assert 0 < kept < count
    with opened.database._writer.begin() as connection:  # its lease, as if a minute had passed
        connection.execute(sa.update(table("jobs")).values(lease_until=datetime(2020, 1, 1, tzinfo=UTC)))
    work(opened, place_room.HANDLERS, once=True, threads=1)
    done = opened.database.jobs.find(job)
    assert (done.state, done.attempt) == ("done", 2)
    assert len(fake.asked) <= count + BATCH
    assert len(set(fake.asked)) == count
    assert geocode_records.known(opened, "amap").height == count
    assert opened.scan("organisations").collect()["placed_by"].unique().to_list() == ["amap"]
    assert len(fake.asked) <= geocode_records.used(opened, "amap") <= count + 2 * BATCH
    opened.close()
