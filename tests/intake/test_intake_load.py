"""From a file to a snapshot: real registers, repeated loads, bad files, templates and the command line."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from jiqun.cli import intake as commands
from jiqun.core.actor import LOCAL, Actor
from jiqun.core.errors import InputError, PermissionDeniedError, UsageError, WorkspaceError
from jiqun.core.schema import schema, schemas
from jiqun.intake import crs, delimited, desk
from jiqun.intake.columns import recognise
from jiqun.intake.delimited import open_delimited
from jiqun.intake.excel import open_excel
from jiqun.intake.gazetteer import Gazetteer
from jiqun.intake.template import headers, write_template
from jiqun.store import Workspace

TODAY = datetime(2024, 12, 31, tzinfo=UTC)


@pytest.fixture(scope="session")
def gazetteer_cache(tmp_path_factory):
    """The gazetteer, built once."""
    folder = tmp_path_factory.mktemp("gazetteer")
    Gazetteer.load(folder)
    return folder


@pytest.fixture
def workspace(tmp_path, gazetteer_cache) -> Workspace:
    opened = Workspace.init(tmp_path / "ws", clock=lambda: TODAY)
    (opened.path / "cache").symlink_to(gazetteer_cache)
    return opened


def firms(path: Path, rows: list[list[str]], header: str = "企业名称,统一社会信用代码,城市,经度,纬度") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


GOOD = [["甲", "91110000600037341L", "深圳", "113.95", "22.55"], ["乙", "", "深圳", "", ""], ["丙", "", "北京", "", ""]]


def load(workspace, source, table="organisations", **options):
    return desk.load(LOCAL, workspace, source, table, **options)


# Real registers


def test_apple_supplier_sites(shared_data, workspace):
    """776 sites, each a row of its own; a point that does not fit its address is told, never dropped."""
    path = shared_data / "real" / "apple-supplier-sites" / "sites.csv"
    source = pl.read_csv(path, infer_schema=False)
    report = load(workspace, path, "sites")
    assert (report.read, report.kept, report.refused, report.duplicates, report.emptied) == (776, 776, 0, 0, 0)
    rows = workspace.scan("sites").collect()
    assert rows["address"].to_list() == source["address"].to_list()
    assert rows["lon"].to_list() == source["lon"].cast(pl.Float64).to_list()
    assert rows["country"].null_count() <= source["country"].null_count()
    suspect = set(rows.filter(pl.col("x_coord_suspect") == "True")["source_row"])
    assert len(suspect) == 12
    warned = workspace.scan_quarantine(workspace.snapshot("sites")).collect()
    assert set(warned["severity"]) == {"warning"}
    # README of the data: 7 of the 12 are plainly wrong, hundreds of km away
    assert len(suspect & set(warned["row"])) >= 7
    assert rows["id"].n_unique() == 776


def test_listed_firms(shared_data, workspace):
    """3,840 symbols; the Chinese name where there is one, else the English; one row has neither."""
    path = shared_data / "real" / "cn-listed-firms" / "firms.parquet"
    source = pl.read_parquet(path)
    report = load(workspace, path, mapping=[("name_zh", "name"), ("name_en", "name")])
    names = source.select(pl.coalesce("name_zh", "name_en").str.strip_chars())["name_zh"]
    assert (report.read, report.refused, report.duplicates) == (3840, names.null_count(), 0)
    rows = workspace.scan("organisations").collect()
    assert rows["name"].to_list() == names.drop_nulls().to_list()
    kept = source.filter(names.is_not_null())
    assert rows["source_id"].to_list() == kept["symbol"].to_list()
    assert rows["region_code"].to_list() == kept["adcode"].to_list()
    placed = rows.filter(pl.col("placed_by") == "coordinates")
    assert placed.height == kept["lon"].count() == 3463
    refused = (
        workspace.scan_quarantine(workspace.snapshot("organisations")).filter(pl.col("severity") == "refused").collect()
    )
    assert json.loads(refused["raw"][0])["symbol"] == source.filter(names.is_null())["symbol"][0]


def test_listed_firms_without_a_map(shared_data, workspace):
    """The English name stands in for the Chinese one, and every such row is told."""
    path = shared_data / "real" / "cn-listed-firms" / "firms.parquet"
    source = pl.read_parquet(path)
    report = load(workspace, path)
    only_english = source.filter(pl.col("name_zh").is_null() & pl.col("name_en").is_not_null()).height
    assert report.refused == source.filter(pl.all_horizontal(pl.col("name_zh", "name_en").is_null())).height
    assert {p.code: p.count for p in report.problems}["JQ-DATA-030"] == only_english > 300


# Over time


def test_a_second_load_keeps_ids_and_says_what_is_new_and_gone(workspace, tmp_path):
    first = load(workspace, firms(tmp_path / "a.csv", GOOD))
    assert (first.before, first.new, first.gone, first.load) == (None, 3, 0, 1)
    before = dict(workspace.scan("organisations").select("name", "id").collect().iter_rows())
    rows = [["丁", "", "深圳", "", ""], *reversed(GOOD[:2])]
    second = load(workspace, firms(tmp_path / "b.csv", rows))
    assert (second.before, second.new, second.gone, second.load) == (3, 1, 1, 2)
    after = dict(workspace.scan("organisations").select("name", "id").collect().iter_rows())
    assert after == {"丁": "o0000004", "乙": before["乙"], "甲": before["甲"]}
    assert workspace.snapshot("organisations").summary["new"] == 1


def ids(workspace):
    return dict(workspace.scan("organisations").select("name", "id").collect().iter_rows())


def test_a_number_never_serves_twice(workspace, tmp_path):
    """{A, B}, {A}, {A, C}: C is not B; nor is D after going back to the first load."""
    a, b, c, d = ([name, "", "深圳", "", ""] for name in "甲乙丙丁")
    load(workspace, firms(tmp_path / "1.csv", [a, b]))
    given = ids(workspace)
    load(workspace, firms(tmp_path / "2.csv", [a]))
    load(workspace, firms(tmp_path / "3.csv", [a, c]))
    given |= ids(workspace)
    workspace.revert("organisations", to=workspace.history("organisations")[-1].id)
    load(workspace, firms(tmp_path / "4.csv", [a, b, d]))
    for name, id_ in ids(workspace).items():
        assert given.setdefault(name, id_) == id_
    assert sorted(given.values()) == ["o0000001", "o0000002", "o0000003", "o0000004"]


@pytest.mark.parametrize("damage", ["short", "garbage", "empty", "pages", "missing"])
def test_a_damaged_snapshot_is_told(workspace, tmp_path, damage):
    load(workspace, firms(tmp_path / "a.csv", GOOD))
    path = workspace.snapshot("organisations").path
    content = path.read_bytes()
    path.chmod(0o644)
    if damage == "missing":
        path.unlink()
    else:
        pages = b"PAR1" + b"\xff" * (len(content) // 2) + content[4 + len(content) // 2 :]
        path.write_bytes({"short": content[:-20], "garbage": b"x" * 500, "empty": b"", "pages": pages}[damage])
    with pytest.raises(WorkspaceError, match="JQ-STORE-016") as failure:
        load(workspace, firms(tmp_path / "b.csv", GOOD))
    assert "jiqun verify" in failure.value.render("en")
    assert "jiqun revert" in failure.value.render("zh")


def test_check_only_does_all_but_write(workspace, tmp_path):
    path = firms(tmp_path / "a.csv", [*GOOD, ["甲改", "91110000600037341L", "", "", ""]])
    checked = load(workspace, path, check_only=True)
    assert workspace.tables() == ()
    assert checked.snapshot is None
    loaded = load(workspace, path)
    assert loaded.snapshot is not None
    plain = {**loaded.to_dict(), "snapshot": None, "load": None}
    assert checked.to_dict() == plain


def test_when_no_row_is_usable_nothing_changes(workspace, tmp_path):
    load(workspace, firms(tmp_path / "a.csv", GOOD))
    bad = firms(tmp_path / "b.csv", [["", "", "深圳", "", ""], ["=1", "", "", "", ""]])
    with pytest.raises(InputError, match="JQ-FILE-013"):
        load(workspace, bad, quarantine=tmp_path / "q.csv")
    assert workspace.snapshot("organisations").load == 1
    assert pl.read_csv(tmp_path / "q.csv")["code"].to_list() == ["JQ-DATA-001", "JQ-DATA-004"]
    assert load(workspace, bad, check_only=True).kept == 0


def test_where_batches_end_makes_no_difference(workspace, tmp_path, monkeypatch):
    rng = np.random.default_rng(7)
    rows = [[f"企业{rng.integers(30)}", "", ["深圳", "北京"][rng.integers(2)], "", ""] for _ in range(80)]
    path = firms(tmp_path / "a.csv", rows)
    whole = load(workspace, path)
    expected = workspace.scan("organisations").collect()
    found = workspace.scan_quarantine(workspace.snapshot("organisations")).drop("load").collect()
    other = Workspace.init(tmp_path / "other", clock=lambda: TODAY)
    (other.path / "cache").symlink_to(workspace.cache)
    monkeypatch.setattr(delimited, "_MOST_ROWS", 27)
    parts = load(other, path)
    assert other.scan("organisations").collect().equals(expected)
    assert other.scan_quarantine(other.snapshot("organisations")).drop("load").collect().equals(found)
    assert parts.to_dict() == whole.to_dict()
    assert whole.duplicates == 80 - len({(r[0], r[2]) for r in rows})


@pytest.mark.parametrize("kind", ["parquet", "frame", "lazy"])
def test_no_rows_at_all(workspace, tmp_path, kind):
    frame = pl.DataFrame(schema={"name": pl.String, "city": pl.String})
    frame.write_parquet(tmp_path / "a.parquet")
    source = {"parquet": tmp_path / "a.parquet", "frame": frame, "lazy": frame.lazy()}[kind]
    for check_only in (False, True):
        with pytest.raises(InputError, match=r"JQ-FILE-003.*name, city"):
            load(workspace, source, check_only=check_only)
    assert workspace.tables() == ()


@pytest.mark.parametrize(("language", "other"), [("zh", "the required column"), ("en", "必填列")])
def test_one_language_at_a_time(workspace, tmp_path, monkeypatch, language, other):
    monkeypatch.setenv("JIQUN_LANG", language)
    with pytest.raises(InputError, match="JQ-FILE-013") as failure:
        load(workspace, firms(tmp_path / "a.csv", [["", "", "深圳", "", ""]]))
    assert "JQ-FILE-013" in str(failure.value)
    assert other not in str(failure.value)


# Duplicates, quarantine, coordinates


@pytest.mark.parametrize("by", ["name", "link", "hard link"])
def test_findings_never_replace_what_is_loaded(workspace, tmp_path, by):
    path = firms(tmp_path / "a.csv", [*GOOD, ["", "", "", "1", "1"]])
    content, out = path.read_bytes(), path
    if by == "link":
        (out := tmp_path / "b.csv").symlink_to(path)
    elif by == "hard link":
        (out := tmp_path / "b.csv").hardlink_to(path)
    with pytest.raises(UsageError, match="JQ-FILE-030"):
        load(workspace, path, quarantine=out)
    assert path.read_bytes() == content
    assert workspace.tables() == ()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_an_older_export_stays_until_the_new_one_is_complete(workspace, tmp_path, suffix):
    out, real = tmp_path / f"q{suffix}", tmp_path / f"real{suffix}"
    real.write_text("old")
    out.symlink_to(real)
    bad = tmp_path / "none.csv"
    with pytest.raises(InputError, match="JQ-FILE-001"):
        load(workspace, bad, quarantine=out)

    def fail(_):
        raise KeyboardInterrupt

    path = firms(tmp_path / "a.csv", [*GOOD, ["", "", "", "1", "1"]])
    with pytest.raises(KeyboardInterrupt):
        load(workspace, path, quarantine=out, on_problems=fail)
    assert real.read_text() == "old"
    load(workspace, path, quarantine=out)
    assert out.is_symlink()
    assert real.read_bytes() != b"old"
    (folder := tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(InputError, match="JQ-FILE-022"):
        load(workspace, path, quarantine=folder)


def test_duplicates_name_the_row_that_is_kept(workspace, tmp_path):
    rows = [*GOOD, ["甲（新名）", "91110000600037341l", "广州", "", ""], ["乙", "", "北京", "", ""]]
    report = load(workspace, firms(tmp_path / "a.csv", rows))
    assert (report.kept, report.duplicates) == (4, 1)
    found = workspace.scan_quarantine(workspace.snapshot("organisations")).collect()
    row = found.row(0, named=True)
    assert (row["row"], row["column"], row["severity"], row["detail"]) == (5, "统一社会信用代码", "duplicate", "2")
    assert json.loads(row["raw"])["企业名称"] == "甲（新名）"


def test_thirty_per_cent_bad_rows(workspace, tmp_path):
    rows = [[f"企业{k}", "x" if k % 10 == 3 else "", "深圳", "", ""] for k in range(1000)]
    for k in range(0, 1000, 10):
        rows[k] = ["", "", f"无名{k}", "", ""]
    path = firms(tmp_path / "a.csv", rows)
    text = path.read_text(encoding="utf-8").splitlines()
    for k in range(5, 1000, 10):
        text[k + 1] = f"企业{k},多,了,一,列,吧"
    path.write_text("\n".join(text), encoding="utf-8")
    report = load(workspace, path)
    assert (report.read, report.kept, report.refused, report.emptied) == (1000, 800, 200, 100)
    kept = workspace.scan("organisations").collect()
    assert set(kept["source_row"] - 2) == {k for k in range(1000) if k % 10 not in {0, 5}}
    counts = {(p.code, p.severity): p.count for p in report.problems}
    assert counts == {("JQ-DATA-001", "refused"): 100, ("JQ-DATA-002", "refused"): 100, ("JQ-DATA-028", "emptied"): 100}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_quarantine_exports_hold_text_only(workspace, tmp_path, suffix):
    path = firms(tmp_path / "a.csv", [*GOOD, ["=cmd|' /C calc'!A0", "", "深圳", "", ""], ["戊", "+1", "", "", ""]])
    out = tmp_path / f"q{suffix}"
    load(workspace, path, quarantine=out)
    kept = workspace.scan_quarantine(workspace.snapshot("organisations")).collect()
    if suffix == ".xlsx":
        found = fastexcel.read_excel(out).load_sheet(0, dtypes="string").to_polars()
        assert found["value"].to_list() == kept["value"].to_list()
    else:
        found = pl.read_csv(out, infer_schema=False)
        assert found["value"].to_list() == ["'=cmd|' /C calc'!A0", "'+1"]
    assert found.columns == kept.columns
    assert found["code"].to_list() == ["JQ-DATA-004", "JQ-DATA-028"]


def test_an_export_must_have_a_known_ending(workspace, tmp_path):
    with pytest.raises(UsageError, match="JQ-FILE-017"):
        load(workspace, firms(tmp_path / "a.csv", GOOD), quarantine=tmp_path / "q.txt")
    with pytest.raises(InputError, match="JQ-FILE-022"):
        load(workspace, firms(tmp_path / "a.csv", GOOD), quarantine=tmp_path / "none" / "q.csv")
    assert workspace.tables() == ()


@pytest.mark.parametrize("system", ["gcj02", "bd09"])
def test_coordinates_are_kept_in_wgs84(workspace, tmp_path, system):
    lon, lat = crs.from_wgs84([113.95], [22.55], system)
    path = firms(
        tmp_path / "a.csv", [["甲", "", "深圳", repr(float(lon[0])), repr(float(lat[0]))], ["乙", "", "深圳", "", ""]]
    )
    load(workspace, path, crs=system)
    row = workspace.scan("organisations").filter(pl.col("name") == "甲").collect().row(0, named=True)
    assert (row["lon"], row["lat"]) == (pytest.approx(113.95, abs=1e-9), pytest.approx(22.55, abs=1e-9))


def test_what_is_not_given_is_found_by_name(workspace, tmp_path):
    report = load(workspace, firms(tmp_path / "a.csv", [*GOOD, ["戊", "", "深圳", "200", "95"]]))
    rows = {row["name"]: row for row in workspace.scan("organisations").collect().iter_rows(named=True)}
    assert rows["乙"]["placed_by"] == rows["戊"]["placed_by"] == "city"
    assert rows["戊"]["lat"] == pytest.approx(22.5, abs=0.3)
    assert report.precision["1"] + report.precision["10"] == 4
    assert sum(report.precision.values()) == report.kept


def test_coordinates_that_are_all_the_same_are_remarked_on(workspace, tmp_path):
    rows = [[f"企业{k}", "", "深圳", "113.95", "22.55"] for k in range(12)]
    report = load(workspace, firms(tmp_path / "a.csv", rows))
    assert report.kept == 12
    assert any("113.95" in caution.en for caution in report.cautions)
    one = load(workspace, firms(tmp_path / "b.csv", rows[:1]))
    assert (one.kept, one.cautions) == (1, ())


def test_an_identifier_that_identifies_nothing_is_remarked_on(workspace, tmp_path):
    path = firms(tmp_path / "a.csv", [[f"企业{k}", "1"] for k in range(10)], "企业名称,登记号")
    assert any("identify" in caution.en for caution in load(workspace, path).cautions)


def test_dates_are_judged_by_the_as_of_date(workspace, tmp_path):
    path = firms(tmp_path / "a.csv", [["甲", "2024-06-30"]], "企业名称,成立日期")
    assert load(workspace, path).emptied == 0
    report = load(workspace, path, as_of="2024-01-01")
    assert report.emptied == 1
    assert workspace.snapshot("organisations").as_of == date(2024, 1, 1)


def test_a_dataframe_loads_like_a_file(workspace, tmp_path):
    path = firms(tmp_path / "a.csv", GOOD)
    load(workspace, path)
    from_file = workspace.scan("organisations").drop("source_row").collect()
    load(workspace, pl.read_csv(path, infer_schema=False).to_pandas())
    assert workspace.scan("organisations").drop("source_row").collect().equals(from_file)


def test_every_table_loads_from_its_own_template(workspace, tmp_path):
    sample = {
        "string": "甲",
        "code": "A1",
        "integer": "2020",
        "number": "0.5",
        "money": "3万",
        "date": "2020-01-31",
        "boolean": "是",
    }
    special = {
        "uscc": "91110000600037341L",
        "gbt4754": "6513",
        "gbt2260": "440305",
        "country": "CN",
        "lon": "113.95",
        "lat": "22.55",
    }
    within = {"quarter": "4"}
    for table, described in schemas().items():
        row = []
        for attribute in described.attributes:
            kind, _, argument = attribute.check.partition(":")
            usual = within.get(attribute.name) or special.get(kind, sample[attribute.type])
            row.append(argument.split("|")[0] if kind == "enum" else usual)
        for language in ("zh", "en"):
            path = write_template(table, tmp_path / f"{table}-{language}.csv", language)
            with path.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file).writerow(row)
            report = load(workspace, path, table)
            assert (report.kept, report.problems) == (1, ()), table
            assert not any(column.extra for column in report.columns)
            loaded = workspace.scan(table).collect()
            assert all(loaded[name][0] is not None for name in described.names)


@pytest.mark.parametrize("table", sorted(schemas()))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_workbook_templates_name_and_describe_every_column(tmp_path, table, language):
    path = write_template(table, tmp_path / "t.xlsx", language)
    described = schema(table)
    book = fastexcel.read_excel(path)
    first, second = (book.load_sheet(k, header_row=None, dtypes="string", skip_rows=0).to_polars() for k in (0, 1))
    assert first.row(0) == headers(described, language)
    assert [c.target for c in recognise(first.row(0), described)] == list(described.names)
    assert second.height == len(described.names) + 1
    assert second.to_series(1).to_list()[1:] == list(described.names)
    with pytest.raises(InputError, match="JQ-FILE-003"):
        open_excel(path, described)


def test_a_template_must_have_a_known_ending_and_place(tmp_path):
    with pytest.raises(UsageError, match="JQ-FILE-017"):
        write_template("organisations", tmp_path / "t.docx")
    with pytest.raises(InputError, match="JQ-FILE-022"):
        write_template("organisations", tmp_path / "none" / "t.xlsx")
    with pytest.raises(UsageError, match="JQ-USE-001"):
        write_template("firms", tmp_path / "t.xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_template_replaces_nothing_unless_forced(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_text("filled in")
    with pytest.raises(UsageError, match="JQ-FILE-031"):
        write_template("organisations", path)
    assert path.read_text() == "filled in"
    write_template("organisations", path, force=True)
    assert path.read_bytes() != b"filled in"


def test_only_operators_and_analysts_load(workspace, tmp_path):
    with pytest.raises(PermissionDeniedError):
        desk.load(Actor("x", frozenset({"member"})), workspace, firms(tmp_path / "a.csv", GOOD), "organisations")


def test_wrong_use_is_told_before_anything_is_read(workspace, tmp_path):
    path = firms(tmp_path / "a.csv", GOOD)
    for options, code in (
        ({"table": "firms"}, "JQ-USE-001"),
        ({"crs": "mars"}, "JQ-USE-001"),
        ({"sheet": "a"}, "JQ-FILE-014"),
        ({"as_of": "gestern"}, "JQ-STORE-013"),
    ):
        with pytest.raises(UsageError, match=code):
            load(workspace, path, **options)
    assert workspace.tables() == ()


def test_a_failure_in_the_middle_leaves_the_last_state(workspace, tmp_path, monkeypatch):
    load(workspace, firms(tmp_path / "a.csv", GOOD))
    monkeypatch.setattr(delimited, "_MOST_ROWS", 2)
    seen = []

    def fail(problems):
        seen.append(problems)
        raise KeyboardInterrupt

    rows = [*GOOD, *GOOD, *GOOD]
    with pytest.raises(KeyboardInterrupt):
        load(workspace, firms(tmp_path / "b.csv", rows), on_problems=fail, quarantine=tmp_path / "q.xlsx")
    assert len(seen) == 1
    assert workspace.snapshot("organisations").load == 1
    assert not list(tmp_path.glob("*.xlsx"))
    assert not list(tmp_path.glob(".*"))


# Command line


@pytest.fixture
def run(workspace, monkeypatch):
    monkeypatch.setenv("JIQUN_LANG", "en")
    monkeypatch.setenv("JIQUN_WORKSPACE", str(workspace.path))
    app = typer.Typer()
    commands.register(app)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_load_prints_the_report_and_the_way_to_the_rest(run, tmp_path):
    rows = [["甲", "65O3"], ["乙", "6513"], ["丙", "6S13"], ["丁", "9O99"]]
    path = firms(tmp_path / "my firms.csv", rows, "单位,行业代码")
    done = run("load", path, "--as", "organisations", "--map", "单位=name")
    assert done.exit_code == 0
    assert "4 rows read: 4 kept" in done.stdout
    assert f"{path.name} row 2, column 行业代码: '65O3' is not in GB/T 4754-2017." in done.stderr
    see = next(line for line in done.stderr.splitlines() if "2 more have this problem" in line)
    assert see.endswith(f"jiqun load '{path}' --as organisations --map '单位=name' --check-only --code JQ-DATA-014")
    listed = run(
        "load",
        path,
        "--as",
        "organisations",
        "--map",
        "单位=name",
        "--check-only",
        "--code",
        "JQ-DATA-014",
        "-f",
        "json",
    )
    assert [row["row"] for row in json.loads(listed.stdout)] == [2, 4, 5]
    none = run("load", path, "--as", "organisations", "--map", "单位=name", "--code", "JQ-DATA-001", "-f", "json")
    assert json.loads(none.stdout) == []
    unknown = run("load", path, "--as", "organisations", "--code", "JQ-DATA-999")
    assert isinstance(unknown.exception, UsageError)


def test_load_as_json_and_csv(run, tmp_path):
    path = firms(tmp_path / "a.csv", GOOD)
    report = json.loads(run("load", path, "--as", "organisations", "--check-only", "-f", "json").stdout)
    assert (report["kept"], report["snapshot"]) == (3, None)
    counts = pl.read_csv(run("load", path, "--as", "organisations", "-f", "csv").stdout.encode())
    assert dict(counts.select("what", "count").iter_rows())["kept"] == 3


def test_exit_status_1_when_nothing_is_usable(run, tmp_path):
    path = firms(tmp_path / "a.csv", [["", "", "深圳", "", ""]])
    assert run("load", path, "--as", "organisations", "--check-only").exit_code == 1
    assert isinstance(run("load", path, "--as", "organisations").exception, InputError)


def test_template_command(run, tmp_path):
    out = tmp_path / "t.csv"
    assert run("template", "organisations", "-o", out, "--lang", "zh").exit_code == 0
    with pytest.raises(InputError, match="JQ-FILE-003"):
        open_delimited(out, schema("organisations"))
    assert isinstance(run("template", "organisations", "-o", out).exception, UsageError)
    assert run("template", "organisations", "-o", out, "--force").exit_code == 0
