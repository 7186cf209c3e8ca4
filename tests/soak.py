"""Runs that take long: ``python tests/soak.py properties``, ``pair``, ``proxy`` or ``idle``.

Each prints its summary as rows of a table.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import randrange

import click
import trio
import trio.testing

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the helpers of the tests

from sioproto.engineio import SessionClosed
from sioproto.trio import Server, Socket
from tests.harness import Driver, engine_driver
from tests.property.test_pair import KINDS
from tests.trio.support import Client, SocketClient, serving
from tests.trio.through_proxy import Run

# Those that take longest happen to be the last in the alphabet: they begin.
PROPERTIES = sorted((Path(__file__).parent / "property").glob("test_*.py"), reverse=True)
ROUND = 5_000
"""Most examples of a property that one process runs."""
LONG_ROUNDS = 2
SHORT_STEPS = 10
"""Programs are as long as in every run in the first rounds; then as short as this, many more of
which fit into the time."""
EXHAUSTIVE = "test_every_fact_in_every_state"
"""It has no examples, but all there is: once is enough."""


@click.group()
def main() -> None:
    """Run something for long."""


@main.command()
@click.option("--examples", default=100_000, show_default=True, help="For each property.")
@click.option("--same", is_flag=True, help="The same examples at every run.")
def properties(examples: int, same: bool) -> None:
    """Run the property tests with new examples, many of them, on all cores."""
    began = time.monotonic()
    profile = "default" if same else "explore"
    # Hypothesis remembers every example of a run, so a long run is several short ones.
    rounds = [min(ROUND, examples - done) for done in range(0, examples, ROUND)]
    if same and len(rounds) > 1:
        raise click.UsageError(f"--same runs the same {ROUND:,} examples again and again")
    totals: dict[str, Total] = {}
    failed: dict[str, None] = {}

    def run(job: tuple[int, int, Path]) -> Report:
        index, number, path = job
        steps = None if index < LONG_ROUNDS else SHORT_STEPS
        return _run_properties(path, number, profile, steps, exhaustively=index == 0)

    jobs = [(i, number, path) for i, number in enumerate(rounds) for path in PROPERTIES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, report in enumerate(pool.map(run, jobs), 1):
            print(f"{done} of {len(jobs)}: {report.name}", file=sys.stderr, flush=True)
            if report.failed:
                failed[report.name] = None
                print(report.output, flush=True)
            for name, ran, seconds in report.properties:
                total = totals.setdefault(name, Total())
                total.examples += ran
                total.seconds += seconds
    minutes = (time.monotonic() - began) / 60
    for name, total in totals.items():
        print(f"| {name} | {total.examples:,} examples, {total.seconds:.0f} s | |")
    verdict = f"FAILED: {', '.join(failed)}" if failed else "none failed"
    print(f"| all properties | {examples:,} examples each, {minutes:.1f} min | {verdict} |")
    sys.exit(bool(failed))


@dataclass
class Total:
    """What the runs of one property come to."""

    examples: int = 0
    seconds: float = 0.0


@dataclass
class Report:
    """What the run of one file of properties came to."""

    name: str
    failed: bool
    output: str
    properties: list[tuple[str, int, float]]
    """Name, examples that passed, seconds."""


def _run_properties(
    path: Path, examples: int, profile: str, steps: int | None, *, exhaustively: bool
) -> Report:
    command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-show-statistics", str(path)]
    if not exhaustively:
        command += ["-k", f"not {EXHAUSTIVE}"]
    environment = {
        **os.environ,
        "SIOPROTO_EXAMPLES": str(examples),
        "HYPOTHESIS_PROFILE": profile,
    }
    if steps is not None:
        environment["SIOPROTO_STEPS"] = str(steps)
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = []
    for name, statistics in re.findall(
        r"^(\S+::\S+):\n\n((?:  .*\n|\n)+)", run.stdout, re.MULTILINE
    ):
        # Hypothesis counts what really ran, in the phases of each property.
        seconds = sum(map(float, re.findall(r"phase \(([\d.]+) seconds\)", statistics)))
        passing = sum(map(int, re.findall(r"(\d+) passing", statistics)))
        found.append((name.partition("property/")[2], passing, seconds))
    return Report(path.name, run.returncode != 0, run.stdout + run.stderr, found)


@main.command()
@click.option("--schedules", default=100_000, show_default=True, help="Of both kinds together.")
@click.option("--first", default=0, show_default=True, help="Seed of the first.")
def pair(schedules: int, first: int) -> None:
    """Run a client machine and a server machine against each other, over bad networks."""
    began = time.monotonic()
    chunks = [
        (kind, start, min(start + ROUND, first + schedules // 2))
        for start in range(first, first + schedules // 2, ROUND)
        for kind in ("engines", "sockets")
    ]
    hours: dict[str, float] = {}
    failed: list[str] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:
        for (kind, start, end), (seconds, failures) in zip(
            chunks, pool.map(_run_schedules, chunks), strict=True
        ):
            hours[kind] = hours.get(kind, 0.0) + seconds / 3600
            failed += failures
            print(f"{kind} {start:,} to {end:,}: {len(failures)} failed", file=sys.stderr)
    spent = time.monotonic() - began
    verdict = f"{len(failed)} FAILED: {', '.join(failed[:20])}" if failed else "none failed"
    virtual = ", ".join(f"{kind} {time:,.0f} h" for kind, time in hours.items())
    print(
        f"| pair | {schedules:,} schedules, {spent / 60:.1f} min, {schedules / spent:,.0f} per "
        f"second, {sum(hours.values()):,.0f} virtual hours ({virtual}) | {verdict} |"
    )
    sys.exit(bool(failed))


def _run_schedules(chunk: tuple[str, int, int]) -> tuple[float, list[str]]:
    """Run schedules of one kind. Returns the virtual seconds, and which failed."""
    kind, start, end = chunk
    seconds = 0.0
    failed = []
    for seed in range(start, end):
        schedule = KINDS[kind](seed)
        try:
            schedule.run()
        except Exception as error:
            failed.append(f"{kind} {seed} ({type(error).__name__}: {str(error)[:100]})")
        seconds += schedule.pair.now
    return seconds, failed


@main.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--clients", default=1, show_default=True, help="Of each kind.")
@click.option("--seed", type=int, help="Of what the network does. By chance unless given.")
def proxy(minutes: float, clients: int, seed: int | None) -> None:
    """Have clients and servers talk through a TCP proxy that cuts, stalls and delays."""
    seed = randrange(1_000_000) if seed is None else seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    run = Run(seed, clients=clients)
    verdict = "all that was promised held"
    try:
        trio.run(partial(run.run, minutes * 60, memory=False))
    except AssertionError as error:
        verdict = f"FAILED: {error}"
    figures = ", ".join(f"{run.figures[name]:,} {name}" for name in sorted(run.figures))
    print(f"| proxy | seed {seed}, {minutes:g} min, {run.size} clients: {figures} | {verdict} |")
    sys.exit(bool(run.judge.failed))


@main.command()
@click.option("--sessions", default=2_000, show_default=True)
@click.option("--minutes", default=10, show_default=True, help="Of virtual time.")
@click.option("--seconds", default=120, show_default=True, help="Of real time.")
@click.option("--vanishing", default=10_000, show_default=True, help="Clients that come and go.")
def idle(sessions: int, minutes: int, seconds: int, vanishing: int) -> None:
    """Leave many sessions alone, and let many clients vanish: nothing may grow or stay."""
    print(f"| idle, virtual | {_idle_in_virtual_time(sessions, minutes)} |")
    print(f"| idle, real | {trio.run(_idle_in_real_time, sessions, seconds)} |")
    print(f"| vanishing | {trio.run(_vanish, vanishing)} |")


def _idle_in_virtual_time(sessions: int, minutes: int) -> str:
    core, driver = engine_driver()
    people = [driver.open_websocket()[0] for _ in range(sessions)]
    tracemalloc.start()
    sizes = []
    for _ in range(minutes):
        _beat(driver, people, 60)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    lost = len(driver.events_of(SessionClosed))
    statistics = core.statistics()
    growth = sizes[-1] - sizes[1]
    assert lost == 0, f"{lost} sessions were lost"
    assert statistics.sessions == sessions
    assert statistics.timers <= 3 * sessions, f"{statistics.timers} timers"
    assert growth < 100_000, f"grew by {growth} bytes"
    return (
        f"{sessions:,} sessions, {minutes} min | none lost, {statistics.timers:,} timers, "
        f"{growth:+,} bytes from the second minute to the last"
    )


def _beat(driver: Driver, people: list[str], seconds: float) -> None:
    """Let time pass, and answer every ping."""
    end = driver.now + seconds
    while driver.now < end:
        driver.sleep(min(1.0, end - driver.now))
        for w in people:
            if driver.frames[w]:
                pings = driver.frames[w].count("2")
                driver.frames[w].clear()
                for _ in range(pings):
                    driver.frame(w, "3")


async def _idle_in_real_time(sessions: int, seconds: int) -> str:
    io = Server()
    pings = 0

    async def answer(client: SocketClient) -> None:
        nonlocal pings
        while True:
            _, payload = await client.client.frame()
            assert payload == b"2"
            pings += 1
            await client.client.text("3")

    async with serving(io) as listener, trio.open_nursery() as nursery:
        began = time.process_time()
        for _ in range(sessions):
            client = SocketClient(Client(listener.connect()))
            assert (await client.open()).startswith("0")
            nursery.start_soon(answer, client)
        opened = time.process_time()
        await trio.sleep(seconds / 2)
        before = _objects()
        await trio.sleep(seconds / 2)
        grown = _objects() - before
        spent = time.process_time() - opened
        alive = io.statistics().sockets
        nursery.cancel_scope.cancel()
    assert alive == sessions, f"{sessions - alive} were lost"
    assert grown < sessions, f"grew by {grown} objects"
    return (
        f"{sessions:,} sockets, {seconds} s | none lost, {pings:,} pings answered, "
        f"{grown:+,} objects in the second half, {spent:.1f} s of CPU for both sides "
        f"(and {opened - began:.1f} s to open them)"
    )


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


async def _vanish(number: int) -> str:
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.join("room", socket.id + "x")

    began = time.monotonic()
    async with serving(io) as listener:
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        for _ in range(number):
            client = SocketClient(Client(listener.connect()))
            assert (await client.open()).startswith("0")
            await client.client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        statistics = io.statistics()
        left = trio.lowlevel.current_statistics().tasks_living - tasks
        rooms = len(io.to("room").fetch_sockets())
    assert (statistics.sockets, statistics.connections, statistics.engine.sessions) == (0, 0, 0)
    assert (statistics.engine.websockets, statistics.engine.exchanges, rooms, left) == (0, 0, 0, 0)
    timers = statistics.timers + statistics.engine.timers
    assert timers <= 500
    return (
        f"{number:,} clients, {time.monotonic() - began:.0f} s | "
        f"no session, socket, room or task is left, {timers} timers"
    )


if __name__ == "__main__":
    main()
