"""What dispatcher-svc can be told."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from pulse.contracts.kafka import DISPATCHERS, bucket_burst
from pulse.contracts.mqtt import COMMAND_TEMPLATE
from pulse.runtime.kafka_settings import MemberSettings
from pulse.runtime.mqtt_settings import BrokerSettings
from pulse.runtime.predecessor import Member, member_of
from pulse.runtime.settings import Milliseconds, Seconds


class DispatcherSettings(MemberSettings, BrokerSettings):
    """Names and defaults of the contract."""

    mqtt_window: Annotated[int, Field(ge=1, le=65_535)] = 500
    mqtt_command_topic: str = COMMAND_TEMPLATE

    partition_rate: Annotated[float, Field(gt=0)] = 500.0
    bucket_burst_seconds: Seconds = 0.2
    freshness_ask_ms: Milliseconds = 50
    freshness_max_ms: Milliseconds = 200
    held_max: Annotated[int, Field(ge=1)] = 4_000
    """Unsettled requests of one partition above which no more of it are read."""

    @property
    def member(self) -> Member:
        """Of the group that shares the requests."""
        return member_of(DISPATCHERS, "dispatcher-svc", self)

    @property
    def partition_burst(self) -> float:
        return bucket_burst(self.partition_rate, self.bucket_burst_seconds)

    @field_validator("mqtt_command_topic")
    @classmethod
    def names_the_device(cls, template: str) -> str:
        topic = template.replace("{tenant_id}", "").replace("{device_id}", "")
        if template.count("{tenant_id}") != 1 or template.count("{device_id}") != 1 or set(topic) & set("{}+#\0"):
            raise ValueError("needs {tenant_id} and {device_id} once each, and no other braces, + or #")
        return template

    @model_validator(mode="after")
    def questions_fit(self) -> "DispatcherSettings":
        if self.freshness_ask_ms >= self.freshness_max_ms:
            raise ValueError("FRESHNESS_ASK_MS must be less than FRESHNESS_MAX_MS")
        return self
