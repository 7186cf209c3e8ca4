"""The bench is no part of what is installed: it is found in the checkout."""

from __future__ import annotations

import sys

from tests.project import ROOT

# At the end, so that what is installed is still what is tested.
sys.path.append(str(ROOT))
