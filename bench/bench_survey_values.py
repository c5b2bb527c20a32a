"""Indicators from survey rounds: 100,000 made-up forms of 30 questions in five rounds, as values of 300 clusters; the peer is
a loop over the same answers for one indicator, times thirty."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
from measure import cost
from sqlalchemy import insert, update

from jiqun.assess.framework import Framework, parse_framework
from jiqun.assess.survey_values import surveyed
from jiqun.core.actor import LOCAL
from jiqun.store import Workspace
from jiqun.store.commands import Transaction
from jiqun.store.database import new_key, table
from jiqun.survey import records, rounds
from jiqun.survey.questions import Question
from jiqun.survey.records import Roster
from jiqun.survey.rounds import Spec

FIRMS, ROUNDS, QUESTIONS, CLUSTERS, YEAR = 20_000, 5, 30, 300, 2024
CODES = [f"q{k}" for k in range(QUESTIONS)]


def framework() -> Framework:
    """An indicator of each question, by turns a mean, a sum, a median and a weighted mean."""
    ways = ("mean", "sum", "median", "weighted_mean")
    rows = ["kind,code,parent,zh,en,version,unit,source,origin,question,aggregate,weigh_by"]
    rows += ["framework,bench,,测试,Benchmark,1,,,,,,", "dimension,index,,指数,Index,,,,,,,"]
    for k, code in enumerate(CODES):
        way = ways[k % 4]
        by = "employees" if way == "weighted_mean" else ""
        rows.append(f"indicator,i{code},index,指标,indicator,,次,synthetic,survey,{code},{way},{by}")
    return parse_framework("\n".join(rows), "bench.csv")


def filled(folder: Path) -> None:
    """Five closed rounds, each answered by everyone."""
    workspace, draw = Workspace.init(folder), random.Random(1)
    firms = [f"o{k:07d}" for k in range(FIRMS * ROUNDS)]
    with workspace.new_snapshot("organisations", as_of="2025-01-01", source="synthetic") as writer:
        writer.write(pl.DataFrame({"id": firms, "name": firms, "employees": [1 + k % 90 for k in range(len(firms))]}))
    asked = tuple(Question(code=code, zh=code, en=code, type="number", unit="次") for code in CODES)
    today = workspace.clock().date()
    answers, roster = table("survey_answers"), table("survey_roster")
    for at in range(ROUNDS):
        part = tuple(firms[at * FIRMS : (at + 1) * FIRMS])
        spec = Spec(
            kind="indicators", title_zh="合成", title_en="synthetic", year=YEAR, questions=asked, opens_on=today,
            closes_on=today + timedelta(days=9), roster=Roster(scope="list", organisations=part),
        )  # fmt: skip
        survey = rounds.new(LOCAL, workspace, spec, key=new_key()).id
        rounds.open_round(LOCAL, workspace, survey, tell=False, key=new_key())

        def put(tx: Transaction, survey: str = survey, part: tuple[str, ...] = part) -> None:
            same = {
                "survey": survey,
                "version": 1,
                "state": "submitted",
                "given": {},
                "actor": "synthetic",
                "at": tx.now,
            }
            for start in range(0, FIRMS, 2_000):
                rows = [
                    same | {"organisation": one, "kept": {code: round(100 * draw.random(), 3) for code in CODES}}
                    for one in part[start : start + 2_000]
                ]
                tx.connection.execute(insert(answers), rows)
            tx.execute(update(roster).where(roster.c.survey == survey).values(state="answered", answered=1, version=1))

        workspace.database.command(LOCAL, new_key(), "bench", put)
        rounds.lock(LOCAL, workspace, survey, key=new_key())
    workspace.close()


def belonging() -> pl.DataFrame:
    """Each firm in one of the clusters."""
    draw = random.Random(2)
    firms = [f"o{k:07d}" for k in range(FIRMS * ROUNDS)]
    return pl.DataFrame({"unit": [f"c{draw.randrange(CLUSTERS)}" for _ in firms], "organisation": firms})


def whole(folder: str) -> Callable[[], int]:
    """All indicators."""
    workspace, told, belongs = Workspace.open(folder), framework(), belonging()
    return lambda: surveyed(workspace, told, told.codes, belongs, YEAR).cells.height


def loop(folder: str) -> Callable[[], int]:
    """The mean of one question, one answer after the other."""
    workspace, inside = Workspace.open(folder), dict(belonging().select("organisation", "unit").iter_rows())

    def one_by_one() -> int:
        found: dict[str, list[float]] = {}
        for each in records.rounds(workspace):
            for answer in records.handed_in(workspace, each.id):
                found.setdefault(inside[answer.organisation], []).append(float((answer.kept or {})["q0"]))
        return len({unit: sum(values) / len(values) for unit, values in found.items()})

    return one_by_one


def main() -> None:
    """Print CPU and wall seconds and memory, and the ratio to the loop."""
    with tempfile.TemporaryDirectory() as folder:
        filled(Path(folder) / "workspace")
        path = str(Path(folder) / "workspace")
        found, peer = cost(whole, path), cost(loop, path)
        print(
            f"{FIRMS * ROUNDS:,} forms x {QUESTIONS} questions, {CLUSTERS} clusters, {found.answer:,} values: "
            f"{found.cpu:5.1f} CPU s  {found.wall:5.1f} s  {found.peak_mb:5.0f} MB; "
            f"{QUESTIONS * peer.wall / found.wall:.1f} x as fast as one loop for each indicator",
            flush=True,
        )


if __name__ == "__main__":
    main()
