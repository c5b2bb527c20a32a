"""Collecting 采集: survey rounds for indicators and links, who answered and who did not, and what becomes of it.

The functions here take values and frames and know no workspace; `jiqun.survey.desk` is what pages and commands call.
"""

from jiqun.survey.answers import Checked, Finding, check_answers
from jiqun.survey.questions import Question, read_questions
from jiqun.survey.rates import SIZE_CLASSES, response_rates, size_class
from jiqun.survey.ties import merge_reports, report_agreement

__all__ = [
    "SIZE_CLASSES",
    "Checked",
    "Finding",
    "Question",
    "check_answers",
    "merge_reports",
    "read_questions",
    "report_agreement",
    "response_rates",
    "size_class",
]
