"""A campaign's rate, pure: how many buckets share it, which partition a device goes to, how long a request holds."""

from dataclasses import dataclass
from datetime import timedelta

from pulse.contracts.kafka import bucket_burst, request_partition, shards_of

DELIVERY_SECONDS = 30.0
"""What a request is given beyond its turn: for Kafka, rebalances and a dispatcher that starts."""

CLOCKS_SECONDS = 1.0
"""By how much the clocks of hosts and devices may differ."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The token buckets of a campaign at one rate; rates in devices per second."""

    campaign_id: int
    shards: int
    bucket_rate: float
    bucket_burst: float
    partitions: int

    def shard(self, rank: int) -> int:
        return rank % self.shards

    def bucket(self, rank: int) -> str:
        """The name of a device's bucket, which is its requests' key."""
        return f"{self.campaign_id}:{self.shard(rank)}"

    def partition(self, rank: int) -> int:
        return request_partition(self.campaign_id, self.shard(rank), self.bucket_rate, self.partitions)

    def hold(self, look_ahead: float, time_limit: float) -> timedelta:
        """How long after its claim a request may be published: its turn has surely come by then.

        Never beyond the attempt's `time_limit` (seconds), when the command expires: a device would not act on it, and
        its silence would count as a failure. What expires before its turn is claimed again and finds the bucket fuller.
        """
        turn = look_ahead + 1 / self.bucket_rate + DELIVERY_SECONDS
        return timedelta(seconds=min(turn, time_limit - CLOCKS_SECONDS))


def pace_of(campaign_id: int, rate: float, partitions: int, burst_seconds: float) -> Pace:
    """The buckets for `rate` devices per second over `partitions` of the requests' topic."""
    shards = shards_of(rate, partitions)
    bucket_rate = rate / shards
    return Pace(campaign_id, shards, bucket_rate, bucket_burst(bucket_rate, burst_seconds), partitions)
