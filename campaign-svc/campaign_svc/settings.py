"""What campaign-svc can be told: one field per environment variable, in seconds and rows unless said otherwise."""

from typing import Annotated

from pydantic import Field

from pulse.runtime.auth import AuthSettings
from pulse.runtime.kafka_settings import KafkaSettings
from pulse.runtime.rate_limit import RateLimitSettings
from pulse.runtime.settings import Dsn, Seconds

Rows = Annotated[int, Field(ge=1, le=100_000)]


class CampaignSettings(AuthSettings, RateLimitSettings, KafkaSettings):
    """The API works as `campaign_svc` (one tenant at a time), the loops as `campaign_loops` (all tenants)."""

    postgres_dsn: Dsn
    loops_postgres_dsn: Dsn
    postgres_pool: Annotated[int, Field(ge=1, le=100)] = 10

    tick_seconds: Seconds = 0.5
    look_ahead_seconds: Seconds = 5.0
    sweep_grace_seconds: Seconds = 10.0
    bucket_burst_seconds: Seconds = 0.2
    retry_backoff_seconds: Seconds = 60.0
    announce_timeout_seconds: Seconds = 2.0
    claim_max: Rows = 2_000
    chunk_rows: Rows = 5_000
    retention_days: Annotated[int, Field(ge=0)] = 90
    """Finished campaigns older than this are deleted; 0 keeps them for ever."""
