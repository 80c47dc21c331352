"""A killed process stays a member until its session ends; who joins before that makes the whole group wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from dispatcher_svc.settings import DispatcherSettings
from pulse.contracts.kafka import DISPATCHERS
from pulse.runtime.process import pause

log = structlog.get_logger()
LOOK_SECONDS = 0.1


async def has_gone(settings: DispatcherSettings, stop: asyncio.Event) -> bool:
    """Waits until the group has no member of this process's name, for a session's time at most; False at `stop`.

    Meanwhile the others go on. Where Kafka does not say who is in the group, it waits no longer.
    """
    session = settings.kafka_session_timeout_ms / 1000
    try:
        async with asyncio.timeout(session), _admin(settings.kafka_bootstrap) as admin:
            waits = False
            while settings.member_name in await _members(admin):
                if not waits:
                    log.info("waits_for_its_predecessors_end", member=settings.member_name)
                waits = True
                if await pause(stop, LOOK_SECONDS):
                    return False
    except (KafkaError, TimeoutError) as error:
        log.info("joins_without_knowing_the_group", error=repr(error))
    return not stop.is_set()


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _members(admin: AIOKafkaAdminClient) -> set[str]:
    """The names of the group's members. Raises KafkaError."""
    [response] = await admin.describe_consumer_groups([DISPATCHERS])
    [(_, _, _, _, _, members, *_)] = response.groups
    return {name for _, name, *_ in members}
