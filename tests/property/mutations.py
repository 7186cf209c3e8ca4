"""Machines broken on purpose, in one line each: a test of the tests.

A mutation that no longer applies is an error, so the list follows the source.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """One line of one method, and what stands there instead."""

    what: str
    method: str
    """Module below ``sioproto``, class and method."""
    line: str
    instead: str

    @property
    def of_sockets(self) -> bool:
        """Whether it takes sockets to see it, not engines alone."""
        return self.method.startswith("socketio")

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Break the machine for a while."""
        module_name, class_name, name = self.method.split(":")
        module: Any = importlib.import_module(f"sioproto.{module_name}")
        owner = getattr(module, class_name)
        original = inspect.getattr_static(owner, name)
        setattr(owner, name, self._mutant(original, vars(module), name))
        try:
            yield
        finally:
            setattr(owner, name, original)

    def _mutant(self, original: Any, names: dict[str, Any], name: str) -> Any:
        lines = textwrap.dedent(inspect.getsource(original)).splitlines()
        found = [number for number, line in enumerate(lines) if line.strip() == self.line]
        assert len(found) == 1, f"{self.method}: {self.line!r} stands there {len(found)} times"
        line = lines[found[0]]
        indent = line[: len(line) - len(line.lstrip())]
        lines[found[0]] = indent + self.instead
        flags = __future__.annotations.compiler_flag
        made: dict[str, Any] = {}
        exec(compile("\n".join(lines), f"<{self.what}>", "exec", flags), names, made)
        return made[name]


SERVER = "engineio._session:Session"
CLIENT = "engineio._client_session:ClientSession"
OUTBOX = "engineio._outbox:Outbox"
CONNECTION = "socketio._connection:Connection"
SOCKET = "socketio._socket:Socket"
ACKS = "socketio._acks:PendingAck"
RECOVERY = "socketio._recovery:RecoveringAdapter"
ENTRY = "socketio._recovery:_Entry"
CLIENT_SOCKET = "socketio._client_socket:ClientSocket"
MANAGER = "socketio._client:SocketClient"
QUEUE = "socketio._client_queue:RetryQueue"
REQUEST = "socketio._client_queue:Request"

MUTATIONS = [
    # The server's engine
    Mutation(
        "the buffer is lost at the switch",
        f"{SERVER}:_switch",
        "self.ws = candidate.ws",
        "self.ws = candidate.ws; self._take_buffer()",
    ),
    Mutation(
        "one noop only",
        f"{SERVER}:poll_opened",
        "elif self.probed and self._timers[Timer.NOOP_AT] == inf:",
        "elif False:",
    ),
    Mutation(
        "no noop for the poll that is open when the probe comes",
        f"{SERVER}:_candidate_frame",
        "self._arm(Timer.NOOP_AT, now + self._config.noop_interval)",
        "pass",
    ),
    Mutation(
        "the ping is restarted from the ping",
        f"{SERVER}:handle_timeout",
        "self._arm(Timer.PING_AT, inf)",
        "self._arm(Timer.PING_AT, now + self._config.ping_interval)",
    ),
    Mutation(
        "no pong is needed",
        f"{SERVER}:handle_timeout",
        "self._life_owed = True",
        "self._life_owed = False",
    ),
    Mutation(
        "a pong does not help",
        f"{SERVER}:_receive",
        "self._arm(Timer.LIFE_BY, inf)",
        "pass",
    ),
    Mutation(
        "one ping only",
        f"{SERVER}:_receive",
        "self._arm(Timer.PING_AT, now + self._config.ping_interval)",
        "pass",
    ),
    Mutation(
        "a closing session throws away what is buffered",
        f"{SERVER}:close",
        "if discard:",
        "if True:",
    ),
    Mutation(
        "the end does not bring what is buffered",
        f"{SERVER}:finish",
        "messages = self._take_buffer()",
        "messages = self._take_buffer()[:0]",
    ),
    Mutation(
        "a batch while another is being written",
        f"{SERVER}:_send_batch",
        "self._busy = True",
        "self._busy = False",
    ),
    Mutation(
        "what was sent during a batch stays",
        f"{SERVER}:ws_sent",
        "elif self.buffer:",
        "elif False:",
    ),
    Mutation(
        "a poll does not bring what is buffered",
        f"{SERVER}:poll_opened",
        "elif self.buffer:",
        "elif False:",
    ),
    Mutation(
        "two polls at once",
        f"{SERVER}:poll_opened",
        "if self.poll is not None:",
        "if False:",
    ),
    Mutation(
        "what is sent is sent again",
        f"{SERVER}:_take_buffer",
        "messages, self.buffer = self.buffer, []",
        "messages = list(self.buffer)",
    ),
    Mutation(
        "the last message of a batch first",
        f"{SERVER}:_send_batch",
        "frames = self.dialect.frames(self._take_buffer(), self.base64)",
        "frames = self.dialect.frames(self._take_buffer()[::-1], self.base64)",
    ),
    Mutation(
        "the candidate stays when the session ends",
        f"{SERVER}:finish",
        "self.drop_candidate()",
        "pass",
    ),
    # The client's engine
    Mutation(
        "the switch comes before the poll ends",
        f"{CLIENT}:_try_switch",
        "if candidate is None or self.poll is not None or self.post is not None:",
        "if candidate is None or self.post is not None:",
    ),
    Mutation(
        "the switch comes before the POST ends",
        f"{CLIENT}:_try_switch",
        "if candidate is None or self.poll is not None or self.post is not None:",
        "if candidate is None or self.poll is not None:",
    ),
    Mutation(
        "messages before the 5",
        f"{CLIENT}:_try_switch",
        "self.outbox.put_first(UPGRADE)",
        "self.outbox.put(UPGRADE)",
    ),
    Mutation(
        "no pong",
        f"{CLIENT}:_receive",
        "self.outbox.put_first(PONG)",
        "pass",
    ),
    Mutation(
        "a ping is no sign of life",
        f"{CLIENT}:_receive",
        "self._restart_heartbeat()",
        "pass",
    ),
    Mutation(
        "the client is too impatient",
        f"{CLIENT}:_restart_heartbeat",
        "silence = self._handshake.ping_interval + self._handshake.ping_timeout",
        "silence = self._handshake.ping_interval",
    ),
    Mutation(
        "the client waits for ever for the first ping",
        f"{CLIENT}:_opened",
        "self._restart_heartbeat()",
        "pass",
    ),
    Mutation(
        "good-bye instead of what was sent",
        f"{CLIENT}:flush",
        "if not messages and self.state is State.LEAVING:",
        "if self.state is State.LEAVING:",
    ),
    Mutation(
        "payloads larger than the server takes",
        f"{OUTBOX}:take_payload",
        "if taken and limit is not None and size > limit:",
        "if False:",
    ),
    Mutation(
        "one POST only",
        f"{CLIENT}:_post_done",
        "if self.outbox or self.state is State.LEAVING:",
        "if False:",
    ),
    Mutation(
        "one poll only",
        f"{CLIENT}:_payload",
        "self._poll_on()",
        "pass",
    ),
    Mutation(
        "the client leaves its WebSocket open",
        f"{CLIENT}:_end",
        "self._host.close_websocket(ws, code)",
        "pass",
    ),
    Mutation(
        "the client leaves its requests open",
        f"{CLIENT}:_end",
        "self._host.abort(exchange)",
        "pass",
    ),
    # The server's sockets
    Mutation(
        "acknowledgement id 0 is none, of an event",
        f"{CONNECTION}:_route",
        "reply = None if packet.id is None else Reply(packet.id, socket.acknowledge)",
        "reply = None if not packet.id else Reply(packet.id, socket.acknowledge)",
    ),
    Mutation(
        "acknowledgement id 0 is none, of an acknowledgement",
        f"{CONNECTION}:_route",
        "ack = None if packet.id is None else socket.take_ack(packet.id)",
        "ack = None if not packet.id else socket.take_ack(packet.id)",
    ),
    Mutation(
        "an acknowledgement is expected twice",
        f"{SOCKET}:take_ack",
        "ack = self._acks.pop(id, None)",
        "ack = self._acks.get(id)",
    ),
    Mutation(
        "acknowledgements are forgotten at the end",
        f"{CONNECTION}:_end",
        "for ack in socket.stop():",
        "for ack in socket.stop()[:0]:",
    ),
    Mutation(
        "nothing happens when an acknowledgement is late",
        f"{ACKS}:handle_timeout",
        'self.lose(self._socket, "timeout")',
        "pass",
    ),
    Mutation(
        "double replay",
        f"{RECOVERY}:_since",
        "if entry.number > number and entry.is_for(kept)",
        "if entry.number >= number and entry.is_for(kept)",
    ),
    Mutation(
        "the first that was missed is not replayed",
        f"{RECOVERY}:_since",
        "if entry.number > number and entry.is_for(kept)",
        "if entry.number > number + 1 and entry.is_for(kept)",
    ),
    Mutation(
        "what is sent to one who is cut off is lost",
        f"{RECOVERY}:emit",
        "elif socket.connected or socket.id in self._kept_ids:",
        "elif socket.connected:",
    ),
    Mutation(
        "everybody's events are replayed",
        f"{ENTRY}:is_for",
        "return self.only == kept.id",
        "return True",
    ),
    Mutation(
        "nobody is kept",
        f"{CONNECTION}:_end",
        "if reason in RECOVERABLE:",
        "if False:",
    ),
    Mutation(
        "the missed events are forgotten",
        f"{SOCKET}:resume",
        "self._missed = missed",
        "self._missed = []",
    ),
    # The client's sockets
    Mutation(
        "the client takes acknowledgement id 0 for none, of an event",
        f"{CLIENT_SOCKET}:_deliver",
        "if packet.id is not None:",
        "if packet.id:",
    ),
    Mutation(
        "the client takes acknowledgement id 0 for none, of an acknowledgement",
        f"{CLIENT_SOCKET}:receive",
        "waiting = None if packet.id is None else self.take_ack(packet.id)",
        "waiting = None if not packet.id else self.take_ack(packet.id)",
    ),
    Mutation(
        "the client expects an acknowledgement twice",
        f"{CLIENT_SOCKET}:take_ack",
        "return self._acks.pop(id, None)",
        "return self._acks.get(id)",
    ),
    Mutation(
        "the client does nothing when an acknowledgement is late",
        f"{REQUEST}:_expire",
        'self._socket.client.put(ClientAckFailed(self._socket, self.id, "timeout"))',
        "pass",
    ),
    Mutation(
        "what waited for the connection is lost",
        f"{CLIENT_SOCKET}:_flush",
        "for event in kept:",
        "for event in ():",
    ),
    Mutation(
        "what waited for the connection is sent at each",
        f"{CLIENT_SOCKET}:_flush",
        "kept, self._kept, self._kept_size = self._kept, {}, 0",
        "kept = self._kept",
    ),
    Mutation(
        "only the first offset is remembered",
        f"{CLIENT_SOCKET}:_deliver",
        "self._offset = args[-1]",
        "self._offset = self._offset or args[-1]",
    ),
    Mutation(
        "events for who left are for who comes",
        f"{CLIENT_SOCKET}:_receive_early",
        "if self._active and not self._left_here:",
        "if self._active:",
    ),
    Mutation(
        "no reconnection after the end",
        f"{MANAGER}:_closed",
        "self._schedule(now)",
        "pass",
    ),
    Mutation(
        "one attempt to reconnect only",
        f"{MANAGER}:_open_failed",
        "self._schedule(now)",
        "pass",
    ),
    Mutation(
        "sockets do not join again",
        f"{MANAGER}:_opened",
        "if socket.active:",
        "if socket.active and not self._opened_once:",
    ),
    Mutation(
        "the queue stops after one event",
        f"{QUEUE}:acknowledged",
        "self.pump()",
        "pass",
    ),
]
