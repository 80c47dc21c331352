"""What the devices of a fleet share."""

import asyncio
from dataclasses import dataclass, field

import httpx

from fleetsim.connection import Broker
from fleetsim.journal import Journal
from fleetsim.nature import Behaviour


@dataclass(slots=True)
class Tally:
    """What the devices of a fleet have done so far; `trouble` is the latest reason for being without connection."""

    connected: int = 0
    commands: int = 0
    reports: int = 0
    undelivered: int = 0
    succeeded: int = 0
    failed: int = 0
    silent: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """With `manual` the devices do nothing by themselves: a test speaks for them."""

    broker: Broker
    http: httpx.AsyncClient
    behaviour: Behaviour
    downloads: asyncio.Semaphore
    connects: asyncio.Semaphore
    journal: Journal | None = None
    manual: bool = False
    keep_history: bool = False
    tally: Tally = field(default_factory=Tally)
