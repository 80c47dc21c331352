"""Campaigns and device rows put straight into the database, and what tests ask about them."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from campaign_svc.settings import CampaignSettings
from pulse.runtime.db import Pool

TENANT = "acme"
CAMPAIGN: dict[str, Any] = {
    "name": "winter",
    "firmware_version": "2.1.0",
    "target_group_id": "all",
    "rollout_strategy": "linear",
    "rollout_rate": 600,
    "abort_rule": "ratio",
    "abort_threshold": 0.1,
    "abort_min_devices": 1,
    "abort_confidence": 0.95,
    "max_attempts": 3,
    "attempt_timeout_seconds": 60,
    "ramp_factor": 1.0,
    "status": "RUNNING",
    "epoch": 1,
    "created_by": "operator@acme",
}


@dataclass(frozen=True)
class Gate:
    """A stage with a gate, of the first `devices` devices that are left."""

    devices: int
    rate: int = 600
    soak_seconds: int = 0
    min_success: float = 0.9
    approval: bool = False


NOWHERE = "postgresql://nowhere/nothing"


def settings(**given: Any) -> CampaignSettings:
    """Settings of a test: fast ticks, no address that must be right."""
    needed = {"postgres_dsn": NOWHERE, "loops_postgres_dsn": NOWHERE, "kafka_bootstrap": "nowhere:9092"}
    auth = {"auth_jwks_url": "http://127.0.0.1/unused", "auth_issuer": "nobody"}
    return CampaignSettings(**(needed | auth | {"tick_seconds": 0.05} | given))


class Fleet:
    """The database as a superuser sees it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def clear(self) -> None:
        await self.pool.execute(
            """TRUNCATE ota_campaigns, ota_device_status, ota_campaign_counters, ota_campaign_reasons,
                   ota_campaign_failures, ota_campaign_pace, ota_campaign_history, tenant_failures, ingest_members,
                   ota_failed_attempts
               CASCADE"""
        )
        await self.pool.execute("DELETE FROM devices")  # their figures go by triggers
        # Kafka outlives a module's database: no two campaigns of a test run have the same number.
        await self.pool.execute(f"ALTER TABLE ota_campaigns ALTER COLUMN id RESTART WITH {time.time_ns() // 1000}")

    async def firmware(self, version: str = "2.1.0", *, withdrawn: bool = False) -> int:
        """A new version, one row each time."""
        number: int = await self.pool.fetchval(
            """INSERT INTO firmware_versions (tenant_id, version, file_url, file_size_bytes, checksum_sha256,
                   device_type, status, created_by, withdrawn_at)
               VALUES ($1, $2, 'http://files/2.1.0.bin', 1000, repeat('ab', 32), gen_random_uuid()::text,
                   CASE WHEN $3 THEN 'WITHDRAWN' ELSE 'ACTIVE' END, 'x', CASE WHEN $3 THEN now() END) RETURNING id""",
            TENANT,
            version,
            withdrawn,
        )
        return number

    async def withdraw(self, campaign_id: int) -> None:
        await self.pool.execute(
            """UPDATE firmware_versions SET status = 'WITHDRAWN', withdrawn_at = now(), withdrawn_by = 'ann@acme',
                      withdrawn_reason = 'bricks the radio'
               WHERE id = (SELECT firmware_version_id FROM ota_campaigns WHERE id = $1)""",
            campaign_id,
        )

    async def campaign(self, devices: int = 0, *, gates: tuple[Gate, ...] = (), prefix: str = "d", **given: Any) -> int:
        """A campaign of devices d0, d1, …, all PENDING, the first ones in its gated stages; it is started just now."""
        started = None if given.get("status") == "CREATED" else datetime.now(UTC)
        needed = {"firmware_version_id": await self.firmware(), "tenant_id": TENANT, "started_at": started}
        fields = CAMPAIGN | needed | given
        names, places = ", ".join(fields), ", ".join(f"${n}" for n in range(1, len(fields) + 1))
        number: int = await self.pool.fetchval(
            f"INSERT INTO ota_campaigns ({names}) VALUES ({places}) RETURNING id", *fields.values()
        )
        await self._stages(number, gates, fields["rollout_rate"])
        sizes = [gate.devices for gate in gates]
        await self.pool.execute(
            """INSERT INTO ota_device_status (campaign_id, device_id, tenant_id, stage, rank, status)
               SELECT $1, $4 || n, $2, width_bucket(n, $5::int[]), n, 'PENDING' FROM generate_series(0, $3 - 1) AS n""",
            number,
            fields["tenant_id"],
            devices,
            prefix,
            [sum(sizes[: n + 1]) for n in range(len(sizes))],
        )
        await self.register(fields["tenant_id"], *(f"{prefix}{n}" for n in range(devices)))
        return number

    async def register(self, tenant: str, *devices: str, device_type: str = "gw2", version: str | None = None) -> None:
        """Devices as the registry has them; those that it has already are as given from now on."""
        await self.pool.execute(
            """INSERT INTO devices AS d (tenant_id, device_id, device_type, current_version)
               SELECT $1, id, $3, $4 FROM unnest($2::text[]) id ON CONFLICT (tenant_id, device_id)
               DO UPDATE SET device_type = excluded.device_type, current_version = excluded.current_version""",
            tenant,
            list(devices),
            device_type,
            version,
        )

    async def unregister(self, *devices: str) -> None:
        await self.pool.execute("DELETE FROM devices WHERE device_id = ANY ($1::text[])", list(devices))

    async def _stages(self, number: int, gates: tuple[Gate, ...], last_rate: int) -> None:
        stages = [(g.rate, True, g.soak_seconds, g.min_success, g.approval) for g in gates]
        stages.append((last_rate, False, 0, 0.0, False))
        await self.pool.executemany(
            """INSERT INTO ota_campaign_stages
                   (campaign_id, number, tenant_id, name, rollout_rate, gate, soak_seconds, min_success, approval)
               VALUES ($1, $2, $3, 'stage', $4, $5, $6, $7, $8)""",
            [(number, n, TENANT, *stage) for n, stage in enumerate(stages)],
        )

    async def row(self, campaign_id: int, device_id: str, status: str, **given: Any) -> None:
        """One more device row, in any state."""
        fields = {
            "campaign_id": campaign_id,
            "device_id": device_id,
            "tenant_id": TENANT,
            "rank": 0,
            "status": status,
            "skip_reason": "aborted" if status == "SKIPPED" else None,
        } | given
        names, places = ", ".join(fields), ", ".join(f"${n}" for n in range(1, len(fields) + 1))
        await self.pool.execute(f"INSERT INTO ota_device_status ({names}) VALUES ({places})", *fields.values())
        await self.register(str(fields["tenant_id"]), device_id)

    async def move(self, campaign_id: int, status: str, *devices: str, **given: Any) -> None:
        """What ingest would have written: devices (all, if none is named) get a status."""
        also = "".join(f", {name} = ${n}" for n, name in enumerate(given, start=4))
        await self.pool.execute(
            f"""UPDATE ota_device_status SET status = $2{also}
                WHERE campaign_id = $1 AND ($3::text[] = '{{}}' OR device_id = ANY ($3))""",
            campaign_id,
            status,
            list(devices),
            *given.values(),
        )

    async def set(self, campaign_id: int, **given: Any) -> None:
        """Fields of a campaign."""
        pairs = ", ".join(f"{name} = ${n}" for n, name in enumerate(given, start=2))
        await self.pool.execute(f"UPDATE ota_campaigns SET {pairs} WHERE id = $1", campaign_id, *given.values())

    async def set_stage(self, campaign_id: int, number: int, **given: Any) -> None:
        pairs = ", ".join(f"{name} = ${n}" for n, name in enumerate(given, start=3))
        await self.pool.execute(
            f"UPDATE ota_campaign_stages SET {pairs} WHERE campaign_id = $1 AND number = $2",
            campaign_id,
            number,
            *given.values(),
        )

    async def pass_not_after(self, campaign_id: int, devices: list[str]) -> None:
        """The time within which their requests could be published is over."""
        await self.pool.execute(
            """UPDATE ota_device_status SET not_after = now() - interval '1 hour'
               WHERE campaign_id = $1 AND device_id = ANY ($2)""",
            campaign_id,
            devices,
        )

    async def caught_up(self, ago: float = 0.0) -> None:
        """Ingest has one member, which has taken in all that came until `ago` seconds ago."""
        await self.pool.execute(
            """INSERT INTO ingest_members VALUES (0, 'test', now(), now() - make_interval(secs => $1))
               ON CONFLICT (ordinal) DO UPDATE SET caught_up_at = excluded.caught_up_at""",
            ago,
        )

    async def get(self, campaign_id: int) -> asyncpg.Record:
        found = await self.pool.fetchrow("SELECT * FROM ota_campaigns WHERE id = $1", campaign_id)
        assert found is not None
        return found

    async def stage(self, campaign_id: int, number: int) -> asyncpg.Record:
        found = await self.pool.fetchrow(
            "SELECT * FROM ota_campaign_stages WHERE campaign_id = $1 AND number = $2", campaign_id, number
        )
        assert found is not None
        return found

    async def device(self, campaign_id: int, device_id: str) -> asyncpg.Record:
        found = await self.pool.fetchrow(
            "SELECT * FROM ota_device_status WHERE campaign_id = $1 AND device_id = $2", campaign_id, device_id
        )
        assert found is not None
        return found

    async def statuses(self, campaign_id: int) -> Counter[str]:
        rows = await self.pool.fetch(
            "SELECT status, count(*) AS n FROM ota_device_status WHERE campaign_id = $1 GROUP BY 1", campaign_id
        )
        return Counter({row["status"]: row["n"] for row in rows})

    async def attempts(self, campaign_id: int) -> dict[str, int]:
        """The last attempt of each device."""
        rows = await self.pool.fetch(
            "SELECT device_id, attempt FROM ota_device_status WHERE campaign_id = $1", campaign_id
        )
        return {row["device_id"]: row["attempt"] for row in rows}

    async def events(self, campaign_id: int) -> list[str]:
        rows = await self.pool.fetch(
            "SELECT event FROM ota_campaign_timeline WHERE campaign_id = $1 ORDER BY id", campaign_id
        )
        return [row["event"] for row in rows]

    async def miscounted(self) -> list[asyncpg.Record]:
        """Counters that differ from the rows."""
        return await self.pool.fetch(
            """WITH counted AS (
                   SELECT r.campaign_id, r.stage, k.counter, count(*) AS n FROM ota_device_status r
                   CROSS JOIN LATERAL (VALUES (r.status, true), ('dispatched', r.dispatched_at IS NOT NULL),
                       ('failing', r.failures > 0 AND r.status NOT IN ('SUCCESS', 'SKIPPED')),
                       (r.wait, r.wait IS NOT NULL)) k (counter, counts)
                   WHERE k.counts GROUP BY 1, 2, 3)
               SELECT * FROM counted FULL JOIN ota_campaign_counters c USING (campaign_id, stage, counter)
               WHERE coalesce(counted.n, 0) <> coalesce(c.n, 0)"""
        )
