"""What dispatcher-svc can be told."""

from pathlib import Path
from socket import gethostname
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from pulse.contracts.kafka import bucket_burst
from pulse.contracts.mqtt import COMMAND_TEMPLATE
from pulse.runtime.settings import Bootstrap, Host, Port, Seconds, ServiceSettings

Milliseconds = Annotated[int, Field(gt=0)]


class DispatcherSettings(ServiceSettings):
    """Names and defaults of the contract; `mqtt_ca_file` turns TLS on."""

    kafka_bootstrap: Bootstrap
    kafka_session_timeout_ms: Milliseconds = 6_000
    kafka_heartbeat_ms: Milliseconds = 300

    mqtt_host: Host
    mqtt_port: Port = 1883
    mqtt_user: str | None = None
    mqtt_password: Annotated[str | None, Field(repr=False)] = None
    mqtt_ca_file: Path | None = None
    mqtt_window: Annotated[int, Field(ge=1, le=65_535)] = 500
    mqtt_command_topic: str = COMMAND_TEMPLATE

    partition_rate: Annotated[float, Field(gt=0)] = 500.0
    bucket_burst_seconds: Seconds = 0.2
    freshness_ask_ms: Milliseconds = 50
    freshness_max_ms: Milliseconds = 200
    held_max: Annotated[int, Field(ge=1)] = 4_000
    """Unsettled requests of one partition above which no more of it are read."""

    @property
    def member_name(self) -> str:
        """In the group: the same for a process and for the one that is started in its place."""
        return f"dispatcher-svc-{gethostname()}-{self.http_port}"

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
    def heartbeats_fit(self) -> "DispatcherSettings":
        if self.kafka_heartbeat_ms * 3 > self.kafka_session_timeout_ms:
            raise ValueError("KAFKA_HEARTBEAT_MS must be at most a third of KAFKA_SESSION_TIMEOUT_MS")
        if self.freshness_ask_ms >= self.freshness_max_ms:
            raise ValueError("FRESHNESS_ASK_MS must be less than FRESHNESS_MAX_MS")
        return self
