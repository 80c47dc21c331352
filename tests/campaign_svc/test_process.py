"""The service as a process, killed at any moment of a rollout and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.campaign_svc.rows import Fleet
from tests.campaign_svc.wire import requests_of
from tests.real_parts import Database

DEVICES = 3_000


@asynccontextmanager
async def process(postgres: Database, kafka: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m campaign_svc`; killed with SIGKILL on leaving, if it still runs."""
    key = folder / "key"
    key.write_text("k" * 32, encoding="utf-8")
    environment = {
        "POSTGRES_DSN": postgres.dsn_of("campaign_svc"),
        "LOOPS_POSTGRES_DSN": postgres.dsn_of("campaign_loops"),
        "KAFKA_BOOTSTRAP": kafka,
        "AUTH_KEY_FILE": str(key),
        "HTTP_PORT": "0",
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
