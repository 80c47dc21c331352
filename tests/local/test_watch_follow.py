"""A campaign is followed over real HTTP: the server goes away and comes back, or refuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from local_stack.api import Unreachable, connected
from local_stack.errors import StackError
from local_stack.ports import HOST, free_ports
from local_stack.watch.follow import Watched, follow, until
from local_stack.watch.run import place
from tests.local.recorded import campaign, entry, stage


class Server:
    """Answers every GET; `status` and `body` may be changed while it runs."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status, self.campaign, self.requests = 200, answer, 0
        self.raw: bytes | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
        self.requests += 1
        body = self.raw if self.raw is not None else json.dumps(self._answer(target)).encode()
        head = f"HTTP/1.1 {self.status} -\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    def _answer(self, target: str) -> dict[str, Any]:
        return {"entries": [entry("created", by="alice")]} if target.endswith("/timeline") else self.campaign


@asynccontextmanager
async def listening(server: Server, port: int) -> AsyncIterator[None]:
    listener = await asyncio.start_server(server.serve, HOST, port)
    try:
        yield
    finally:
        listener.close()


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


async def first(watching: AsyncIterator[Watched], *, lost: bool) -> Watched:
    async with asyncio.timeout(10):
        async for watched in watching:
            if bool(watched.lost) is lost:
                return watched
    raise AssertionError("it ended")


RUNNING, DONE = campaign(), campaign([stage(0, 500, "RUNNING", SUCCESS=499, FAILED=1)], status="COMPLETED")


async def test_lost_connection_is_told_with_the_last_reading_and_heals(port: int) -> None:
    server = Server(RUNNING)
    async with connected(f"http://{HOST}:{port}", "token") as api:
        watching = follow(api, 7)
        async with listening(server, port):
            before = await first(watching, lost=False)
        lost = await first(watching, lost=True)
        assert "ConnectError" in lost.lost
        assert lost.reading is before.reading
        assert lost.at > before.at
        server.campaign = DONE
        async with listening(server, port):
            assert (await first(watching, lost=False)).reading.status == "COMPLETED"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_server_that_cannot_answer_now_is_asked_again(port: int, status: int) -> None:
    server = Server(RUNNING)
    async with listening(server, port), connected(f"http://{HOST}:{port}", "token") as api:
        watching = follow(api, 7)
        await first(watching, lost=False)
        server.status = status
        assert str(status) in (await first(watching, lost=True)).lost
        server.status = 200
        await first(watching, lost=False)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_refusal_ends_the_watch_with_what_was_said(port: int, status: int) -> None:
    server = Server(RUNNING)
    async with listening(server, port), connected(f"http://{HOST}:{port}", "token") as api:
        watching = follow(api, 7)
        await first(watching, lost=False)
        server.status = status
        with pytest.raises(StackError, match=f"answered {status}"):
            await first(watching, lost=True)


async def test_nobody_there_at_the_beginning_is_an_error(port: int) -> None:
    async with connected(f"http://{HOST}:{port}", "token") as api:
        with pytest.raises(Unreachable, match="ConnectError"):
            await anext(follow(api, 7))


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b""])
async def test_address_that_is_not_the_api_is_named_as_such(port: int, body: bytes) -> None:
    server = Server(RUNNING)
    server.raw = body
    async with listening(server, port), connected(f"http://{HOST}:{port}", "token") as api:
        with pytest.raises(StackError, match="is this the API's address"):
            await anext(follow(api, 7))


async def test_watching_ends_with_the_campaign_and_knows_the_servers_clock(port: int) -> None:
    async with listening(Server(DONE), port), connected(f"http://{HOST}:{port}", "token") as api:
        seen = [watched async for watched in until(lambda r: r.is_settled, follow(api, 7))]
    [only] = seen
    assert only.reading.now == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert only.reading.timeline[0]["by"] == "alice"


async def test_patience_ends_also_while_nobody_answers(port: int) -> None:
    async with connected(f"http://{HOST}:{port}", "token") as api:
        watching = until(lambda r: r.is_settled, follow(api, 7), patience=1.5)
        async with listening(Server(RUNNING), port):
            await first(watching, lost=False)
        with pytest.raises(StackError, match="has not ended within 2 s"):
            [watched async for watched in watching]


def test_gateway_elsewhere_needs_a_token(tmp_path: Any) -> None:
    with pytest.raises(StackError, match="needs a bearer token"):
        place(tmp_path, "demo", "https://ota.example.com", None)
    assert place(tmp_path, "demo", "https://ota.example.com", "t").outside
    with pytest.raises(StackError, match="make up"):
        place(tmp_path, "demo", None, None)
