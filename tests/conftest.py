"""Settings for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Plain runs are deterministic: the same examples each time, nothing remembered between runs, no
# example blamed for a slow machine. HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("default", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=5_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the rules that a test shows in JUnit's XML, where the notes look for them."""
    for item in items:
        for mark in item.iter_markers("covers"):
            item.user_properties += [("covers", rule) for rule in mark.args]
