"""What is in Kafka about a campaign."""

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from pulse.contracts.kafka import CONTROL, REQUESTS, CampaignControl, DispatchRequest, Topic, decoder


@dataclass(frozen=True)
class Sent:
    """A dispatch request where it lies."""

    partition: int
    key: str
    request: DispatchRequest


async def requests_of(bootstrap: str, campaign_id: int) -> list[Sent]:
    """All requests of a campaign that Kafka has, in the order of their partitions."""
    read = decoder(DispatchRequest)
    found = [Sent(p, k, read.decode(v)) for p, k, v in await _records(bootstrap, REQUESTS)]
    return [sent for sent in found if sent.request.campaign_id == campaign_id]


async def control_of(bootstrap: str, campaign_id: int) -> list[tuple[int, str]]:
    """Epoch and status of each control record of a campaign, oldest first."""
    read = decoder(CampaignControl)
    own = [value for _, key, value in await _records(bootstrap, CONTROL) if key == str(campaign_id)]
    return [(record.epoch, record.status) for record in map(read.decode, own)]


async def _records(bootstrap: str, topic: Topic) -> list[tuple[int, str, bytes]]:
    """Everything in a topic that has a key; other tests' fillings have none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[tuple[int, str, bytes]] = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += [(r.partition, r.key.decode(), r.value) for r in records if r.key]
        return found
    finally:
        await consumer.stop()
