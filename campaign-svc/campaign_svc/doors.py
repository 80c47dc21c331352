"""What the HTTP endpoints reach: the database, the announcer, and with both the control of campaigns."""

from typing import Annotated

from fastapi import Depends, Request

from campaign_svc.announce import Announcer
from campaign_svc.campaigns.control import Control
from pulse.runtime.auth import Operator
from pulse.runtime.db import Pool
from pulse.runtime.once import OnlyOnce


async def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


async def _announcer(request: Request) -> Announcer:
    announcer: Announcer = request.app.state.announcer
    return announcer


Database = Annotated[Pool, Depends(_pool)]
Announcing = Annotated[Announcer, Depends(_announcer)]


async def _control(who: Operator, pool: Database, announcer: Announcing, once: OnlyOnce) -> Control:
    return Control(pool, announcer, who, once)


Controlling = Annotated[Control, Depends(_control)]
