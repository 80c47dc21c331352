"""What a campaign's rows and numbers ask for is done: judged, swept, ended, retried; in short transactions."""

import time
from collections.abc import Awaitable, Callable

import structlog

from campaign_svc import changes
from campaign_svc.announce import Announcer
from campaign_svc.engine import rollout_store, stage_store, take_in_store
from campaign_svc.engine.judge import Change, Ended, StageMoved, StagePassed, Verdict, completed, judge
from campaign_svc.engine.live import LiveCampaign, StageStatus
from campaign_svc.engine.live_store import take
from campaign_svc.metrics import CHANGES, SWEPT
from campaign_svc.settings import CampaignSettings
from pulse.contracts.status import CampaignStatus
from pulse.runtime.db import Connection, Pool, transaction

log = structlog.get_logger()
Work = Callable[[Connection, LiveCampaign, int], Awaitable[int]]
"""Moves at most so many rows of a campaign whose row is locked; returns how many."""


class Progress:
    """Judges and sweeps live campaigns; announces what the judge changes."""

    def __init__(self, pool: Pool, announcer: Announcer, settings: CampaignSettings) -> None:
        self._pool = pool
        self._announcer = announcer
        self._settings = settings

    async def judge(self, seen: LiveCampaign) -> None:
        """Judges the campaign as it is now, carries the verdict out, and announces it if it is a control change."""
        async with transaction(self._pool) as conn:
            campaign = await take(conn, seen.id, self._settings.sweep_grace_seconds)
            verdict = None if campaign is None else judge(campaign)
            if campaign is None or verdict is None:
                return
            announce = await _carry_out(conn, campaign, verdict)
        if announce:
            await self._announcer.announce(campaign.tenant_id, campaign.id)

    async def sweep(self, seen: LiveCampaign, until: float) -> None:
        """Rows that wait for what will not come: requests past their time, devices that are silent."""
        if seen.overdue:
            await self._in_chunks(seen, self._take_back_overdue, until)
        if seen.silent:
            await self._in_chunks(seen, self._fail_silent, until)

    async def end(self, seen: LiveCampaign, until: float) -> None:
        """What an abort or a deadline leaves waiting is over."""
        if skip_reason(seen) is not None and seen.waiting:
            await self._in_chunks(seen, _end_pending, until)

    async def retry(self, seen: LiveCampaign, until: float) -> None:
        """An operator's retry of all failed devices is worked off."""
        if seen.retrying:
            await self._in_chunks(seen, _retry_failed, until)

    async def take_in(self, seen: LiveCampaign, until: float) -> None:
        """What was skipped when the campaign was made is looked at again, before anything is released."""
        if seen.taking_in:
            await self._in_chunks(seen, _take_in, until)

    async def _in_chunks(self, seen: LiveCampaign, work: Work, until: float) -> None:
        """One chunk a transaction, so that an operator's change never waits long for the campaign's row."""
        most = self._settings.chunk_rows
        moved = most
        while moved == most and time.monotonic() < until:
            async with transaction(self._pool) as conn:
                campaign = await take(conn, seen.id, self._settings.sweep_grace_seconds)
                if campaign is None:
                    return
                moved = await work(conn, campaign, most)

    async def _take_back_overdue(self, conn: Connection, campaign: LiveCampaign, most: int) -> int:
        moved = await rollout_store.take_back_overdue(conn, campaign.id, most, self._settings.sweep_grace_seconds)
        return _swept("overdue", campaign, moved)

    async def _fail_silent(self, conn: Connection, campaign: LiveCampaign, most: int) -> int:
        moved = await rollout_store.fail_silent(
            conn,
            campaign.id,
            most,
            timeout=campaign.attempt_timeout_seconds,
            max_attempts=campaign.max_attempts,
            backoff=self._settings.retry_backoff_seconds,
        )
        return _swept("silent", campaign, moved)


def skip_reason(campaign: LiveCampaign) -> str | None:
    """Why devices that still wait are skipped; None: they are not."""
    if campaign.status is CampaignStatus.ABORTED:
        return "aborted"
    return "deadline" if campaign.past_end else None


async def _end_pending(conn: Connection, campaign: LiveCampaign, most: int) -> int:
    reason = skip_reason(campaign)
    if reason is None:
        return 0
    return _swept("ended", campaign, await rollout_store.end_pending(conn, campaign.id, most, reason))


async def _retry_failed(conn: Connection, campaign: LiveCampaign, most: int) -> int:
    if campaign.retry_before is None:
        return 0
    if skip_reason(campaign) is not None:
        await rollout_store.drop_retry(conn, campaign.id)
        return 0
    moved = await rollout_store.retry_failed(conn, campaign.id, most, campaign.retry_before)
    return _swept("retried", campaign, moved)


async def _take_in(conn: Connection, campaign: LiveCampaign, most: int) -> int:
    if not campaign.taking_in:
        return 0
    if skip_reason(campaign) is not None:
        await take_in_store.drop(conn, campaign.id)
        return 0
    looked, taken = await take_in_store.take_in(conn, campaign.id, most)
    if taken:
        await changes.note(conn, campaign.id, event="taken_in", by=None, evidence={"devices": taken})
    _swept("taken_in", campaign, taken)
    return looked


def _swept(sweep: str, campaign: LiveCampaign, moved: int) -> int:
    if moved:
        SWEPT.labels(sweep).inc(moved)
        log.info("rows_swept", sweep=sweep, campaign_id=campaign.id, rows=moved)
    return moved


async def _carry_out(conn: Connection, campaign: LiveCampaign, verdict: Verdict) -> bool:
    """Writes a verdict; True when it is a control change, which dispatchers must hear of."""
    match verdict:
        case Change():
            if verdict.status is CampaignStatus.COMPLETED and campaign.outcomes.succeeded == 0:
                verdict = completed(campaign.outcomes, await rollout_store.skip_reasons(conn, campaign.id))
            await _change(conn, campaign, verdict)
            return True
        case StageMoved():
            await stage_store.move(conn, campaign.id, campaign.current_stage, verdict.status, verdict.soak_until)
            if verdict.change is not None:
                await _change(conn, campaign, verdict.change)
            return verdict.change is not None
        case StagePassed():
            return await _pass_stage(conn, campaign, verdict)
        case Ended():
            await stage_store.set_ended(conn, campaign.id)
            log.info("campaign_ended", campaign_id=campaign.id)
            return False


async def _change(conn: Connection, campaign: LiveCampaign, verdict: Change) -> None:
    epoch = await changes.change(
        conn,
        campaign.id,
        status=verdict.status,
        event=verdict.event,
        by=None,
        reason_code=verdict.reason_code,
        detail=verdict.detail,
        evidence=verdict.evidence,
    )
    CHANGES.labels(verdict.event, verdict.reason_code or "").inc()
    log.info("campaign_changed", campaign_id=campaign.id, epoch=epoch, status=verdict.status, change=verdict.event)


async def _pass_stage(conn: Connection, campaign: LiveCampaign, verdict: StagePassed) -> bool:
    """The gate opens. Another rate for the next stage is a control change, as any change of rate is."""
    passed, following = campaign.stage, campaign.stages[campaign.current_stage + 1]
    await stage_store.move(conn, campaign.id, passed.number, StageStatus.PASSED, passed.soak_until)
    await stage_store.move(conn, campaign.id, following.number, StageStatus.RUNNING, None)
    await stage_store.set_current(conn, campaign.id, following.number)
    await changes.note(conn, campaign.id, event="gate_passed", by=None, evidence=verdict.evidence)
    started: dict[str, object] = {"stage": following.number, "rate_per_minute": round(following.rate * 60)}
    if following.rate == passed.rate:
        await changes.note(conn, campaign.id, event="stage_started", by=None, evidence=started)
        return False
    await _change(conn, campaign, Change(CampaignStatus.RUNNING, "stage_started", evidence=started))
    return True
