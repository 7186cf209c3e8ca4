"""A driver that has WebTransport."""

from __future__ import annotations

from typing import Any

from sioproto._output import Effect
from sioproto.engineio import (
    FrameDecoder,
    Request,
    WtAccept,
    WtClose,
    WtReject,
    WtSend,
    encode_frame,
)
from tests.harness import Driver

CONNECT = Request(method="CONNECT", target="/engine.io/", address="192.0.2.1")


class StreamDriver(Driver):
    """A driver that has WebTransport as well, and holds the effects against its contract."""

    def __init__(self, core: Any) -> None:
        super().__init__(core)
        self.streams: dict[str, list[str | bytes]] = {}
        self.ended: set[str] = set()
        self.refused: dict[str, int] = {}
        self.unsent: set[str] = set()
        self._decoders: dict[str, FrameDecoder] = {}
        self._asked: set[str] = set()

    def _effect(self, out: Effect) -> None:
        match out:
            case WtAccept(stream=s):
                self._asked.remove(s)
                self.streams[s] = []
                self._decoders[s] = FrameDecoder(10**9)
            case WtReject(stream=s, status=status):
                self._asked.remove(s)
                self.refused[s] = status
            case WtSend(stream=s, data=data):
                assert s not in self.ended
                assert s not in self.unsent, f"{s} has a batch in flight"
                self._decoders[s].receive(data)
                while (frame := self._decoders[s].next_frame()) is not None:
                    self.streams[s].append(frame)
                if self.auto_sent:
                    self.core.wt_sent(s, now=self.now)  # type: ignore[attr-defined] # see Core
                else:
                    self.unsent.add(s)
            case WtClose(stream=s):
                assert s in self.streams
                assert s not in self.ended, f"{s} is closed twice"
                self.ended.add(s)
            case _:
                super()._effect(out)

    def stream(self, *frames: str | bytes, name: str = "s", head: Request = CONNECT) -> str:
        self._asked.add(name)
        self.core.wt_connected(name, head, now=self.now)  # type: ignore[attr-defined]
        self.drain()
        self.say(name, *frames)
        return name

    def say(self, s: str, *frames: str | bytes) -> list[str | bytes]:
        return self.raw(s, *map(encode_frame, frames))

    def raw(self, s: str, *pieces: bytes) -> list[str | bytes]:
        before = len(self.streams[s]) if s in self.streams else 0
        for piece in pieces:
            self.core.wt_data(s, piece, now=self.now)  # type: ignore[attr-defined]
        self.drain()
        return self.streams.get(s, [])[before:]

    def gone(self, s: str, error: Exception | None = None) -> None:
        self.core.wt_closed(s, now=self.now, error=error)  # type: ignore[attr-defined]
        self.drain()
