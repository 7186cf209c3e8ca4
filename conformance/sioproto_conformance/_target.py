"""The server under test: what its manifest says, how it is started, when it is ready."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from sioproto_conformance.peers.wire import Address, parse_url

_STOP_TIMEOUT = 5.0
_STDERR_SHOWN = 4000
_CHUNK = 65536
_LINES_KEPT = 10_000
_LINE_KEPT = 1000


class ManifestError(Exception):
    """The manifest, or the URL, is not one."""


class LaunchError(Exception):
    """The target did not start, or did not become ready."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    pass


class Launch(_Strict, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """How to start the target.

    The command runs in the folder of the manifest; ``{python}`` stands for this Python. When it
    listens it prints one line on standard output, ``{"url": ..., "slow_url": ...}``, the second
    being optional; what it prints before, if that is no JSON, is passed over.
    """

    command: tuple[str, ...]
    ready_timeout: float = 20.0
    """Seconds until that line has to be there."""


class Stop(_Strict, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """How to end the target in order: by a signal to its process group, or by a command.

    The command runs in the folder of the manifest; ``{pid}`` stands for the target's process.
    """

    signal: str = "SIGTERM"
    command: tuple[str, ...] = ()


class Paths(_Strict, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Where the applications of the contract are."""

    engine: str = "/engine.io/"
    socket: str = "/socket.io/"
    engine_3: str = "/engine.io-3/"
    """Where the first one also speaks revision 3."""
    socket_4: str = "/socket.io-4/"
    """Where the second one also speaks revision 4."""
    msgpack: str = "/socket.io-msgpack/"
    recovery: str = "/socket.io-recovery/"


class Manifest(_Strict, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What is known of a target before it is asked."""

    name: str
    version: str = ""
    issues: str = ""
    """Where its bugs are reported."""
    url: str | None = None
    """``http://host:port`` of a server that is running already, instead of ``launch``."""
    slow_url: str | None = None
    """A second endpoint with the usual long heartbeat, used for all cases but the heartbeat's."""
    launch: Launch | None = None
    stop: Stop = Stop()
    paths: Paths = Paths()
    features: dict[str, bool] = {}
    """Features that the target is known to have or to lack; the others are found out."""


class _Ready(msgspec.Struct, frozen=True):
    url: str
    slow_url: str | None = None


@dataclass
class Target:
    """A target that is ready, or a URL that claims to be."""

    manifest: Manifest
    url: str
    slow_url: str | None = None
    process: subprocess.Popen[bytes] | None = None
    built_in: bool = False
    find: Callable[[str], Address] = parse_url
    """Finds where a URL leads."""
    folder: Path | None = None
    """Where its commands run."""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_KEPT))
    """The last lines that it wrote to standard output after the first."""
    _stderr: IO[bytes] | None = field(default=None, repr=False)
    _drain: threading.Thread | None = field(default=None, repr=False)

    def exit_code(self) -> int | None:
        """Return how the process ended, ``None`` while it runs or if it is not ours."""
        return None if self.process is None else self.process.poll()

    def stop(self) -> int | None:
        """End the process as the manifest says, or by force; return how it ended.

        Blocks. ``None`` if it is not ours. Again is harmless.
        """
        if self.process is None:
            return None
        _stop(self.process, self.manifest.stop, self.folder)
        if self._drain is not None:
            self._drain.join(_STOP_TIMEOUT)  # its last words may be on their way yet
        return self.process.returncode

    def complaints(self) -> str:
        """Return the end of what the process wrote to standard error."""
        if self._stderr is None:
            return ""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _STDERR_SHOWN))
        return self._stderr.read().decode("utf-8", "replace")


def read_manifest(path: Path, *, known_features: frozenset[str]) -> Manifest:
    """Return the manifest in a TOML file. Raises ``ManifestError``."""
    try:
        manifest = msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ManifestError(f"{path}: {error}") from error
    if (manifest.url is None) == (manifest.launch is None):
        raise ManifestError(f"{path}: a target has either a url or a [launch] table")
    if manifest.launch is not None and not manifest.launch.command:
        raise ManifestError(f"{path}: the command is empty")
    if manifest.stop.signal not in signal.Signals.__members__:
        raise ManifestError(f"{path}: there is no signal {manifest.stop.signal!r}")
    for feature in manifest.features:
        if feature not in known_features:
            known = ", ".join(sorted(known_features))
            raise ManifestError(
                f"{path}: no case asks for the feature {feature!r}; the features are {known}"
            )
    for url in (manifest.url, manifest.slow_url):
        if url is not None:
            check_url(url)
    return manifest


def check_url(url: str) -> None:
    """Raise ``ManifestError`` for a URL that names no server."""
    try:
        parse_url(url)
    except ValueError as error:
        raise ManifestError(str(error)) from error


def built_in_manifest() -> Manifest:
    """Return the manifest of the server that comes with the suite."""
    command = (sys.executable, "-m", "sioproto_conformance", "fixture")
    return Manifest(name="sioproto (built in)", launch=Launch(command))


@contextmanager
def running(manifest: Manifest, *, folder: Path | None = None) -> Iterator[Target]:
    """Start the target if it is to be started, and end it afterwards.

    ``folder`` is where the command runs. Raises ``LaunchError`` if it cannot be started, ends
    early, or is not ready in time.
    """
    if manifest.launch is None:
        assert manifest.url is not None
        yield Target(manifest, manifest.url, manifest.slow_url)
        return
    command = [sys.executable if part == "{python}" else part for part in manifest.launch.command]
    with tempfile.TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(f"{command[0]} cannot be started: {error}") from error
        try:
            target = Target(manifest, "", process=process, folder=folder, _stderr=stderr)
            ready = _wait_until_ready(target, manifest.launch.ready_timeout)
            target.url, target.slow_url = ready.url, ready.slow_url
            yield target
        finally:
            _stop(process, manifest.stop, folder)


def _wait_until_ready(target: Target, timeout: float) -> _Ready:
    process = target.process
    assert process is not None
    assert process.stdout is not None
    first_lines: queue.Queue[bytes] = queue.Queue()
    # A thread, as reading a pipe with a time limit has no other portable form. It also keeps the
    # pipe empty for as long as the target writes to it.
    target._drain = threading.Thread(
        target=_drain,
        args=(process.stdout, first_lines, target.said),
        name="target output",
        daemon=True,
    )
    target._drain.start()
    deadline = time.monotonic() + timeout
    printed: list[bytes] = []
    while not printed or not _may_be_ready(printed[-1]):
        try:
            line = first_lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            message = f"the target did not say that it is ready within {timeout:g} s"
            raise LaunchError(_not_ready(message, printed, target)) from None
        if not line:
            message = f"the target ended with {process.wait()} at once"
            raise LaunchError(_not_ready(message, printed, target))
        printed.append(line)
    line = printed[-1]
    try:
        ready = msgspec.json.decode(line, type=_Ready)
        for url in (ready.url, ready.slow_url):
            if url is not None:
                check_url(url)
    except (msgspec.DecodeError, ManifestError) as error:
        raise LaunchError(f"the target printed {line!r} instead of its URL: {error}") from error
    return ready


def _may_be_ready(line: bytes) -> bool:
    """Tell a line of JSON from a greeting."""
    return line.lstrip().startswith(b"{")


def _not_ready(message: str, printed: list[bytes], target: Target) -> str:
    if printed:
        shown = b"".join(printed).decode("utf-8", "replace").strip()
        message += (
            '; it has to print {"url": "http://127.0.0.1:PORT"} on a line of its own, '
            f"and printed:\n{shown[:_STDERR_SHOWN]}"
        )
    return f"{message}\n{target.complaints()}"


def _drain(stdout: IO[bytes], first_lines: queue.Queue[bytes], said: deque[str]) -> None:
    with stdout:
        line = b" "
        while line and not _may_be_ready(line):
            line = stdout.readline(_CHUNK)
            first_lines.put(line)
        while line := stdout.readline(_CHUNK):
            said.append(line[:_LINE_KEPT].decode("utf-8", "replace").rstrip("\n"))


def _stop(process: subprocess.Popen[bytes], how: Stop, folder: Path | None) -> None:
    """End the process and whatever it started, orderly if it can."""
    if how.command and process.poll() is None:
        command = [part.replace("{pid}", str(process.pid)) for part in how.command]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, cwd=folder, timeout=_STOP_TIMEOUT, check=False)
            process.wait(_STOP_TIMEOUT)
    if os.name == "posix":
        for sign in (signal.Signals[how.signal], signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
            except (ProcessLookupError, PermissionError):
                break
            try:
                process.wait(_STOP_TIMEOUT)
                break
            except subprocess.TimeoutExpired:
                continue
    else:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
