"""What the HTTP endpoints reach: the database and the announcer."""

from typing import Annotated

from fastapi import Depends, Request

from campaign_svc.announce import Announcer
from pulse.runtime.db import Pool


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


def _announcer(request: Request) -> Announcer:
    announcer: Announcer = request.app.state.announcer
    return announcer


Database = Annotated[Pool, Depends(_pool)]
Announcing = Annotated[Announcer, Depends(_announcer)]
