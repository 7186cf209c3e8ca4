"""What the fuzz targets share: how they run, what bounds them, and plain decoders to compare with.

The targets lie beside this package and are programs. The machines among them are driven by the
driver of the tests, so the checkout has to be importable; what is installed comes first.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent
ROOT = FOLDER.parent

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
