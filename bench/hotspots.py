"""Where a server's time goes: by function, and by system call if `strace` is there.

    python bench/hotspots.py sioproto echo50

Needs py-spy, which may watch one's own processes only as root on most systems.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

sys.path.append(str(Path(__file__).parent.parent))

from bench.machine import cpus, pinned
from bench.preparing import Missing, Workshop
from bench.running import RunningServer, load_command, put_load
from bench.scenarios import BY_NAME, SERVERS

RATE = 250
"""Samples a second."""
SHOWN = 30


@click.command(help=__doc__)
@click.argument("server", type=click.Choice([server.label for server in SERVERS]))
@click.argument("scenario", type=click.Choice([s for s in BY_NAME if not BY_NAME[s].secure]))
@click.option("--seconds", default=5, show_default=True)
@click.option(
    "--build",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(tempfile.gettempdir(), "sioproto-bench"),
)
def main(server: str, scenario: str, seconds: int, build: Path) -> None:
    workshop = Workshop(build.absolute())
    try:
        workshop.prepare()
    except Missing as missing:
        sys.exit(str(missing))
    [command] = [found.command for found in SERVERS if found.label == server]
    words = BY_NAME[scenario].load
    with RunningServer(workshop, server, command) as running:
        own, all_callers, total = sampled(workshop, running, words, seconds)
        for title, counts in (("own time", own), ("with what it calls", all_callers)):
            click.echo(f"\n{title}, %")
            for name, count in counts.most_common(SHOWN):
                click.echo(f"  {100 * count / total:5.1f}  {name}")
        row = put_load(workshop, running, f"{words} secs=2")
        shown = {name: row[name] for name in ("rate", "cpu_us", "srv_util") if name in row}
        click.echo(f"\nwithout a profiler: {shown}")
        if shutil.which("strace"):
            click.echo("\n".join(system_calls(workshop, running, words)))


def generating(
    workshop: Workshop, running: RunningServer, words: str, seconds: int
) -> subprocess.Popen[bytes]:
    """The load generator, at work."""
    generator = subprocess.Popen(
        load_command(workshop, running, f"{words} secs={seconds}", secure=False),
        stdout=subprocess.DEVNULL,
        preexec_fn=pinned(cpus()[1]),
    )
    time.sleep(1.2)  # until everybody has connected
    return generator


def sampled(
    workshop: Workshop, running: RunningServer, words: str, seconds: int
) -> tuple[Counter[str], Counter[str], int]:
    """How often functions were seen at work, and how often they or what they called, of how often
    in all."""
    raw = workshop.folder / "profile.txt"
    generator = generating(workshop, running, words, seconds + 3)
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(running.pid)]
    command += ["--duration", str(seconds), "--rate", str(RATE), "--format", "raw"]
    done = subprocess.run([*command, "--nolineno", "--output", str(raw)], capture_output=True)
    generator.wait()
    if done.returncode != 0:
        sys.exit(f"py-spy could not watch the server: {done.stderr.decode()[-500:]}")
    own: Counter[str] = Counter()
    callers: Counter[str] = Counter()
    for functions, count in stacks(raw.read_text()):
        own[functions[-1]] += count
        callers.update(dict.fromkeys(functions, count))
    return own, callers, max(1, own.total())


def stacks(text: str) -> Iterator[tuple[list[str], int]]:
    """The stacks in a raw profile, outermost function first, and how often each was seen."""
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        yield [short(frame) for frame in stack.split(";")], int(count)


def short(frame: str) -> str:
    """A function, and the last two parts of the path of its file."""
    name, _, place = frame.partition(" (")
    return f"{name} ({'/'.join(place.rstrip(')').split('/')[-2:])})"


def system_calls(workshop: Workshop, running: RunningServer, words: str) -> list[str]:
    """What `strace` counts in two seconds."""
    generator = generating(workshop, running, words, 4)
    command = ["strace", "-c", "-f", "-p", str(running.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        time.sleep(2)
        tracer.send_signal(signal.SIGINT)
        _, text = tracer.communicate(timeout=20)
    generator.wait()
    return [
        "",
        "system calls in two seconds, slowed down by being watched",
        *text.splitlines()[:14],
    ]


if __name__ == "__main__":
    main()
