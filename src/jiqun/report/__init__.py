"""Reports 报告: one `Document` becomes a file that can be read anywhere. Knows only what `jiqun.core.document` says."""

from jiqun.report.formats import spoken
from jiqun.report.page import html

__all__ = ["html", "spoken"]
