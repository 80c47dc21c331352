"""What status-ingest-svc can be told."""

from typing import Annotated

from pydantic import Field

from pulse.contracts.kafka import INGESTS
from pulse.runtime.kafka_settings import MemberSettings
from pulse.runtime.mqtt_settings import BrokerSettings
from pulse.runtime.predecessor import Member, member_of
from pulse.runtime.settings import Dsn, Seconds


class Settings(MemberSettings, BrokerSettings):
    """`postgres_dsn` logs in as the role status_ingest_svc; `postgres_pool` is its most connections.

    `mqtt_group` names the group in which replicas share the reports, and their sessions (`{group}-0`). It is the same
    for all replicas, and must be a secret where the broker lets any client join any group or take any client id, as
    Mosquitto does: a device in the group is dealt reports, which then are lost.

    The backoffs are base values in seconds: a retry waits base × 4^(failures − 1), an offline or refused device
    base × 2^(tries so far), both at most an hour, ± 20 %.
    """

    postgres_dsn: Dsn
    postgres_pool: Annotated[int, Field(ge=3, le=100)] = 6
    mqtt_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", repr=False)] = "pulse-ingest"
    ingest_batch: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    ingest_linger_ms: Annotated[int, Field(ge=0, le=1_000)] = 20
    ingest_lease_seconds: Seconds = 15
    caught_up_seconds: Seconds = 1
    retry_backoff_seconds: Seconds = 60
    offline_backoff_seconds: Seconds = 60

    @property
    def member(self) -> Member:
        """Of the group that shares the dispatch results."""
        return member_of(INGESTS, "status-ingest-svc", self)
