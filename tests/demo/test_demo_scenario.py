"""The demo from end to end: what it finds is what the method says of this registry, twice the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import polars as pl
import pytest

from jiqun.demo import scenario
from jiqun.store import Workspace


@pytest.fixture(scope="module")
def demo(tmp_path_factory, places):
    folder = tmp_path_factory.mktemp("demo") / "ws"
    shutil.copytree(places, Workspace.init(folder).cache, dirs_exist_ok=True)
    return scenario.build(folder)


def test_most_organisations_are_placed_to_the_city(demo):
    """At least 93 % of organisations no coarser than 10 km, and every row is accounted for."""
    load = demo.load
    near = load.precision["1"] + load.precision["10"]
    assert near / load.kept >= 0.93
    assert load.read == load.kept + load.refused + load.duplicates
    assert sum(load.precision.values()) == load.kept
    assert load.refused == 0


def test_known_places_are_found_and_merely_populous_ones_are_not(demo):
    """Places that anyone in the trade would name; and the largest cities, which hold few makers for their people."""
    names = " ".join(demo.result.table("clusters")["name_en"])
    for place in (
        "San Jose",
        "Seoul",
        "Taipei",
        "Shenzhen",
        "Boston",
        "Tokyo",
        "San Diego",
        "Beijing",
        "Austin",
        "Cambridge",
    ):
        assert place in names
    members = demo.result.table("members")
    for city in ("Bengaluru", "Chengdu", "Wuhan", "Mumbai", "Mexico City", "São Paulo", "Lagos"):
        assert members.filter(pl.col("place_name") == city).is_empty()


def test_random_registers_give_no_more_than_alpha_allows(demo):
    assert demo.result.values["draws"] == 199
    assert demo.result.values["false_find_rate"] <= 0.05


def test_a_second_build_computes_nothing_and_gives_the_same_bytes(demo):
    page = demo.report.read_bytes()
    again = scenario.build(demo.workspace.path)
    assert again.load is None
    assert again.result.id == demo.result.id
    assert again.report.read_bytes() == page
    assert demo.workspace.verify() == ()


def test_hong_kong_and_taiwan_are_written_as_part_of_china(demo):
    page = demo.report.read_text(encoding="utf-8")
    assert "中国香港" in page
    assert "中国台湾" in page
    members = demo.result.table("members")
    assert members.filter(pl.col("place_name").is_in(["Hongsi", "Dawan"])).is_empty()


def test_world_list_is_shown_beside_and_whole(demo):
    table = scenario.sanity_table(demo.result)
    assert table["wipo_rank"].to_list() == list(range(1, 11))
    found = table.drop_nulls("rank_here")
    clusters = demo.result.table("clusters")
    for row in found.to_dicts():
        assert clusters.row(row["rank_here"] - 1, named=True)["firms"] == row["firms"]


def test_report_opens_in_a_browser_without_a_request(demo, chromium, tmp_path):
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=4000", "--dump-dom", demo.report.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert dom.count("<section") > demo.result.values["clusters"]
    assert "San Jose" in dom


def test_demo_command_prints_twenty_and_serves_the_console(demo):
    code = "from jiqun.cli import main; main()"
    folder = demo.workspace.path
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", folder, "--no-serve", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(done.stdout)) == 20
    served = subprocess.Popen(
        [sys.executable, "-c", code, "demo", folder, "--serve", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JIQUN_PUBLIC": "true"},
    )
    try:
        address = next(word for line in served.stderr for word in line.split() if word.startswith("http://127.0.0.1:"))
        page = ""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{address}?lang=en", timeout=30) as answer:
                    page = answer.read().decode()
                break
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.1)
        assert "San Jose" in page
    finally:
        served.terminate()
        served.communicate(timeout=60)
    assert served.returncode == 0


def test_a_new_demo_is_open_to_visitors(tmp_path):
    assert scenario._new(tmp_path / "demo").settings["public"].value is True
