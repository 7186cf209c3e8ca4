"""Properties of both machines together, over networks that do whatever networks do.

One schedule is one seed. ``python tests/soak.py pair`` runs many; what fails there is run again by
its seed.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sioproto.testing import Trace
from tests.harness import PROGRAMS
from tests.property.engine_schedules import EngineSchedule, OlderEngineSchedule
from tests.property.mutations import MUTATIONS, Mutation
from tests.property.socket_schedules import SocketSchedule

MOST = 2_000
"""So many schedules may be needed to find a mutation."""
KINDS: dict[str, type[EngineSchedule | SocketSchedule]] = {
    "engines": EngineSchedule,
    "engines of revision 3": OlderEngineSchedule,
    "sockets": SocketSchedule,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_schedule_is_fine(kind: str) -> None:
    for seed in range(PROGRAMS):
        run(kind, seed)


def run(kind: str, seed: int) -> None:
    """Run a schedule. What it raises tells the seed."""
    try:
        KINDS[kind](seed).run()
    except Exception as error:
        error.add_note(f"schedule of {kind}, seed {seed}")
        raise


# The tests are tested


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_what_is_broken_is_found(mutation: Mutation) -> None:
    kind = SocketSchedule if mutation.of_sockets else EngineSchedule
    with mutation.applied():
        assert any(fails(kind, seed) for seed in range(MOST)), "nothing found it"


def fails(kind: type[EngineSchedule | SocketSchedule], seed: int) -> bool:
    """Whether a property does not hold, or a machine stumbles."""
    try:
        kind(seed).run()
    except Exception:
        return True
    return False


def test_there_are_enough_mutations() -> None:
    assert len({mutation.what for mutation in MUTATIONS}) == len(MUTATIONS) >= 25


# The same seed, the same trace

PROGRAM = """
import hashlib
from sioproto.testing import Trace
from tests.property.engine_schedules import EngineSchedule
from tests.property.socket_schedules import SocketSchedule
for kind in (EngineSchedule, SocketSchedule):
    for seed in range(12):
        trace = Trace()
        kind(seed, trace).run()
        print(kind.__name__, seed, len(trace), hashlib.sha256(str(trace).encode()).hexdigest())
"""


def test_traces_depend_on_the_seed_alone() -> None:
    told = []
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        told.append(ran.stdout)
    assert len(set(told)) == 1
    lines = told[0].splitlines()
    assert len({line.split()[-1] for line in lines}) == len(lines) == 24


def test_traces_of_different_seeds_differ() -> None:
    traces = []
    for seed in (1, 1, 2):
        trace = Trace()
        EngineSchedule(seed, trace).run()
        traces.append(trace)
    assert traces[0] == traces[1] != traces[2]
