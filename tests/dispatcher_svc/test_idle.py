"""A dispatcher with nothing to do asks little, and is there at once when something comes."""

import asyncio
import time

from dispatcher_svc.control import IDLE_SECONDS
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Rig, campaigns

QUIET = 3.5
"""Seconds after which fetches are long and questions rare."""


async def test_the_first_command_after_a_quiet_time_goes_out_at_once(scene: Rig) -> None:
    await scene.start()
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    late = []
    for number in range(5):
        await asyncio.sleep(QUIET)
        asked = time.monotonic()
        await scene.ask(request(f"d{number}", campaign=campaign, rate=50))
        await scene.settled(campaign, number + 1)
        late.append(scene.written_of(campaign)[-1].at - asked)
    assert sorted(late)[2] < IDLE_SECONDS / 2, late


async def test_while_nothing_is_held_the_age_of_what_is_known_is_no_matter(scene: Rig) -> None:
    dispatcher = await scene.start()
    await asyncio.sleep(QUIET)
    assert await dispatcher.metric("pulse_dispatch_knowledge_age_seconds") == 0
