"""What a campaign would do, without keeping anything: who is in, who is out and why, how long, how many bytes."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from math import ceil

from campaign_svc.campaigns import targets_store
from campaign_svc.campaigns.campaign_requests import NewCampaign, NewStage
from campaign_svc.campaigns.campaign_schemas import Preview, PreviewStage, PreviewWarning
from campaign_svc.campaigns.campaign_store import Address
from campaign_svc.campaigns.campaigns import LAST_STAGE, firmware_for, gated_stages
from campaign_svc.campaigns.targets import nobody, target_of
from campaign_svc.insight import figures_store
from pulse.contracts.addresses import NEVER_ASKED
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.rest import must_be_ahead


async def preview(pool: Pool, who: Principal, new: NewCampaign) -> Preview:
    """Refuses what `campaigns.create` refuses, with the same errors."""
    async with transaction(pool, who.tenant) as conn:
        must_be_ahead(await figures_store.moment(conn), end_at=new.end_at)
        firmware = await firmware_for(conn, who, new)
        target = await target_of(conn, who, new, lock=False)
        targets = await targets_store.count(conn, who.tenant, target, firmware)
    if targets.total == 0:
        raise nobody(target)
    gated = gated_stages(new)
    sizes = stage_sizes(gated, targets.updatable)
    names = [*(stage.name for stage in gated), LAST_STAGE[new.rollout_strategy]]
    totals = [*sizes[:-1], sizes[-1] + sum(targets.skipped.values())]
    return Preview(
        would_update=targets.updatable,
        skipped=targets.skipped,
        busy_elsewhere=targets.busy,
        stages=[PreviewStage(name=name, total=total) for name, total in zip(names, totals, strict=True)],
        estimated_seconds=estimated_seconds(new.rollout_rate, gated, sizes),
        bytes=targets.updatable * firmware.file_size_bytes,
        warnings=_warnings(firmware.address),
    )


def _warnings(address: Address) -> list[PreviewWarning]:
    """What is known of the address by now; catalog-svc asks it."""
    asked = address.checked_at is not None
    code, detail = (address.code, address.warning) if asked else NEVER_ASKED
    return [PreviewWarning(code=code, detail=detail or code, checked_at=address.checked_at)] if code else []


def stage_sizes(gated: Sequence[NewStage], updatable: int) -> list[int]:
    """How many of `updatable` devices each gated stage takes, and what is left for the last one."""
    sizes: list[int] = []
    for stage in gated:
        wanted = stage.count if stage.share is None else ceil(Decimal(repr(stage.share)) * updatable)
        sizes.append(min(wanted or 0, updatable - sum(sizes)))
    return [*sizes, updatable - sum(sizes)]


def estimated_seconds(rate: int, gated: Sequence[NewStage], sizes: Sequence[int]) -> int:
    """The time to command all devices: each stage at its rate (per minute), then its soak time; empty stages pass.

    What devices need themselves, offline ones, approvals and limits in flight come on top.
    """
    seconds = 0.0
    for stage, size in zip_longest(gated, sizes):
        if size:
            seconds += size * 60 / ((stage.rollout_rate if stage else None) or rate)
            seconds += stage.soak_seconds if stage else 0
    return ceil(seconds)
