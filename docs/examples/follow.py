"""A consumer of one's own: prints devices' changes of status (docs/events.md). Needs Python 3.11 and aiokafka."""

import asyncio
import json
import os
from typing import Any

from aiokafka import AIOKafkaConsumer

TOPIC = "ota.device-status.v1"


def take(change: dict[str, Any]) -> None:
    """What is to be done with a change. It may come twice, and fields that are not known here may come with it."""
    why = f" ({change['error_code']})" if change["error_code"] else ""
    print(f"{change['at']} {change['tenant_id']}/{change['device_id']}", end=" ")
    print(f"campaign {change['campaign_id']}, attempt {change['attempt']}: {change['from']} -> {change['to']}{why}")


async def main() -> None:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=os.environ["KAFKA"],
        group_id=os.environ.get("GROUP", "my-follower"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    take(json.loads(record.value))
                print(end="", flush=True)
                await consumer.commit({partition: records[-1].offset + 1})  # only now are they done


if __name__ == "__main__":
    asyncio.run(main())
