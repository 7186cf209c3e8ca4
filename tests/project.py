"""The files of the project, for tests that look at the project itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

_FOLDERS = (
    ".ci",
    "bench",
    "conformance",
    "docs",
    "examples",
    "fuzz",
    "sioproto",
    "spec_notes",
    "tests",
)
_TOP_LEVEL_SUFFIXES = {".ini", ".md", ".toml"}
# What fuzzing found is neither text nor source.
_NOT_OURS = {"__pycache__", "corpus", "node_modules"}


def _text_files() -> Iterator[Path]:
    found = [path for path in ROOT.iterdir() if path.suffix in _TOP_LEVEL_SUFFIXES]
    for folder in _FOLDERS:
        found += (ROOT / folder).rglob("*")
    for path in sorted(found):
        relative = path.relative_to(ROOT)
        if path.is_file() and not _NOT_OURS.intersection(relative.parts) and _is_text(path):
            yield relative


def _is_text(path: Path) -> bool:
    return b"\0" not in path.read_bytes()[:1024]


def read(path: Path) -> str:
    """The text of a file, whose path is relative to the root of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


FILES = list(_text_files())
"""Every text file of the project, relative to its root."""
