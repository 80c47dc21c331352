"""A killed process stays a member until its session ends; who joins before that makes the whole group wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import gethostname

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.kafka_settings import MemberSettings
from pulse.runtime.process import pause

log = structlog.get_logger()
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Member:
    """Of a consumer group: a process, and whichever is started in its place. `session` in seconds."""

    cluster: Cluster
    group: str
    name: str
    session: float


def member_of(group: str, service: str, settings: MemberSettings) -> Member:
    """This process: a host has one with its HTTP port."""
    name = f"{service}-{gethostname()}-{settings.http_port}"
    return Member(settings.kafka, group, name, settings.kafka_session_timeout_ms / 1000)


async def has_gone(member: Member, stop: asyncio.Event) -> bool:
    """Waits until the group has no member of this name, for a session's time at most; False at `stop`.

    Meanwhile the others go on. Where Kafka does not say who is in the group, it waits no longer. Raises StartRefused
    where this process may not be in it.
    """
    try:
        async with asyncio.timeout(member.session), _admin(member.cluster) as admin:
            waits = False
            while member.name in await _members(admin, member.group):
                if not waits:
                    log.info("waits_for_its_predecessors_end", member=member.name)
                waits = True
                if await pause(stop, LOOK_SECONDS):
                    return False
    except GroupAuthorizationFailedError as error:
        raise StartRefused(f"Kafka does not allow this process to be in the group {member.group}: {error}") from error
    except (KafkaError, TimeoutError) as error:
        log.info("joins_without_knowing_the_group", error=repr(error))
    return not stop.is_set()


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = cluster.admin(request_timeout_ms=2_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _members(admin: AIOKafkaAdminClient, group: str) -> set[str]:
    """The names of the group's members. Raises KafkaError."""
    [response] = await admin.describe_consumer_groups([group])
    [(_, _, _, _, _, members, *_)] = response.groups
    return {name for _, name, *_ in members}
