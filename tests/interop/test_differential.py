"""Our codecs and those of others on the same bytes: each difference is explained."""

from __future__ import annotations

from differential import BATCH, differences, explained, is_explained

INPUTS = 7_000


def test_every_class_of_difference_is_explained() -> None:
    table = explained()
    tried = 0
    unexplained: dict[str, bytes] = {}
    seen: dict[str, None] = {}
    for found in differences(INPUTS):
        if found is None:
            tried += 1
            continue
        difference, data = found
        seen[str(difference)] = None
        if not is_explained(difference, table):
            unexplained.setdefault(str(difference), data)
    assert tried >= INPUTS > BATCH
    assert len(seen) > 30, "the others were asked"
    assert unexplained == {}
