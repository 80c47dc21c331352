"""What the network does to a fleet: each device has its spells without connection, and storms that hit many at once."""

import asyncio
from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace
from itertools import count

from fleetsim.agent import Agent
from fleetsim.nature import Behaviour
from fleetsim.tally import Tally

_Turn = tuple[float, int, int, bool]
"""When, which device, the number of its spell, and whether it is away by then."""


async def spells(agents: Sequence[Agent], behaviour: Behaviour) -> None:
    """Take devices off the network and bring them back, for ever."""
    if not behaviour.offline or not agents:
        return
    clock = asyncio.get_running_loop().time
    started = clock()
    turns: list[_Turn] = [(started + agent.nature.spell(0)[0], who, 0, False) for who, agent in enumerate(agents)]
    heapify(turns)
    while True:
        when, who, spell, is_away = turns[0]
        if when > clock():
            await asyncio.sleep(when - clock())
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
        for agent, seconds in _struck(agents, number):
            agent.go_offline()
            loop.call_later(seconds, agent.come_back)


def _struck(agents: Sequence[Agent], storm: int) -> Iterator[tuple[Agent, float]]:
    for agent in agents:
        if agent.is_reachable and (seconds := agent.nature.struck(storm)) is not None:
            yield agent, seconds
