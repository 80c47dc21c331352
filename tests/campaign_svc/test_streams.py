"""Server-sent events over real sockets and the real database: the present first, then changes, beats, and the end."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from campaign_svc.insight import streams
from campaign_svc.insight.feeds import look
from campaign_svc.metrics import LOOKS, WATCHERS
from pulse.runtime.auth import Principal
from tests.campaign_svc.events import Reader, Replica, replica
from tests.campaign_svc.rows import TENANT, Fleet
from tests.real_parts import Database
from tests.rest import token

LIST = "/customer/ota/events"
WHO = Principal("viewer@acme", TENANT, frozenset({"viewer"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
async def api(postgres: Database, folder: Path) -> AsyncIterator[Replica]:
    async with replica(postgres, folder) as made:
        yield made


def of(campaign: int) -> str:
    return f"/customer/ota/campaigns/{campaign}/events"


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def test_the_present_comes_first_and_a_change_within_two_seconds(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(3)
    async with api.watch(of(campaign)) as reader:
        first = await reader.next()
        assert (first.name, first.data["id"], first.data["status_breakdown"]["PENDING"]) == ("campaign", campaign, 3)
        changed_at = time.monotonic()
        await fleet.move(campaign, "SUCCESS", "d0")
        second = await reader.next("campaign")
        assert (second.data["succeeded"], second.data["status_breakdown"]["PENDING"]) == (1, 2)
        assert time.monotonic() - changed_at < 2
        assert first.id is not None
        assert second.id is not None
        assert first.id < second.id


async def test_a_beat_comes_every_two_seconds_and_nothing_else_when_nothing_changes(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(1)
    async with api.watch(of(campaign)) as reader:
        await reader.next("campaign")
        await reader.next("beat")
        begun = time.monotonic()
        names = [(await reader.next()).name for _ in range(2)]
        assert names == ["beat", "beat"]
        assert 3.3 < time.monotonic() - begun < 5


async def test_the_list_tells_all_that_lives_and_then_only_what_changed(fleet: Fleet, api: Replica) -> None:
    one, two, ended = await fleet.campaign(1), await fleet.campaign(1), await fleet.campaign(1, status="COMPLETED")
    await fleet.pool.execute(
        "UPDATE ota_campaigns SET completed_at = now() - interval '2 minutes' WHERE id = $1", ended
    )
    await fleet.campaign(1, tenant_id="other")
    async with api.watch(LIST) as reader:
        first = await reader.next()
        assert first.name == "campaigns"
        assert {campaign["id"] for campaign in first.data["campaigns"]} == {one, two}
        await fleet.move(two, "SUCCESS")
        [changed] = (await reader.next("campaigns")).data["campaigns"]
        assert changed == {
            "id": two, "status": "RUNNING", "epoch": 1, "succeeded": 1, "failed": 0, "total_devices": 1,
            "status_breakdown": first.data["campaigns"][0]["status_breakdown"] | {"PENDING": 0, "SUCCESS": 1},
            "actual_rate": 0.0,
        }  # fmt: skip
        new = await fleet.campaign(1, status="CREATED")
        assert [campaign["id"] for campaign in (await reader.next("campaigns")).data["campaigns"]] == [new]


async def test_a_reader_goes_on_at_another_replica_with_growing_numbers(
    fleet: Fleet, api: Replica, postgres: Database, folder: Path
) -> None:
    campaign = await fleet.campaign(5)
    async with replica(postgres, folder) as other:
        numbers: list[int] = []
        for n, at in enumerate((api, other, api, other)):
            async with at.watch(of(campaign), last=numbers[-1] if numbers else None) as reader:
                told = await reader.next()
                assert told.data["succeeded"] == n
                numbers.append(told.id or 0)
                await fleet.move(campaign, "SUCCESS", f"d{n}")
                if n % 2:
                    numbers.append((await reader.next("campaign")).id or 0)
        assert numbers == sorted(set(numbers))
        ahead = numbers[-1] + 10**9  # the database's clock was set back
        async with api.watch(of(campaign), last=ahead) as reader:
            assert ((await reader.next()).id or 0) > ahead


@pytest.mark.parametrize("nonsense", ["", "abc", "-1", "9" * 40, "½"])
async def test_a_last_event_id_that_was_never_given_does_no_harm(fleet: Fleet, api: Replica, nonsense: str) -> None:
    campaign = await fleet.campaign(1)
    headers = [
        (b"authorization", f"Bearer {token('viewer')}".encode()),
        (b"last-event-id", nonsense.encode()),
    ]
    async with (
        httpx.AsyncClient(base_url=api.url) as client,
        client.stream("GET", of(campaign), headers=headers) as got,
    ):
        assert got.status_code == 200
        assert (await Reader(got).next()).data["id"] == campaign


async def test_what_one_may_not_see_is_refused_before_the_stream(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(1)
    async with httpx.AsyncClient(base_url=api.url) as client:
        for path, bearer, status in (
            (of(campaign), token("viewer", "other"), 404),
            (of(campaign + 1), token("viewer"), 404),
            (of(campaign), "nonsense", 401),
            (of(campaign), token("nobody"), 403),
            (LIST, token("nobody"), 403),
        ):
            answer = await client.get(path, headers={"authorization": f"Bearer {bearer}"})
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_another_tenants_list_tells_nothing(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(1)
    async with api.watch(LIST, bearer=token("viewer", "other")) as reader:
        assert (await reader.next()).data == {"campaigns": []}
        await fleet.move(campaign, "SUCCESS")
        assert (await reader.next()).name == "beat"


async def test_a_deleted_campaign_ends_its_stream(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(1)
    async with api.watch(of(campaign)) as reader:
        await reader.next()
        await fleet.clear()
        await reader.ends()


async def test_a_stream_ends_with_its_token(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(1)
    expiring = token("viewer", exp=int(time.time()) - 8)  # within the leeway of ten seconds
    async with api.watch(of(campaign), bearer=expiring) as reader:
        await reader.next()
        begun = time.monotonic()
        await reader.ends()
        assert time.monotonic() - begun < 5


async def test_two_hundred_readers_cost_one_look_a_second_and_no_connection(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(3)
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(api.watch(of(campaign))) for _ in range(200)]
        await asyncio.gather(*(reader.next("campaign") for reader in readers))
        begun, before = time.monotonic(), LOOKS._value.get()
        await fleet.move(campaign, "SUCCESS", "d1")
        told = await asyncio.gather(*(reader.next("campaign") for reader in readers))
        assert len({event.id for event in told}) == 1, "all were told by the same look"
        await asyncio.gather(*(reader.next("beat") for reader in readers))
        assert LOOKS._value.get() - before <= time.monotonic() - begun + 1
        assert api.pool.get_idle_size() == api.pool.get_size(), "a reader that waits holds no connection"
    await until(lambda: WATCHERS._value.get() == 0)


async def test_a_reader_that_was_busy_is_told_the_latest_and_nothing_of_what_it_missed(
    fleet: Fleet, api: Replica
) -> None:
    campaign = await fleet.campaign(50)
    first = await look(api.pool, WHO.tenant, [campaign])
    async with aclosing(streams.campaign_events(api.feeds, WHO, campaign, first, None)) as events:
        await anext(events)
        await fleet.move(campaign, "SUCCESS", "d0")
        assert b'"succeeded":1' in await anext(events)
        for n in range(1, 4):  # it does not come back for what follows
            await fleet.move(campaign, "SUCCESS", f"d{n}")
            await asyncio.sleep(1.1)
        told = [await anext(events) for _ in range(3)]
        assert b'"succeeded":4' in told[0]
        assert [event.split(b"\n")[0] for event in told[1:]] == [b"event: beat", b"event: beat"]


async def test_a_stop_ends_all_streams_at_once(fleet: Fleet, postgres: Database, folder: Path) -> None:
    campaign = await fleet.campaign(1)
    async with replica(postgres, folder) as made, made.watch(of(campaign)) as one, made.watch(LIST) as other:
        await asyncio.gather(one.next(), other.next())
        made.stop.set()
        begun = time.monotonic()
        await asyncio.gather(one.ends(), other.ends())
        assert time.monotonic() - begun < 1


async def test_a_connection_that_nobody_reads_does_not_hold_up_the_stop(
    fleet: Fleet, postgres: Database, folder: Path
) -> None:
    campaign = await fleet.campaign(1)
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(replica(postgres, folder))
        port = urlsplit(made.url).port
        assert port is not None
        stuck = socket.create_connection(("127.0.0.1", port))
        stack.callback(stuck.close)
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        request = f"GET {of(campaign)} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token('viewer')}\r\n\r\n"
        stuck.sendall(request.encode())
        await until(lambda: WATCHERS._value.get() == 1)
        begun = time.monotonic()
        await stack.aclose()
        assert time.monotonic() - begun < 8


async def test_streams_outlive_the_connections_to_the_database(fleet: Fleet, api: Replica) -> None:
    campaign = await fleet.campaign(1)
    async with api.watch(of(campaign)) as reader:
        await reader.next("campaign")
        await fleet.pool.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND usename = 'campaign_svc'"""
        )
        await fleet.move(campaign, "SUCCESS")
        assert (await reader.next("campaign")).data["succeeded"] == 1
