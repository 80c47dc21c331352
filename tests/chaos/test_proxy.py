"""The proxy that faults are made with: what goes through it, what is late, what is lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from local_stack.ports import HOST, free_ports
from tests.chaos import proxy
from tests.chaos.proxy import Awake, Link, Tap


class Seen:
    """A tap's notes."""

    def __init__(self) -> None:
        self.notes: list[tuple[bytes, float, float]] = []

    def begin(self) -> Tap:
        return lambda data, earliest, at: self.notes.append((data, earliest, at))


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def link(seen: Seen) -> AsyncIterator[Link]:
    """Before a server that sends back what it gets."""
    port, upstream = free_ports(2)
    made = Link("a to b", port, upstream, Awake(), seen.begin)
    server = await asyncio.start_server(_echo, HOST, upstream)
    async with proxy.running(made):
        await asyncio.sleep(0.02)
        yield made
    server.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes = b"hello") -> float:
    """How long it takes until what was said comes back."""
    began = time.monotonic()
    writer.write(data)
    async with asyncio.timeout(5):
        assert await reader.readexactly(len(data)) == data
    return time.monotonic() - began


async def test_what_is_said_comes_back_and_is_seen(link: Link, seen: Seen) -> None:
    ends = await asyncio.open_connection(HOST, link.port)
    await _said(*ends, b"x" * 3_000_000)
    await _said(*ends)
    data, earliest, at = seen.notes[-1]
    assert data == b"hello"
    assert earliest <= at
    ends[1].close()


async def test_a_slow_link_is_late_in_both_directions_until_it_is_lifted(link: Link) -> None:
    ends = await asyncio.open_connection(HOST, link.port)
    await _said(*ends)
    link.slow(0.2)
    assert await _said(*ends) >= 0.4
    link.lift()
    assert await _said(*ends) < 0.2
    ends[1].close()


async def test_a_hole_lets_nothing_through_and_what_was_in_it_arrives_in_the_end(link: Link) -> None:
    ends = await asyncio.open_connection(HOST, link.port)
    await _said(*ends)
    link.swallow()
    ends[1].write(b"first ")
    late = await asyncio.open_connection(HOST, link.port)
    late[1].write(b"later")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await ends[0].read(1)
    link.lift()
    ends[1].write(b"second")
    async with asyncio.timeout(5):
        assert await ends[0].readexactly(12) == b"first second"
        assert await late[0].readexactly(5) == b"later"
    for _, writer in (ends, late):
        writer.close()


async def test_a_cut_ends_connections_and_the_next_one_works(link: Link) -> None:
    ends = await asyncio.open_connection(HOST, link.port)
    await _said(*ends)
    assert link.connections == 1
    link.cut()
    with suppress(ConnectionError):
        assert await ends[0].read() == b""
    again = await asyncio.open_connection(HOST, link.port)
    await _said(*again)
    for _, writer in (ends, again):
        writer.close()


async def test_an_end_that_leaves_is_told_to_the_other_end_but_not_through_a_hole(link: Link) -> None:
    ends = await asyncio.open_connection(HOST, link.port)
    await _said(*ends)
    link.swallow()
    ends[1].close()
    await asyncio.sleep(0.1)
    assert link.connections in {0, 1}
    link.lift()
    async with asyncio.timeout(5):
        while link.connections:
            await asyncio.sleep(0.01)


async def test_nobody_behind_it_is_an_end_of_the_connection(link: Link) -> None:
    [port] = free_ports(1)
    alone = Link("a to nobody", port, free_ports(1)[0], Awake())
    async with proxy.running(alone):
        await asyncio.sleep(0.02)
        reader, writer = await asyncio.open_connection(HOST, port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_what_waited_while_this_process_stood_still_is_known_to_be_perhaps_older(link: Link, seen: Seen) -> None:
    ends = await asyncio.open_connection(HOST, link.port)
    await _said(*ends)
    await asyncio.sleep(0.05)
    ends[1].write(b"waits")
    time.sleep(0.3)
    async with asyncio.timeout(5):
        await ends[0].readexactly(5)
    _, earliest, at = seen.notes[-1]
    assert at - earliest >= 0.25
    ends[1].close()
