"""Reports as typed: the ending chooses the form, errors say what to do."""

from __future__ import annotations

import re
import shutil
import zipfile

import docx
import fastexcel
import pytest

from jiqun.store import Workspace

MAGIC = {"docx": b"PK", "xlsx": b"PK", "pdf": b"%PDF", "html": b"<!doctype html>"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory, places):
    """A workspace with two clusters, one of whose firms has a hostile name."""
    from jiqun.atlas import desk  # noqa: PLC0415
    from jiqun.core.actor import LOCAL  # noqa: PLC0415
    from jiqun.intake.desk import load  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("report")
    workspace = Workspace.init(folder / "ws")
    shutil.copytree(places, workspace.cache, dirs_exist_ok=True)
    at = ["Boulder,CO,US"] * 30 + ["Cambridge,,GB"] * 20 + ["Hamburg,,DE", "Berlin,,DE", "Paris,,FR"] * 3
    names = {1: "<b>Maker</b> #panic(1) {{ x }}"}
    lines = [f"{names.get(i, f'Maker {i}')},{place},3" for i, place in enumerate(at)]
    (folder / "firms.csv").write_text("\n".join(["企业名称,城市,省份,国家,规模", *lines]), encoding="utf-8")
    load(LOCAL, workspace, folder / "firms.csv", "organisations", as_of="2024-05-01")
    desk.run(LOCAL, workspace, desk.Search(coverage="world", eps_km=20, size="size"))
    return folder / "ws"


@pytest.mark.usefixtures("cjk_font")
@pytest.mark.parametrize("form", MAGIC)
@pytest.mark.parametrize("command", [["cluster", "boulder"], ["region", "United Kingdom"], ["atlas"]])
def test_the_ending_chooses_the_form(run, searched, tmp_path, command, form):
    target = tmp_path / f"report.{form}"
    code, out, err = run("report", *command, "-o", target, "-w", searched, "--lang", "zh")
    assert code == 0, err
    assert out == ""
    assert str(target) in err
    assert target.read_bytes().startswith(MAGIC[form])


def test_a_report_speaks_the_language_asked_for_and_bears_the_day(run, searched, tmp_path):
    for language, word in (("zh", "方法与来源"), ("en", "Method and lineage")):
        target = tmp_path / f"{language}.docx"
        assert run("report", "cluster", "c0001", "-o", target, "-w", searched, "--lang", language)[0] == 0
        file = docx.Document(target)
        texts = [paragraph.text for paragraph in file.paragraphs]
        assert word in texts
        assert any(re.fullmatch(r"(制成日期|Made on) \d{4}-\d\d-\d\d", text) for text in texts)
        assert any("<b>Maker</b> #panic(1) {{ x }}" in cell.text for table in file.tables for cell in table._cells)
    assert run("report", "cluster", "c0001", "-o", tmp_path / "a.xlsx", "-w", searched, "--lang", "en")[0] == 0
    assert fastexcel.read_excel(tmp_path / "a.xlsx").sheet_names[0] == "About"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["cluster", "boulder", "-o", "a.odt"], 2, "JQ-USE-001"),
        (["cluster", "nowhere", "-o", "a.docx"], 2, "JQ-ATLAS-014"),
        (["region", "nowhere", "-o", "a.docx"], 2, "JQ-ATLAS-019"),
        (["cluster", "boulder", "-o", "absent/a.xlsx"], 2, "JQ-USE-005"),
        (["cluster", "boulder", "-o", "a.pdf", "--template", "own.docx"], 2, "JQ-REPORT-005"),
        (["cluster", "boulder", "-o", "a.docx", "--template", "own.docx"], 1, "JQ-REPORT-002"),
        (["atlas", "-o", "a.docx", "-d", "01"], 1, "JQ-ATLAS-013"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    run, searched, tmp_path, monkeypatch, arguments, status, told
):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("report", *arguments, "-w", searched)
    assert (code, told in err) == (status, True), err
    assert list(tmp_path.iterdir()) == []


def test_an_offices_template_is_used(run, searched, tmp_path):
    own = docx.Document()
    for paragraph in ("函头", "{{ title }}", "{{p body }}"):
        own.add_paragraph(paragraph)
    own.save(tmp_path / "own.docx")
    target = tmp_path / "a.docx"
    code, _, err = run(
        "report", "cluster", "boulder", "-o", target, "-w", searched, "--template", tmp_path / "own.docx"
    )
    assert code == 0, err
    assert docx.Document(target).paragraphs[0].text == "函头"
    assert zipfile.ZipFile(target).testzip() is None
