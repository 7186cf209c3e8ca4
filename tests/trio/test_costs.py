"""What work costs, counted in operations: no clock is fast or slow enough to change the result."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

import sioproto
from sioproto.socketio import Packet, PacketType, TextParser
from sioproto.trio import ConnectionConfig, Server, Socket, _frames
from sioproto.trio._wire import Wire
from tests.trio.support import Client, SocketClient, connect, frame, serving
from tests.trio.test_fast_lanes import both, on_tcp

LIBRARY = str(Path(sioproto.__file__).parent / "*")


class CountingParser(TextParser):
    """Counts the events that it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.events = 0

    def encode(self, packet: Packet) -> list[str | bytes]:
        self.events += packet.type is PacketType.EVENT
        return super().encode(packet)


@pytest.fixture
def frames_built(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often each payload was put into a frame."""
    built: Counter[bytes] = Counter()
    build_frame = _frames.build_frame

    def counting(first_byte: int, payload: bytes) -> bytes:
        built[payload] += 1
        return build_frame(first_byte, payload)

    monkeypatch.setattr(_frames, "build_frame", counting)
    return built


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What servers have written, one item for each time that the kernel took something."""
    written: list[bytes] = []
    try_send, flush = Wire.try_send, Wire.flush

    def counting_try_send(wire: Wire, data: bytes) -> bool:
        if all_sent := try_send(wire, data):
            written.append(data)
        return all_sent

    async def counting_flush(wire: Wire) -> None:
        written.append(wire._unsent)
        await flush(wire)

    monkeypatch.setattr(Wire, "try_send", counting_try_send)
    monkeypatch.setattr(Wire, "flush", counting_flush)
    return written


@pytest.mark.parametrize("number", [1, 10, 100])
async def test_a_broadcast_is_encoded_and_framed_once(
    number: int, frames_built: Counter[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    parser = CountingParser()
    io = Server(parser=parser)
    async with serving(io) as listener:
        clients = [await connect(listener) for _ in range(number)]
        frames_built.clear()
        io.emit("news", {"text": "hello"})
        for client in clients:
            assert await client.hear() == '2["news",{"text":"hello"}]'
        assert parser.events == 1
        assert frames_built == {b'42["news",{"text":"hello"}]': 1}


async def test_a_broadcast_to_some_rooms_is_encoded_and_framed_once(
    frames_built: Counter[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    """SIO-BC-03: whoever is in several of the rooms does not make it more."""
    parser = CountingParser()
    io = Server(parser=parser)

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.join("a", "b")

    async with serving(io) as listener:
        clients = [await connect(listener) for _ in range(5)]
        frames_built.clear()
        io.to("a", "b").emit("news", 1)
        for client in clients:
            assert await client.hear() == '2["news",1]'
        assert parser.events == 1
        assert frames_built == {b'42["news",1]': 1}


def echoing() -> Server:
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("echo")
        async def echo(value: int) -> int:
            return value

        @socket.on("told")
        def told(value: int) -> None: ...

    return io


async def ask_sixteen(client: Client) -> None:
    """Send sixteen events in one write, and check the answers."""
    await client.send(
        b"".join(frame(0x81, f'42{number}["echo",{number}]'.encode()) for number in range(16))
    )
    for number in range(16):
        _, answer = await client.frame()
        assert answer == b"43%d[%d]" % (number, number)


@both
async def test_one_read_of_sixteen_messages_causes_one_write(
    fast: bool, writes: list[bytes]
) -> None:
    async with on_tcp(echoing(), fast) as site:
        client = await site.join()
        await trio.testing.wait_all_tasks_blocked(0.05)
        writes.clear()
        await ask_sixteen(client)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(writes) == 1
        assert writes[0].count(b"43") == 16


@both
async def test_messages_that_want_no_answer_cause_no_write(fast: bool, writes: list[bytes]) -> None:
    async with on_tcp(echoing(), fast) as site:
        client = await site.join()
        await trio.testing.wait_all_tasks_blocked(0.05)
        writes.clear()
        await client.send(frame(0x81, b'42["told",1]') * 16)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert writes == []
        await ask_sixteen(client)  # they have been read by now
        assert len(writes) == 1


@both
async def test_a_broadcast_is_one_write_to_each(fast: bool, writes: list[bytes]) -> None:
    io = echoing()
    async with on_tcp(io, fast) as site:
        clients = [await site.join() for _ in range(5)]
        await trio.testing.wait_all_tasks_blocked(0.05)
        writes.clear()
        io.emit("news", 1)
        for client in clients:
            assert await client.frame() == (0x81, b'42["news",1]')
        assert writes == [b'\x81\x0c42["news",1]'] * 5


class Steps(trio.abc.Instrument):
    """Counts how often each task runs, other than the one that counts."""

    def __init__(self) -> None:
        self._mine = trio.lowlevel.current_task()
        self.steps: Counter[str] = Counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """See trio."""
        if task is not self._mine:
            self.steps[task.name] += 1


class Idle:
    """Sockets that have nothing to say, and answer pings in one task of ours."""

    def __init__(self, clients: list[SocketClient]) -> None:
        self._clients = clients

    async def beat(self) -> None:
        """Wait for a ping to each, and answer it."""
        for client in self._clients:
            assert await client.client.frame() == (0x81, b"2")
            await client.client.text("3")
        await trio.testing.wait_all_tasks_blocked()


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is traced."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def library_memory() -> dict[str, int]:
    """Bytes that lines of the library hold."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, LIBRARY)])
    return {str(found.traceback): found.size for found in snapshot.statistics("lineno")}


@both
async def test_idle_sessions_run_and_allocate_nothing_between_heartbeats(
    fast: bool, traced: None, autojump_clock: trio.testing.MockClock
) -> None:
    config = ConnectionConfig(fast_lanes=fast)
    async with serving(echoing(), config=config) as listener:
        idle = Idle([await connect(listener) for _ in range(20)])
        await idle.beat()
        await idle.beat()
        before, steps = library_memory(), Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(24)
        trio.lowlevel.remove_instrument(steps)
        # The one alarm that all sessions share may ring for a deadline that was put off.
        assert list(steps.steps) in ([], ["sioproto._app._endpoint.Endpoint.run_clock"])
        assert steps.steps.total() <= 1
        after = library_memory()
        grown = {line: size - before.get(line, 0) for line, size in after.items()}
        assert {line: size for line, size in grown.items() if size > 0} == {}
        await idle.beat()  # they were alive


async def test_heartbeats_leave_nothing_behind(
    traced: None, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(echoing()) as listener:
        idle = Idle([await connect(listener) for _ in range(20)])
        for _ in range(3):
            await idle.beat()
        before = sum(library_memory().values())
        for _ in range(20):
            await idle.beat()
        assert sum(library_memory().values()) - before < 1_000
