"""A cluster of Kafka, as a test asks it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pulse.contracts.kafka import TOPICS

T = TypeVar("T")
OFFSETS = "__consumer_offsets"
ALL = (*(topic.name for topic in TOPICS), OFFSETS)
NOBODY = -1
ANSWER_SECONDS = 20.0


class Nodes:
    """`bootstrap` names all nodes; a node is its number, from 1 on."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @staticmethod
    def part(node: int) -> str:
        """Its name in the stack."""
        return f"kafka-{node}"

    def besides(self, node: int) -> "Nodes":
        """The same cluster, asked without that node."""
        addresses = self.bootstrap.split(",")
        return Nodes(",".join(address for number, address in enumerate(addresses, 1) if number != node))

    async def leader(self, topic: str, partition: int = 0) -> int:
        [described] = await self.asked(lambda admin: admin.describe_topics([topic]))
        return next(int(p["leader"]) for p in described["partitions"] if p["partition"] == partition)

    async def until_led_by_another(self, node: int, topic: str, seconds: float = 40) -> None:
        """Returns when another node leads the topic's first partition. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while await self.leader(topic) in (node, NOBODY):
                await asyncio.sleep(0.02)

    async def replicas(self) -> dict[tuple[str, int], tuple[list[int], list[int]]]:
        """Of each partition the nodes that have it, and those of them that are in sync."""
        described = await self.asked(lambda admin: admin.describe_topics(list(ALL)))
        return {(t["topic"], p["partition"]): (p["replicas"], p["isr"]) for t in described for p in t["partitions"]}

    async def until_in_sync(self, seconds: float = 40) -> None:
        """Returns when each partition is on all of its nodes: before that no other node may go. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while any(set(nodes) != set(in_sync) for nodes, in_sync in (await self.replicas()).values()):
                await asyncio.sleep(0.2)

    async def asked(self, question: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        """The answer of any node, by a client of its own each time: nodes come and go. Raises TimeoutError."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=3_000)
                try:
                    await admin.start()
                    return await question(admin)
                except KafkaError:
                    await asyncio.sleep(0.2)
                finally:
                    await admin.close()
