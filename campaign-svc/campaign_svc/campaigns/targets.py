"""Whom a new campaign aims at: the devices of a group, or those that another campaign has not updated."""

from campaign_svc.campaigns import campaign_store as store
from campaign_svc.campaigns.campaign_requests import NewCampaign, TargetOf
from campaign_svc.campaigns.targets_store import Target
from campaign_svc.fleet import group_store
from campaign_svc.refusals import EmptyGroup, EmptyTarget, NotEnded, UnknownCampaign, UnknownGroup
from pulse.contracts.status import CampaignStatus, Status
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection
from pulse.runtime.errors import Invalid

ENDED = {CampaignStatus.ABORTED, CampaignStatus.COMPLETED}


async def target_of(conn: Connection, who: Principal, new: NewCampaign, *, lock: bool) -> Target:
    """`lock`: the group and its members stay until the transaction ends.

    Raises UnknownGroup, UnknownCampaign, NotEnded.
    """
    if new.target_of is not None:
        return await _of_campaign(conn, who, new.target_of)
    group_id = new.target_group_id or ""
    find = group_store.lock_group if lock else group_store.group
    if not await find(conn, who.tenant, group_id):
        raise UnknownGroup(f"there is no group {group_id}", field="target_group_id")
    return Target(group_id=group_id)


async def _of_campaign(conn: Connection, who: Principal, of: TargetOf) -> Target:
    campaign = await store.get(conn, who.tenant, of.campaign_id)
    if campaign is None:
        raise UnknownCampaign(f"there is no campaign {of.campaign_id}", field="target_of.campaign_id")
    if Status.PENDING in of.statuses and campaign.status not in ENDED:
        detail = f"campaign {campaign.id} is {campaign.status}: its PENDING devices still have their turn there"
        raise NotEnded(detail, field="target_of.statuses")
    return Target(campaign_id=campaign.id, statuses=of.statuses)


def nobody(target: Target) -> Invalid:
    """The refusal of a target without any device."""
    if target.group_id is not None:
        return EmptyGroup(f"group {target.group_id} has no devices", field="target_group_id")
    statuses = ", ".join(target.statuses or ())
    detail = f"campaign {target.campaign_id} has no registered devices that are {statuses}"
    return EmptyTarget(detail, field="target_of")
