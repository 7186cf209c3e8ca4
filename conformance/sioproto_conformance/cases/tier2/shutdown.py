"""A server that shuts down: another one like the one that is judged, started for the purpose."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance._target import LaunchError, Target
from sioproto_conformance.cases.tier2._members import Group, Member
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Transport
from sioproto_conformance.peers.http1 import Dialer
from sioproto_conformance.peers.wire import parse_url


@case(
    "sio5.shutdown.clients.closed-without-disconnect",
    covers=["SIO-DISC-10"],
    needs=["conformance", "stop"],
    variants=TRANSPORTS,
)
async def closed_without_disconnect(t: Bench, transport: Transport) -> None:
    """Who is connected to a server that shuts down loses the connection, and gets no DISCONNECT.

    So clients try to connect again, to another server.
    """
    async with _another_server(t) as (bench, target):
        members = await _join(bench, transport)
        mark = [len(member.peer.engine.seen) for member in members]
        ended = await trio.to_thread.run_sync(target.stop)
        for member, seen in zip(members, mark, strict=True):
            closed = await member.peer.wait_closed(timeout=t.timeout)
            t.check(closed is not None, f"{member.name} closed", closed)
            texts = [str(one.packet) for one in member.peer.engine.seen[seen:]]
            told = [text for text in texts if text.startswith("41")]
            t.check(not told, "no DISCONNECT packet", told or None)
        t.observe("exit-code", ended)


@case(
    "sio5.shutdown.application.told",
    covers=["SIO-DISC-10"],
    needs=["conformance", "stop"],
    variants=TRANSPORTS,
)
async def application_told(t: Bench, transport: Transport) -> None:
    """The application is told of the end of each socket, with a reason of its own."""
    async with _another_server(t) as (bench, target):
        members = await _join(bench, transport)
        await trio.to_thread.run_sync(target.stop)
        reasons = {entry[1]: entry[2] for entry in _printed(target) if entry[0] == "disconnect"}
        for member in members:
            told = reasons.get(member.id)
            t.equal(told, "server shutting down", f"the reason for the end of {member.name}")


async def _join(bench: Bench, transport: Transport) -> list[Member]:
    """Return two clients that hang up as soon as the server closes."""
    group = Group(bench)
    members = [await group.join(transport), await group.join(transport)]

    async def hang_up(engine: EnginePeer) -> None:
        await engine.wait_until(lambda: engine.closed is not None)
        await engine.hang_up()

    for member in members:
        bench.nursery.start_soon(hang_up, member.peer.engine)
    return members


@asynccontextmanager
async def _another_server(t: Bench) -> AsyncIterator[tuple[Bench, Target]]:
    """Start another server like the one that is judged, and yield what reaches it."""
    assert t.site.launch is not None
    running = t.site.launch()
    try:
        target = await trio.to_thread.run_sync(running.__enter__)
    except LaunchError as error:
        t.inconclusive(f"another server could not be started: {error}")
    try:
        site = replace(t.site, address=parse_url(target.slow_url or target.url), launch=None)
        bench = Bench(t.case, site, timeout=t.timeout)
        bench.findings, bench.transcript = t.findings, t.transcript
        bench.dialer = Dialer(site.address, t.transcript, timeout=t.timeout)
        async with bench.open():
            yield bench, target
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(running.__exit__, None, None, None)


def _printed(target: Target) -> list[list[Any]]:
    """Return the entries of the log that the server has printed."""
    entries = []
    for line in list(target.said):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, list) and len(entry) > 2:
            entries.append(entry)
    return entries
