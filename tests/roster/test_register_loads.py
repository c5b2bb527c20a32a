"""The next load of a register: what people said of its firms stays with them, or is told to hang."""

from __future__ import annotations

import polars as pl
from roster_samples import REGISTER, organisations

from jiqun.core.actor import LOCAL
from jiqun.intake import desk as intake
from jiqun.roster import corrections, desk
from jiqun.roster.derive import derive


def test_a_register_that_writes_cities_otherwise_keeps_what_people_said(workspace, matched):
    desk.decide(LOCAL, workspace, matched.id, 1, "o0000002", "same", key="d1")
    corrections.correct(LOCAL, workspace, "o0000001", {"employees": "77"}, key="c1")
    again = REGISTER.with_columns(pl.col("city") + "市")
    report = intake.load(LOCAL, workspace, again, "organisations", as_of="2024-04-01")
    derive(workspace)
    assert (report.new, report.gone, report.remarks, report.hanging) == (0, 0, (), ())
    assert organisations(workspace).filter(id="o0000001")["employees"].item() == 77


def test_a_load_says_which_decisions_hang_on_firms_that_are_gone(workspace, matched):
    desk.decide(LOCAL, workspace, matched.id, 1, "o0000002", "same", key="d1")
    corrections.correct(LOCAL, workspace, "o0000002", {"employees": "77"}, key="c1")
    renamed = REGISTER.with_columns(name=pl.col("name").replace("浙江南都电源动力股份有限公司", "南都储能股份有限公司"))
    report = intake.load(LOCAL, workspace, renamed, "organisations", as_of="2024-04-01", check_only=True)
    assert [remark.code for remark in report.remarks] == ["JQ-IMPORT-032"]
    assert "o0000002 浙江南都电源动力股份有限公司" in report.remarks[0].message.zh
    assert [(one.organisation, one.decisions, one.corrections, one.statements) for one in report.hanging] == [
        ("o0000002", 1, 1, 0)
    ]
    named = renamed.with_columns(
        former_names=pl.when(pl.col("name") == "南都储能股份有限公司").then(pl.lit("浙江南都电源动力股份有限公司"))
    )
    report = intake.load(LOCAL, workspace, named, "organisations", as_of="2024-04-01")
    derive(workspace)
    assert (report.new, report.gone, report.hanging) == (0, 0, ())
    found = organisations(workspace).filter(id="o0000002")
    assert found.select("name", "employees").row(0) == ("南都储能股份有限公司", 77)
