"""What the network does to a fleet: each device has its spells without connection, and storms that hit many at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from heapq import heapify, heapreplace
from itertools import count

from fleetsim.agent import Agent
from fleetsim.nature import Behaviour
from fleetsim.tally import Tally

BREATH = 1_000
_Turn = tuple[float, int, int, bool]
"""When, which device, the number of its spell, and whether it is away by then."""


async def spells(agents: Sequence[Agent], behaviour: Behaviour) -> None:
    """Take devices off the network and bring them back, for ever."""
    if not behaviour.offline or not agents:
        return
    clock = asyncio.get_running_loop().time
    started = clock()
    turns: list[_Turn] = []
    async for who, agent in _breathing(agents):
        turns.append((started + agent.nature.spell(0)[0], who, 0, False))
    heapify(turns)
    while True:
        when, who, spell, is_away = turns[0]
        await asyncio.sleep(max(0.0, when - clock()))
        agent = agents[who]
        if is_away:
            agent.come_back()
            heapreplace(turns, (when + agent.nature.spell(spell + 1)[0], who, spell + 1, False))
        else:
            agent.go_offline()
            heapreplace(turns, (when + agent.nature.spell(spell)[1], who, spell, True))


async def storms(agents: Sequence[Agent], behaviour: Behaviour, tally: Tally) -> None:
    """Cut many connections in the same moment, again and again; who is off the network already is spared."""
    if not behaviour.storm_every:
        return
    for number in count():
        await asyncio.sleep(behaviour.storm_every)
        tally.storms += 1
        loop = asyncio.get_running_loop()
        async for _, agent in _breathing(agents):
            if agent.is_reachable and (seconds := agent.nature.struck(number)) is not None:
                agent.go_offline()
                loop.call_later(seconds, agent.come_back)
                tally.struck += 1


async def _breathing(agents: Sequence[Agent]) -> AsyncIterator[tuple[int, Agent]]:
    """All of them with their numbers; a million takes seconds, so others get their turn in between."""
    for who, agent in enumerate(agents):
        yield who, agent
        if who % BREATH == BREATH - 1:
            await asyncio.sleep(0)
