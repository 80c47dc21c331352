"""SQL of whom a campaign is for: the devices of its group, those that it cannot update, and their stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from campaign_svc.campaigns.campaign_requests import NewStage
from campaign_svc.campaigns.campaign_store import Firmware
from campaign_svc.fitness import unfit
from pulse.runtime.db import Connection

SKIPPED_LAST = 2**62
"""Raises halved hashes above those that are lowered as much: by one number a million rows are sorted fastest."""
# One of both is NULL and finds nothing: the planner leaves it out.
_TARGETS = f"""members AS NOT MATERIALIZED (
    SELECT device_id FROM device_group_members WHERE tenant_id = $1 AND group_id = $2
    UNION ALL
    SELECT device_id FROM ota_device_status
     WHERE tenant_id = $1 AND campaign_id = {{campaign}}::bigint AND status = ANY({{statuses}}::text[])),
targets AS {{materialized}} (
    SELECT m.device_id, {unfit("$4", "$3")} AS skip
      FROM members m JOIN devices d ON d.tenant_id = $1 AND d.device_id = m.device_id)"""
_INSERT = f"""
WITH {_TARGETS.format(materialized="NOT MATERIALIZED", campaign="$8", statuses="$9")},
ranked AS (
    SELECT device_id, skip,
           row_number() OVER (ORDER BY (hashtextextended(device_id, $5) >> 1)
                                       + CASE WHEN skip IS NULL THEN -{SKIPPED_LAST} ELSE {SKIPPED_LAST} END,
                                       device_id) - 1 AS rank
      FROM targets),
bounds AS (
    SELECT coalesce(array_agg(bound ORDER BY n), '{{}}') AS bounds
      FROM (SELECT g.n, sum(coalesce(g.device_count, ceil(g.share * u.updatable))) OVER (ORDER BY g.n)::float8 AS bound
              FROM unnest($6::numeric[], $7::int[]) WITH ORDINALITY AS g (share, device_count, n)
             CROSS JOIN (SELECT count(*) FILTER (WHERE skip IS NULL) AS updatable FROM targets) u) b)
INSERT INTO ota_device_status (campaign_id, device_id, tenant_id, stage, rank, status, skip_reason, completed_at)
SELECT $5, device_id, $1,
       CASE WHEN skip IS NULL AND bounds <> '{{}}' THEN width_bucket(rank::float8, bounds)
            ELSE cardinality($7::int[]) END,
       rank, CASE WHEN skip IS NULL THEN 'PENDING' ELSE 'SKIPPED' END, skip, CASE WHEN skip IS NOT NULL THEN now() END
  FROM ranked CROSS JOIN bounds
"""
_COUNT = f"""
WITH {_TARGETS.format(materialized="", campaign="$5", statuses="$6")}
SELECT t.skip, count(*) AS devices, count(busy.device_id) AS busy
  FROM targets t LEFT JOIN ota_device_status busy
    ON busy.tenant_id = $1 AND busy.device_id = t.device_id
   AND busy.phase IN ('QUEUED', 'AT_WORK')
 GROUP BY t.skip
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a campaign aims at: a group, or what another campaign's devices have come to."""

    group_id: str | None = None
    campaign_id: int | None = None
    statuses: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """How many devices a campaign would update, how many of them another one has at work, whom it skips and why."""

    updatable: int
    busy: int
    skipped: dict[str, int]

    @property
    def total(self) -> int:
        return self.updatable + sum(self.skipped.values())


async def insert_stages(
    conn: Connection, tenant: str, campaign_id: int, rate: int, gated: Sequence[NewStage], last: str
) -> None:
    """The gated stages, and after them one named `last`, without a gate, for all that is left."""
    rows: list[tuple[Any, ...]] = [
        (
            campaign_id,
            tenant,
            n,
            s.name,
            s.share,
            s.count,
            s.rollout_rate or rate,
            True,
            s.soak_seconds,
            s.min_success,
            s.approval,
        )
        for n, s in enumerate(gated)
    ]
    rows.append((campaign_id, tenant, len(gated), last, None, None, rate, False, 0, 0.0, False))
    await conn.executemany(
        """INSERT INTO ota_campaign_stages (campaign_id, tenant_id, number, name, share, device_count, rollout_rate,
                gate, soak_seconds, min_success, approval)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        rows,
    )


async def insert_devices(
    conn: Connection, tenant: str, campaign_id: int, target: Target, of: Firmware, gated: Sequence[NewStage]
) -> int:
    """One row per device that is aimed at, in one statement; how many there are.

    The sample is random and can be repeated: devices are ranked by a hash of campaign and device id, those that
    cannot be updated last. Shares are exact decimals (0.07 of 100 is 7, not 8) and rounded up.
    """
    # Just after an import the statistics know nothing of the devices: a nested loop takes minutes for a million.
    await conn.execute("SET LOCAL enable_nestloop = off")
    done = await conn.execute(
        _INSERT,
        tenant,
        target.group_id,
        of.version,
        of.device_type,
        campaign_id,
        [None if stage.share is None else Decimal(repr(stage.share)) for stage in gated],
        [stage.count for stage in gated],
        target.campaign_id,
        target.statuses,
        timeout=600,
    )
    return int(done.split()[-1])


async def count(conn: Connection, tenant: str, target: Target, of: Firmware) -> Targets:
    """What `insert_devices` would find now."""
    rows = await conn.fetch(
        _COUNT, tenant, target.group_id, of.version, of.device_type, target.campaign_id, target.statuses
    )
    skipped = {row["skip"]: row["devices"] for row in rows if row["skip"] is not None}
    wanted = next((row for row in rows if row["skip"] is None), {"devices": 0, "busy": 0})
    return Targets(wanted["devices"], wanted["busy"], skipped)
