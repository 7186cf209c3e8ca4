"""Renderings of runs: HTML, JUnit, Markdown, a badge, a matrix; each from the JSON Lines alone."""

from sioproto_conformance.report._badge import badge
from sioproto_conformance.report._github import github_annotations
from sioproto_conformance.report._html import html
from sioproto_conformance.report._junit import junit
from sioproto_conformance.report._markdown import markdown
from sioproto_conformance.report._matrix import Matrix
from sioproto_conformance.report._matrix_text import matrix_html, matrix_json, matrix_markdown

__all__ = [
    "Matrix",
    "badge",
    "github_annotations",
    "html",
    "junit",
    "markdown",
    "matrix_html",
    "matrix_json",
    "matrix_markdown",
]
