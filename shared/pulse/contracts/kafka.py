"""Kafka: topics with their partitions and retention, keys, and one frozen type per message."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from math import ceil
from typing import Annotated, Literal, TypeVar
from zlib import crc32

import msgspec

from pulse.contracts.status import Status
from pulse.contracts.times import now, to_text

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and how it must be made.

    `least` and `most` bound the partitions that services accept at their start (None: no upper bound).
    """

    name: str
    partitions: int
    least: int
    most: int | None
    config: tuple[tuple[str, str], ...]


REQUESTS = Topic("ota.dispatch-requests.v1", 24, 2, None, (("retention.ms", str(HOUR_MS)),))
RESULTS = Topic("ota.dispatch-results.v1", 12, 1, None, (("retention.ms", str(24 * HOUR_MS)),))
CONTROL = Topic(
    "ota.campaign-control.v1", 1, 1, 1, (("cleanup.policy", "compact"), ("min.compaction.lag.ms", str(HOUR_MS)))
)
DEVICE_STATUS = Topic("ota.device-status.v1", 12, 1, None, (("retention.ms", str(24 * HOUR_MS)),))
QUARANTINE = Topic("ota.quarantine.v1", 1, 1, 1, (("retention.ms", str(7 * 24 * HOUR_MS)),))
TOPICS = (REQUESTS, RESULTS, CONTROL, DEVICE_STATUS, QUARANTINE)


def min_insync_replicas(replication: int) -> int:
    """How many replicas must have a record before it is acknowledged: two, where a third one may be away."""
    return 2 if replication >= 3 else 1


DISPATCHERS, INGESTS = "pulse-dispatcher", "pulse-status-ingest"
"""The consumer groups of REQUESTS and RESULTS."""


class Outcome(StrEnum):
    """How a reading of a dispatch request was settled."""

    PUBLISHED = "PUBLISHED"
    NO_SUBSCRIBER = "NO_SUBSCRIBER"
    REFUSED = "REFUSED"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


QuarantineReason = Literal[
    "unreadable", "too_large", "unknown_campaign", "unknown_device", "unknown_status", "wrong_attempt"
]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^/+#\x00-\x1f\x7f]+$")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Rate = Annotated[float, msgspec.Meta(ge=1e-6, le=1e6)]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What all messages share: fields in the order of the contract, unknown fields ignored."""


class DispatchRequest(Message, frozen=True, kw_only=True):
    """campaign-svc asks for one command; `command` is published byte for byte. Rates in requests per second."""

    tenant_id: Id
    """Id of the tenant, 1 to 128 characters."""
    campaign_id: Positive
    """Number of the campaign, from 1."""
    device_id: Id
    """Id of the device, 1 to 128 characters, unique within its tenant."""
    attempt: Positive
    """Number of the attempt, from 1; with campaign and device it names a command."""
    epoch: Positive
    """The campaign's count of control changes when the request was made, from 1."""
    bucket: str
    """Token bucket that paces it, `campaign:shard`."""
    bucket_rate: Rate
    """Requests per second of this bucket, 0.000001 to 1,000,000."""
    bucket_burst: Annotated[float, msgspec.Meta(ge=1, le=1e6)]
    """Requests that the bucket may let through at once, 1 to 1,000,000."""
    not_after: Time
    """Not published after this time; the request then counts as EXPIRED."""
    expires_at: Time
    """When the device must not begin any more, as in the command."""
    command: str
    """The MQTT payload, a Command as JSON text, published byte for byte."""

    @property
    def key(self) -> str:
        return self.bucket


class DispatchResult(Message, frozen=True, kw_only=True):
    """What became of one reading of a request; `reason_code` is the PUBACK's, where there was one."""

    tenant_id: Id
    """Id of the tenant, 1 to 128 characters."""
    campaign_id: Positive
    """Number of the campaign, from 1."""
    device_id: Id
    """Id of the device, 1 to 128 characters, unique within its tenant."""
    attempt: Positive
    """Number of the attempt, from 1; with campaign and device it names a command."""
    outcome: Outcome
    """How the reading of the request was settled."""
    reason_code: int | None = None
    """Reason code of the broker's PUBACK, 0 to 255; null where there was none."""
    at: Time
    """When it was settled, by the dispatcher's clock."""

    @property
    def key(self) -> str:
        return device_key(self.tenant_id, self.device_id)


ControlStatus = Literal["RUNNING", "PAUSED", "ABORTED", "COMPLETED"]


class CampaignControl(Message, frozen=True, kw_only=True):
    """The state of a campaign as every dispatcher must know it; the highest epoch counts."""

    tenant_id: Id
    """Id of the tenant, 1 to 128 characters."""
    campaign_id: Positive
    """Number of the campaign, from 1."""
    epoch: Positive
    """Count of control changes, from 1; of two records the one with the higher epoch counts."""
    status: ControlStatus
    """What the dispatchers must hold to."""
    at: Time
    """When the change was committed."""

    @property
    def key(self) -> str:
        return str(self.campaign_id)


class DeviceStatusChanged(Message, frozen=True, kw_only=True):
    """A change of status that ingest has committed."""

    tenant_id: Id
    """Id of the tenant, 1 to 128 characters."""
    campaign_id: Positive
    """Number of the campaign, from 1."""
    device_id: Id
    """Id of the device, 1 to 128 characters, unique within its tenant."""
    attempt: int
    """Number of the attempt, from 1."""
    stage: int
    """Number of the device's stage in the campaign, from 0."""
    from_status: Status = msgspec.field(name="from")
    """Status before the change."""
    to_status: Status = msgspec.field(name="to")
    """Status after it, never the same as before."""
    failures: int
    """Failed attempts of the device in this campaign, from 0; an operator's retry sets it to 0."""
    error_code: str | None = None
    """Code of the device's last failure or refusal in this campaign, 1 to 64 of `a-z 0-9 _`; null without one."""
    at: Time
    """When its transaction began, by the database's clock."""

    @property
    def key(self) -> str:
        return device_key(self.tenant_id, self.device_id)


MAX_QUARANTINED_BYTES = 8192


class Quarantined(Message, frozen=True, kw_only=True):
    """A message that could not be taken, with the reason; `payload` is base64 of at most its first 8 KiB."""

    source: str
    """`mqtt:<topic>` of a device's message, or `<topic>/<partition>/<offset>` of a Kafka record."""
    reason: QuarantineReason
    """What is wrong with it."""
    detail: str
    """The same in words, up to 500 characters."""
    payload: str
    """Base64 of the first 8,192 bytes at most."""
    at: Time
    """When it was put aside."""

    @property
    def key(self) -> str:
        return self.source


def quarantined(source: str, reason: QuarantineReason, detail: str, payload: bytes) -> Quarantined:
    """A quarantine record of now."""
    kept = b64encode(payload[:MAX_QUARANTINED_BYTES]).decode()
    return Quarantined(source=source, reason=reason, detail=detail[:500], payload=kept, at=now())


M = TypeVar("M", bound=Message)
_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """JSON in the contract's field order; times always with six fractional digits."""
    for name in _times(type(message)):
        moment = getattr(message, name)
        if moment.tzinfo is not UTC or moment.microsecond == 0:
            return _encode_by_field(message)
    return _encoder.encode(message)


@cache
def _times(kind: type[Message]) -> tuple[str, ...]:
    """The fields that hold a time."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.type == Time)


def _encode_by_field(message: Message) -> bytes:
    """For times that the encoder writes in another way: full seconds without digits, other zones with an offset."""
    names = zip(message.__struct_fields__, message.__struct_encode_fields__, strict=True)
    return _encoder.encode({wire: _on_wire(getattr(message, field)) for field, wire in names})


def _on_wire(value: object) -> object:
    return to_text(value) if isinstance(value, datetime) else value


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that are no message; the latter two for what is not UTF-8, and for deep nesting."""


def decoder(kind: type[M]) -> msgspec.json.Decoder[M]:
    """A decoder that raises one of UNREADABLE (ValidationError names the field) for anything but a `kind`."""
    return msgspec.json.Decoder(kind)


def device_key(tenant_id: str, device_id: str) -> str:
    return f"{tenant_id}:{device_id}"


SHARD_RATE = 50.0
"""A campaign faster than this many devices per second is spread over more than one bucket."""


def shards_of(rate_per_second: float, partitions: int) -> int:
    """How many buckets share a campaign's rate: clamp(ceil(rate / 50), 1, P - 1)."""
    return max(1, min(ceil(rate_per_second / SHARD_RATE), partitions - 1))


def request_partition(campaign_id: int, shard: int, bucket_rate: float, partitions: int) -> int:
    """Partition 0 for buckets below one a second, one of the others for all faster ones."""
    if bucket_rate < 1:
        return 0
    return 1 + (crc32(str(campaign_id).encode()) + shard) % (partitions - 1)


def bucket_burst(bucket_rate: float, burst_seconds: float) -> float:
    """Tokens that a bucket can hold: at least one, else `burst_seconds` of its rate."""
    return max(1.0, bucket_rate * burst_seconds)
