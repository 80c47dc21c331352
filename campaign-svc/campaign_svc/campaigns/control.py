"""An operator's control changes: start, pause, abort, another rate. Committed first, then announced."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from campaign_svc.announce import Announcer
from campaign_svc.campaigns import campaign_store as store
from campaign_svc.campaigns.campaign_schemas import ControlledCampaign
from campaign_svc.campaigns.campaign_store import CampaignRecord
from campaign_svc.campaigns.campaigns import locked, not_past_end, view
from campaign_svc.changes import change, note
from pulse.contracts.status import CampaignStatus
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.once import Once

S = CampaignStatus
ACCEPTED = 202


class Control:
    """What a control change needs besides its campaign: who asks, once or again, and the way to the dispatchers."""

    def __init__(self, pool: Pool, announcer: Announcer, who: Principal, once: Once) -> None:
        self._pool = pool
        self._announcer = announcer
        self._who = who
        self._once = once

    async def start(self, campaign_id: int, reason: str | None) -> ControlledCampaign:
        """Starts a CREATED campaign, resumes a PAUSED one.

        Raises CampaignNotFound, WrongState (also past the campaign's `end_at`), FirmwareWithdrawn.
        """
        async with self._changing(campaign_id, "start", S.CREATED, S.PAUSED) as (conn, campaign):
            await not_past_end(conn, campaign)
            firmware = await store.firmware(conn, self._who.tenant, campaign.firmware_version_id)
            if firmware and firmware.withdrawal:
                raise firmware.withdrawal.refusal(firmware.version)
            event = "started" if campaign.status == S.CREATED else "resumed"
            await store.begin_stage(conn, campaign_id)
            if campaign.status == S.CREATED:
                await store.look_again(conn, campaign_id)
            await self._change(conn, campaign_id, S.RUNNING, event, None, reason)
        return await self._announced(campaign_id)

    async def pause(self, campaign_id: int, reason: str | None) -> ControlledCampaign:
        """Nothing is sent any more until it is started again. Raises CampaignNotFound, WrongState."""
        async with self._changing(campaign_id, "pause", S.RUNNING) as (conn, _):
            await self._change(conn, campaign_id, S.PAUSED, "paused", "operator", reason)
        return await self._announced(campaign_id)

    async def abort(self, campaign_id: int, reason: str | None) -> ControlledCampaign:
        """Ends it for good; what has not been sent is skipped. Raises CampaignNotFound, WrongState."""
        async with self._changing(campaign_id, "abort", S.CREATED, S.RUNNING, S.PAUSED) as (conn, _):
            await self._change(conn, campaign_id, S.ABORTED, "aborted", "operator", reason)
        return await self._announced(campaign_id)

    async def change_rate(self, campaign_id: int, rate: int) -> ControlledCampaign:
        """`rate` in devices a minute. Raises CampaignNotFound, WrongState."""
        async with self._changing(campaign_id, "change of rate", S.CREATED, S.RUNNING, S.PAUSED) as (conn, campaign):
            detail = f"{campaign.rollout_rate} to {rate} a minute"
            await store.set_rate(conn, campaign_id, rate)
            if campaign.status == S.CREATED:  # nothing runs yet: nobody needs to hear of it
                await note(conn, campaign_id, event="rate_changed", by=self._who.subject, reason=detail)
            else:
                await self._change(conn, campaign_id, S(campaign.status), "rate_changed", None, detail)
        return await self._announced(campaign_id)

    @asynccontextmanager
    async def _changing(
        self, campaign_id: int, act: str, *allowed: CampaignStatus
    ) -> AsyncIterator[tuple[Connection, CampaignRecord]]:
        """One transaction with the campaign locked; until it is announced, a repeat is answered `pending`."""
        async with transaction(self._pool, self._who.tenant) as conn:
            await self._once.claim(conn, self._who.tenant)
            yield conn, await locked(conn, self._who, campaign_id, act, *allowed)
            await self._keep(conn, campaign_id, "pending")

    async def _change(
        self, conn: Connection, campaign_id: int, status: CampaignStatus, event: str, code: str | None, why: str | None
    ) -> None:
        by = self._who.subject
        await change(conn, campaign_id, status=status, event=event, by=by, reason_code=code, detail=why)

    async def _announced(self, campaign_id: int) -> ControlledCampaign:
        """After the commit: every dispatcher is told. What could not be told in time, the tick tells again."""
        announced = await self._announcer.announce(self._who.tenant, campaign_id)
        async with transaction(self._pool, self._who.tenant) as conn:
            return await self._keep(conn, campaign_id, "announced" if announced else "pending")

    async def _keep(
        self, conn: Connection, campaign_id: int, control: Literal["announced", "pending"]
    ) -> ControlledCampaign:
        seen = await view(conn, self._who, campaign_id)
        answer = ControlledCampaign(**seen.fields(), control=None if seen.campaign.status == S.CREATED else control)
        await self._once.keep(conn, answer, ACCEPTED if answer.control == "pending" else None)
        return answer
