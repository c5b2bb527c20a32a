"""`jiqun report`: what was found, as a file to hand on: Word, PDF, Excel or a page of its own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jiqun.accounts.mine import unpublished
from jiqun.assess.annual_report import annual_report
from jiqun.atlas import desk, measured
from jiqun.atlas.documents import atlas_document, cluster_document, measures_beside, measures_document, region_document
from jiqun.atlas.documents.measured import REPORT_ROWS
from jiqun.atlas.subject import subject_of
from jiqun.cli.atlas import Digital, RunId
from jiqun.cli.output import say
from jiqun.cli.workspace import WorkspaceOption, open_workspace
from jiqun.core.actor import LOCAL
from jiqun.core.clock import Clock
from jiqun.core.document import Document
from jiqun.core.errors import Language, UsageError, current_language
from jiqun.report.render import MEDIA_TYPES, render
from jiqun.store import StoredResult


class Tongue(StrEnum):
    """A language of reports."""

    zh = "zh"
    en = "en"


Output = Annotated[Path, typer.Option("--output", "-o", help="File to write: .docx .pdf .xlsx .html")]
LanguageOption = Annotated[
    Tongue | None, typer.Option("--lang", help="Language of the report; default: that of messages. HTML holds both.")
]
Template = Annotated[
    Path | None, typer.Option("--template", metavar="DOCX", help="Your own Word template, for .docx.", dir_okay=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands that write reports."""
    report = typer.Typer(no_args_is_help=True, help="报告 Reports: Word, PDF, Excel, HTML.")
    app.add_typer(report, name="report")
    report.command("cluster")(cluster)
    report.command("region")(region)
    report.command("atlas")(atlas)
    report.command("measures")(measures)
    report.command("assess")(assess)


def cluster(
    name: Annotated[str, typer.Argument(help="Id such as c0001, or a name.")],
    output: Output,
    language: LanguageOption = None,
    template: Template = None,
    digital: Digital = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Report on one cluster 集群报告: key figures, map, members, method, lineage.

    Example: jiqun report cluster "San Jose" -o san-jose.docx --lang en
    """
    opened = open_workspace(workspace)
    result = desk.current(LOCAL, opened, digital, run_id)
    found = desk.find(LOCAL, result, name)
    document = cluster_document(opened, result, found["cluster_id"], full=True)
    write(document, output, language, template, opened.clock)


def region(
    name: Annotated[str, typer.Argument(help="Code such as US or US.CA, or a name.")],
    output: Output,
    language: LanguageOption = None,
    template: Template = None,
    digital: Digital = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Report on one region 地区报告: its firms beside its population, its clusters, its neighbours.

    Example: jiqun report region 加拿大 -o canada.pdf --lang zh
    """
    opened = open_workspace(workspace)
    result = desk.current(LOCAL, opened, digital, run_id)
    write(region_document(opened, result, _code(result, name)), output, language, template, opened.clock)


def atlas(
    output: Output,
    language: LanguageOption = None,
    template: Template = None,
    digital: Digital = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Report on a whole run 图谱报告: map, ranked table, a section for each cluster.

    Example: jiqun report atlas -o atlas.pdf
    """
    opened = open_workspace(workspace)
    result = desk.current(LOCAL, opened, digital, run_id)
    write(
        atlas_document(
            result, subject_of(opened, result), measures_beside(LOCAL, opened, result), hidden=unpublished(opened)
        ),
        output,
        language,
        template,
        opened.clock,
    )


def measures(
    output: Output,
    language: LanguageOption = None,
    template: Template = None,
    run_id: RunId = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Report on the register's measures 测度报告: concentration, distances with bands, complexity, neighbours.

    Example: jiqun report measures -o measures.docx --lang zh
    """
    opened = open_workspace(workspace)
    result = measured.current(LOCAL, opened, run_id)
    most = None if output.suffix.lower() == ".xlsx" else REPORT_ROWS
    write(measures_document(result, subject_of(opened, result), most=most), output, language, template, opened.clock)


def assess(
    output: Output,
    language: LanguageOption = None,
    template: Template = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Annual assessment report 年度评估报告: indices with rank intervals, frontiers, and what is missing.

    Example: jiqun report assess -o assessment.docx --lang zh
    """
    opened = open_workspace(workspace)
    write(annual_report(opened, LOCAL), output, language, template, opened.clock)


def _code(result: StoredResult, name: str) -> str:
    """The code of the only region of that code or name; else what was given, which the atlas then refuses."""
    if "regions" not in result.tables:
        return name
    low = name.strip().lower()
    known = result.table("regions").select("region", "name_zh", "name_en").iter_rows()
    found = [names[0] for names in known if low in (str(each).lower() for each in names)]
    return found[0] if len(found) == 1 else name


def write(document: Document, output: Path, language: Tongue | None, template: Path | None, clock: Clock) -> None:
    """Write a document in the form that the file's ending names; it bears today's date.

    Raises
    ------
    UsageError
        JQ-USE-001: another ending. JQ-USE-005: the file cannot be written. Else as `jiqun.report.render`.
    """
    form = output.suffix.lower().removeprefix(".")
    if form not in MEDIA_TYPES:
        known = ", ".join(f".{ending}" for ending in MEDIA_TYPES)
        raise UsageError("JQ-USE-001", what="file ending", value=output.suffix, known=known)
    tongue: Language = language.value if language else current_language()
    today = clock().replace(hour=0, minute=0, second=0, microsecond=0)
    content = render(document, form, tongue, made=today, template=template).content
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError("JQ-USE-005", file=output, reason=error.strerror or error) from error
    size = f"{len(content) / 1000:,.0f} kB"
    say(f"{output}：{document.title.zh}，{size}", f"{output}: {document.title.en}, {size}")
