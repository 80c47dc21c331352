"""What a tenant's people see first, and what a firmware version is used by."""

from dataclasses import dataclass

from campaign_svc.campaigns import campaign_store, campaigns
from campaign_svc.campaigns.campaign_view import View
from campaign_svc.insight import overview_store as store
from campaign_svc.insight.overview_store import UsingRecord, VersionRecord, WaitingRecord
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.errors import NotFound


class FirmwareNotFound(NotFound):
    """There is no such firmware version."""

    code = "firmware_not_found"


@dataclass(frozen=True, slots=True)
class Glance:
    """The tenant's present; `failures`: error codes with the attempts that failed with them in 24 hours."""

    waiting: list[WaitingRecord]
    running: list[View]
    versions: list[VersionRecord]
    failures: list[tuple[str, int]]
    devices_total: int
    heard_last_hour: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Devices that run a version, and campaigns that have not ended with it."""

    devices: int
    campaigns: list[UsingRecord]


async def look(pool: Pool, who: Principal) -> Glance:
    """From counters: it costs the same for ten devices and for a million."""
    async with transaction(pool, who.tenant) as conn:
        running = await store.running(conn, who.tenant)
        return Glance(
            waiting=await store.waiting(conn, who.tenant),
            running=await campaigns.views(conn, running),
            versions=await store.versions(conn, who.tenant),
            failures=await store.failures(conn, who.tenant),
            devices_total=await store.devices_total(conn, who.tenant),
            heard_last_hour=await store.heard_last_hour(conn, who.tenant),
        )


async def firmware_usage(pool: Pool, who: Principal, firmware_id: int) -> Usage:
    """Raises FirmwareNotFound."""
    async with transaction(pool, who.tenant) as conn:
        firmware = await campaign_store.firmware(conn, who.tenant, firmware_id)
        if firmware is None:
            raise FirmwareNotFound(f"there is no firmware version {firmware_id}", field="firmware_version_id")
        devices = await store.devices_on(conn, who.tenant, firmware)
        return Usage(devices, await store.using(conn, who.tenant, firmware_id))
