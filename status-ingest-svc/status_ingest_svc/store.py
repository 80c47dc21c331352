"""SQL of what results and reports do: to the rows of campaigns, and to devices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pulse.contracts.status import Heard, Status
from pulse.runtime.db import Connection, Pool
from status_ingest_svc.reading import Campaign, Device

T = TypeVar("T")
APPLY = (Path(__file__).parent / "apply.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Base waits in seconds, after a failure and for a device that the broker did not reach."""

    retry: float
    offline: float


class Applied(NamedTuple):
    """What one event met and did. `was` is None without a row, `becomes` None where the row was left alone."""

    heard: Heard
    was: Status | None
    becomes: Status | None
    attempt: int
    stage: int
    failures: int
    error_code: str | None
    at: datetime


class Sighting(NamedTuple):
    """A device was heard. `version` is what it says to run; with `campaign_id` only if its success there counts."""

    tenant_id: str
    device_id: str
    version: str | None = None
    campaign_id: int | None = None


async def apply(
    connection: Connection,
    events: Sequence[Heard],
    sightings: Iterable[Sighting],
    max_attempts: Mapping[int, int],
    backoff: Backoff,
) -> list[Applied]:
    """One guarded statement for at most one event per row.

    Of devices that were heard it notes when, at most once a minute, and the version they run, where it is another one;
    rows that wait for one of them become due. `max_attempts` by campaign. Must be its transaction's only statement:
    it takes locks in the order of status rows, devices, counters.
    """
    tenants, names, versions, successes = _columns(sightings, 4)
    records = await connection.fetch(
        APPLY,
        [e.campaign_id for e in events],
        [e.device_id for e in events],
        [e.attempt for e in events],
        [e.event.value for e in events],
        [e.progress for e in events],
        _sparse([e.error_code for e in events]),
        _sparse([e.error_message for e in events]),
        [max_attempts[e.campaign_id] for e in events],
        tenants,
        names,
        _sparse(versions),
        _sparse(successes),
        backoff.retry,
        backoff.offline,
    )
    return [
        Applied(
            events[nth - 1],
            _STATUS.get(was),
            _STATUS.get(becomes),
            attempt,
            stage,
            failures,
            error_code,
            at,
        )
        for nth, was, becomes, attempt, stage, failures, error_code, at in records
    ]


_STATUS: Mapping[str | None, Status] = {status.value: status for status in Status}


async def registered(pool: Pool, devices: Iterable[Device]) -> set[Device]:
    """Those of `devices` that exist."""
    tenants, names = _columns(devices, 2)
    records = await pool.fetch(
        """
        SELECT d.tenant_id, d.device_id FROM unnest($1::text[], $2::text[]) AS seen (tenant_id, device_id)
          JOIN devices d USING (tenant_id, device_id)
        """,
        tenants,
        names,
    )
    return {(tenant, device) for tenant, device in records}


async def campaigns(pool: Pool, ids: Iterable[int]) -> dict[int, Campaign]:
    """Those of `ids` that exist."""
    records = await pool.fetch(
        "SELECT id, tenant_id, firmware_version, max_attempts FROM ota_campaigns WHERE id = ANY($1::bigint[])",
        list(ids),
    )
    return {number: Campaign(tenant, version, attempts) for number, tenant, version, attempts in records}


def _sparse(column: list[T | None]) -> list[T | None]:
    """Nothing in place of nulls alone: `unnest` fills a shorter column up with nulls."""
    return column if any(value is not None for value in column) else []


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
