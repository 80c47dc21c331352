"""What must hold of everything that a test has done, whatever went wrong meanwhile."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from fleetsim.agent import Agent
from pulse.contracts.kafka import CONTROL, REQUESTS, CampaignControl, DispatchRequest
from tests.chaos import kafka
from tests.chaos.checker.commands import AFTER_PAUSE_SECONDS, worst_window
from tests.chaos.checker.verdicts import broken, check
from tests.chaos.history import Device, Line, Made, Written
from tests.e2e.arrange import Site
from tests.e2e.campaign import Campaign
from tests.e2e.histories import Came, commands
from tests.e2e.topics import content

__all__ = ["AFTER_PAUSE_SECONDS", "faster_than_promised", "hold"]

OBSERVED_SECONDS = 2.0
"""How much closer together commands may be seen than they were sent: two cores run all of this."""
CATCH_UP_SECONDS = 15.0


async def hold(site: Site) -> None:
    """Fails with all that is broken of this site. Ingest gets some seconds for what was reported last."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while found := list(broken(check(await _history(site), OBSERVED_SECONDS))):
        if time.monotonic() > deadline:
            raise AssertionError("\n".join(found))
        await asyncio.sleep(0.3)


async def _history(site: Site) -> list[Line]:
    """All that is known of a site, times in seconds since 1970."""
    await site.watch.look()
    lines = [*site.watch.lines, *await site.watch.end()]
    for campaign in site.campaigns:
        lines += _asked(site, campaign)
    for agent in site.agents:
        lines += _done(agent)
    bootstrap = site.stack["KAFKA_BOOTSTRAP"]
    requests = await content(bootstrap, REQUESTS, DispatchRequest)
    lines += [kafka.requested(request) for request in requests if request.tenant_id == site.tenant]
    controls = await content(bootstrap, CONTROL, CampaignControl)
    lines += kafka.last_words(control for control in controls if control.tenant_id == site.tenant)
    return lines + [_written(site.tenant, came) for came in commands(site.agents)]


def _asked(site: Site, campaign: Campaign) -> Iterator[Line]:
    yield Made(
        at=0, tenant=site.tenant, campaign=campaign.id, devices=campaign.devices_total, rate=max(campaign.rates) / 60
    )
    for asked in campaign.asked:
        yield asked.line(site.tenant, campaign.id)


def _done(agent: Agent) -> Iterator[Device]:
    for entry in agent.history.entries:
        yield Device(
            at=entry.at,
            tenant=agent.account.tenant_id,
            device=agent.account.device_id,
            did=entry.what,
            payload=entry.payload.decode(errors="replace"),
            reason_code=entry.reason_code,
        )


def _written(tenant: str, came: Came) -> Written:
    """A command as its device saw it, which is later than it was written."""
    return Written(
        at=came.at, by="", earliest=came.at, tenant=tenant, device=came.device_id, payload=came.payload.decode()
    )


def faster_than_promised(came: Sequence[Came], rate: float, observed: float) -> bool:
    """Whether a window has more than its share of the rate (per second), and the buckets' bursts."""
    return worst_window([_written("", event) for event in came], rate, observed) is not None
