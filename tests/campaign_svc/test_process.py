"""The service as a process, killed at any moment of a rollout and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from local_stack.ports import free_ports
from tests.campaign_svc.events import until_up, watch
from tests.campaign_svc.rows import Fleet
from tests.campaign_svc.wire import control_of, requests_of
from tests.forwarded import forwarded
from tests.real_parts import Database
from tests.rest import KEY, token

DEVICES = 3_000


@asynccontextmanager
async def process(
    postgres: Database, kafka: str, folder: Path, port: int = 0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m campaign_svc`, which accepts the tests' tokens; killed with SIGKILL on leaving, if it still runs."""
    key = folder / "key"
    key.write_bytes(KEY)
    environment = {
        "POSTGRES_DSN": postgres.dsn_of("campaign_svc"),
        "LOOPS_POSTGRES_DSN": postgres.dsn_of("campaign_loops"),
        "KAFKA_BOOTSTRAP": kafka,
        "AUTH_KEY_FILE": str(key),
        "HTTP_PORT": str(port),
        "TICK_SECONDS": "0.05",
        "CLAIM_MAX": "100",
    }
    with (folder / "log").open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "campaign_svc", env=os.environ | environment, stdout=log, stderr=log
        )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def released(fleet: Fleet, campaign: int, least: int) -> None:
    async with asyncio.timeout(30):
        while (await fleet.statuses(campaign))["QUEUED"] < least:
            await asyncio.sleep(0.005)


async def test_a_rollout_that_is_killed_again_and_again_forgets_no_device(
    fleet: Fleet, postgres: Database, kafka: str, tmp_path: Path
) -> None:
    campaign = await fleet.campaign(DEVICES, rollout_rate=600_000)
    await fleet.caught_up()
    for least in (300, 900, 1_500):
        async with process(postgres, kafka, tmp_path):
            await released(fleet, campaign, least)
    sent = {(r.request.device_id, r.request.attempt) for r in await requests_of(kafka, campaign)}
    rows = {(device, n) for device, n in (await fleet.attempts(campaign)).items() if n}
    assert sent <= rows, "a request without a committed row"
    lost = [device for device, _ in rows - sent]
    await fleet.pass_not_after(campaign, lost)
    async with process(postgres, kafka, tmp_path) as last:
        await released(fleet, campaign, DEVICES)
        await asyncio.sleep(0.5)
        last.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await last.wait() == 0
    sent = {(r.request.device_id, r.request.attempt) for r in await requests_of(kafka, campaign)}
    assert set((await fleet.attempts(campaign)).items()) <= sent
    assert await fleet.miscounted() == []


async def test_open_event_streams_do_not_hold_up_a_stop(
    fleet: Fleet, postgres: Database, kafka: str, tmp_path: Path
) -> None:
    campaign = await fleet.campaign(1, status="PAUSED")
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with process(postgres, kafka, tmp_path, port) as running, AsyncExitStack() as stack:
        await until_up(url)
        paths = [f"/customer/ota/campaigns/{campaign}/events", "/customer/ota/events"] * 10
        readers = [await stack.enter_async_context(watch(url, path)) for path in paths]
        await asyncio.gather(*(reader.next("campaign", "campaigns") for reader in readers))
        running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            await asyncio.gather(*(reader.ends() for reader in readers))
            assert await running.wait() == 0


async def test_without_kafka_at_its_start_the_api_works_and_what_it_decides_is_announced_later(
    fleet: Fleet, postgres: Database, kafka: str, tmp_path: Path
) -> None:
    campaign = await fleet.campaign(3)
    [port, away] = free_ports(2)
    async with (
        process(postgres, f"127.0.0.1:{away}", tmp_path, port) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token()}"}) as http,
    ):
        await until_up(str(http.base_url))
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]) == (503, {"database": True, "kafka": False})
        assert (await http.get("/readyz?exclude=kafka")).json() == {"ready": True, "checks": {"database": True}}
        paused = await http.post(f"/customer/ota/campaigns/{campaign}/pause")
        assert (paused.status_code, paused.json()["status"]) == (202, "PAUSED")
        async with forwarded(away, ("127.0.0.1", int(kafka.rpartition(":")[2]))), asyncio.timeout(20):
            while (2, "PAUSED") not in await control_of(kafka, campaign):
                await asyncio.sleep(0.1)
            assert (await http.get("/readyz")).status_code == httpx.codes.OK
            running.send_signal(signal.SIGTERM)
            assert await running.wait() == 0


async def test_without_kafka_it_stops_as_cleanly(fleet: Fleet, postgres: Database, tmp_path: Path) -> None:
    await fleet.campaign(3)
    [port, away] = free_ports(2)
    async with process(postgres, f"127.0.0.1:{away}", tmp_path, port) as running:
        await until_up(f"http://127.0.0.1:{port}")
        running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await running.wait() == 0


async def test_a_database_that_refuses_is_said_in_one_line_that_names_the_setting(
    postgres: Database, kafka: str, tmp_path: Path
) -> None:
    wrong = replace(postgres, passwords=dict.fromkeys(postgres.passwords, "wrong"))
    async with process(wrong, kafka, tmp_path) as running, asyncio.timeout(10):
        assert await running.wait() == 2
    [line] = [line for line in (tmp_path / "log").read_text().splitlines() if not line.startswith("{")]
    assert line.startswith('campaign-svc: setting POSTGRES_DSN: password authentication failed for user "campaign_svc"')
