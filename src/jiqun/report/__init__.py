"""Reports 报告: one `Document` becomes a page fragment or a file. Knows only what `jiqun.core.document` says."""

from jiqun.report.formats import spoken
from jiqun.report.fragment import fragment, stylesheet
from jiqun.report.page import html
from jiqun.report.render import render

__all__ = ["fragment", "html", "render", "spoken", "stylesheet"]
