"""What the devices of a fleet share."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from fleetsim.connection import Broker
from fleetsim.journal import Journal
from fleetsim.nature import Behaviour
from fleetsim.pace import Pace
from fleetsim.recorder import Recorder
from fleetsim.tally import Tally

if TYPE_CHECKING:
    from fleetsim.agent import Agent


@dataclass(frozen=True, slots=True)
class World:
    """`find` gives the device of a command topic. With `manual` the devices do nothing by themselves: a test speaks for
    them. Without `presence` one that has nothing to report says nothing when it connects.
    """

    broker: Broker
    http: httpx.AsyncClient
    behaviour: Behaviour
    downloads: asyncio.Semaphore
    connects: asyncio.Semaphore
    pace: Pace
    group: asyncio.TaskGroup
    find: Callable[[str], "Agent | None"]
    journal: Journal | None = None
    recorder: Recorder | None = None
    manual: bool = False
    keep_history: bool = False
    presence: bool = True
    tally: Tally = field(default_factory=Tally)
    moves: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a device has come to the broker or left the network."""
    unlimited: nullcontext[None] = field(default_factory=nullcontext)
