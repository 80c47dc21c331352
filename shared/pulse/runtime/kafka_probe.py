"""Why a cluster cannot be used, found out by a connection of its own.

aiokafka tells the reason to its log only, takes a refused token for an accepted one, and any of it for an outage.
"""

import asyncio
from asyncio import IncompleteReadError
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

import structlog
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest
from aiokafka.protocol.metadata import MetadataRequest

from pulse.runtime.errors import Unanswered
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.kafka_tokens import NoToken, TokenRefused
from pulse.runtime.tls import Trouble, explained

log = structlog.get_logger()
ANSWER_SECONDS = 3.0
LOOK_AFTER_SECONDS, READY_SECONDS = 1.0, 1.8
"""A probe for readiness has three seconds together; what is not answered in the first of them is looked into."""
TLS_RECORD = 0x15
"""The first byte of a TLS alert; as the first of four that are the length of an answer it would mean 352 MB."""
TOLD = b"\x01"


class _Authenticator(Protocol):
    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None: ...


class _ToTheEnd:
    """A server answers a token that it does not take with a reason, and refuses only when that has been answered."""

    def __init__(self, steps: _Authenticator) -> None:
        self._steps = steps

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        if payload:
            return TOLD, True
        return await self._steps.step(payload)


class _Connection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka carries no types
    def authenticator_oauth(self) -> _ToTheEnd:
        return _ToTheEnd(super().authenticator_oauth())


async def look(cluster: Cluster, seconds: float = ANSWER_SECONDS) -> Trouble | None:
    """What stands in the way of using the cluster; None: nothing that a connection shows.

    Asks one bootstrap server after the other, `seconds` each, until one answers or refuses; then the nodes that it
    names, since clients connect to those.
    """
    trouble = None
    for host, port in _servers(cluster.bootstrap):
        try:
            nodes = await _nodes(cluster, host, port, seconds)
        except _Found as found:
            trouble = found.trouble
            if trouble.is_refusal:
                return trouble
        else:
            return await _look_at(cluster, [node for node in nodes if node != (host, port)], seconds)
    return trouble


def with_reason(cluster: Cluster, answers: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    """The same check; where it fails or takes long, and a new connection fails, too, Unanswered is raised and says why.

    A refusal is logged as well.
    """

    async def check() -> bool:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(_awaited(answers))
            done, _ = await asyncio.wait([asked], timeout=LOOK_AFTER_SECONDS)
            if done and asked.result():
                return True
            trouble = await look(cluster, READY_SECONDS)
            if trouble is None:
                return await asked
            asked.cancel()
        if trouble.is_refusal:
            log.error("kafka_refuses", reason=trouble.text)
        raise Unanswered(trouble.text)

    return check


async def _awaited(answers: Callable[[], Awaitable[bool]]) -> bool:
    return await answers()


class _Found(Exception):
    def __init__(self, host: str, port: int, trouble: Trouble) -> None:
        super().__init__(trouble.text)
        self.trouble = Trouble(f"{host}:{port}: {trouble.text}", trouble.is_refusal)


async def _look_at(cluster: Cluster, nodes: list[tuple[str, int]], seconds: float) -> Trouble | None:
    trouble = None
    for host, port in nodes:
        try:
            await _nodes(cluster, host, port, seconds)
        except _Found as found:
            trouble = found.trouble
            if trouble.is_refusal:
                return trouble
    return trouble


async def _nodes(cluster: Cluster, host: str, port: int, seconds: float) -> list[tuple[str, int]]:
    """The nodes as a server of the cluster names them. Raises _Found."""
    try:
        async with asyncio.timeout(seconds):
            connection = await _connected(cluster, host, port)
            try:
                answer = await connection.send(MetadataRequest([]))
            except KafkaConnectionError as error:
                raise _Found(host, port, await _why_closed(cluster, host, port, error)) from error
            finally:
                connection.close()
    except TimeoutError as error:
        raise _Found(host, port, Trouble(f"no answer within {seconds} s", is_refusal=False)) from error
    return [(name, number) for _, name, number, *_ in answer.brokers]


async def _connected(cluster: Cluster, host: str, port: int) -> AIOKafkaConnection:
    """Raises _Found, TimeoutError."""
    connection = _Connection(host, port, request_timeout_ms=10_000, **cluster.access)
    try:
        await connection.connect()
    except TimeoutError:
        raise
    except (OSError, KafkaError) as error:
        trouble = _trouble(cluster, error)
        if cluster.uses_tls and not trouble.is_refusal and await _speaks_plainly(host, port):
            trouble = Trouble(f"it does not speak TLS at this port, and KAFKA_SECURITY_PROTOCOL is {cluster.protocol}")
        raise _Found(host, port, trouble) from error
    return connection


async def _speaks_plainly(host: str, port: int) -> bool:
    """Whether a server answers without TLS which versions it knows; all answer that before they ask for a name."""
    connection = AIOKafkaConnection(host, port, request_timeout_ms=10_000)
    try:
        await connection.connect()
    except (OSError, KafkaError):
        return False
    connection.close()
    return True


def _trouble(cluster: Cluster, error: BaseException) -> Trouble:
    """In words what a connection ended with."""
    if cluster.uses_tls and (of_tls := explained(error, "KAFKA")):
        return of_tls
    causes = list(_chain(error))
    for each in causes:
        if found := _of_sasl(cluster, each):
            return found
        if isinstance(each, IncompleteReadError) and (each.expected or 0) >> 24 == TLS_RECORD:
            return Trouble(f"it speaks TLS, and KAFKA_SECURITY_PROTOCOL is {cluster.protocol}")
    return Trouble(str(causes[-1]) or repr(causes[-1]), is_refusal=False)


def _of_sasl(cluster: Cluster, error: BaseException) -> Trouble | None:
    mechanism = cluster.mechanism
    match error:
        case SaslAuthenticationFailed():
            whom = f"user {cluster.username!r}" if cluster.username else "the token"
            return Trouble(f"it refuses {whom} with {mechanism}: {_said(error)}")
        case UnsupportedSaslMechanismError():
            return Trouble(f"it does not offer KAFKA_SASL_MECHANISM {mechanism}")
        case IllegalSaslStateError():
            return Trouble(f"it takes no SASL at this port, and KAFKA_SECURITY_PROTOCOL is {cluster.protocol}")
        case TokenRefused():
            return Trouble(str(error.args[0]))
        case NoToken():
            return Trouble(str(error.args[0]), is_refusal=False)
    return None


def _said(error: BaseException) -> str:
    return str(error.args[0]) if error.args and error.args[0] else "authentication failed"


async def _why_closed(cluster: Cluster, host: str, port: int, error: KafkaConnectionError) -> Trouble:
    """Of a connection that was fine until its first question: where the server wants SASL, it closes it."""
    if cluster.uses_sasl:
        return _trouble(cluster, error)
    connection = await _connected(cluster, host, port)
    try:
        answer = await connection.send(SaslHandShakeRequest("PLAIN"))
    except KafkaError:
        return _trouble(cluster, error)
    finally:
        connection.close()
    offered = ", ".join(answer.enabled_mechanisms)
    if not offered:
        return _trouble(cluster, error)
    return Trouble(f"it asks for SASL ({offered}), and KAFKA_SECURITY_PROTOCOL is {cluster.protocol}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _servers(bootstrap: str) -> Iterator[tuple[str, int]]:
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        yield host.strip("[]"), int(port)
