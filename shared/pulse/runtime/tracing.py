"""Traces: one per device's update, from its release to its end; also of requests and of what they ask the database.

They are on where OTEL_EXPORTER_OTLP_ENDPOINT is set (OpenTelemetry's other variables count, too: sampler, headers,
resource). Off, which is the default, nothing of OpenTelemetry's SDK is imported and nothing here does anything.

Every process computes the id of an update's trace from the names of tenant, campaign and device. So no device needs to
hand anything back: the report of one that knows nothing of traces belongs to the trace all the same.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pulse.contracts.addresses import web_address
from pulse.runtime.errors import StartRefused

if TYPE_CHECKING:
    from pulse.runtime.otel import Otel

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
HEADER = "traceparent"
"""Of Kafka's records, and the user property of commands (W3C Trace Context)."""


@dataclass(frozen=True, slots=True)
class Update:
    """One device's update in one campaign, all attempts of it: what a trace is about."""

    tenant_id: str
    campaign_id: int
    device_id: str

    @property
    def ids(self) -> tuple[int, int]:
        """Of the trace, and of the span that all others are children of."""
        digest = sha256(f"{self.tenant_id}/{self.campaign_id}/{self.device_id}".encode()).digest()
        return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def _check(name: str, endpoint: str) -> None:
    try:
        web_address(endpoint)
    except ValueError as error:
        raise StartRefused(f"setting {name}: {error}") from error


class Traces:
    """The door to OpenTelemetry, which is behind it only when it is on. Times in seconds since 1970."""

    def __init__(self) -> None:
        self._otel: Otel | None = None

    @property
    def is_on(self) -> bool:
        return self._otel is not None

    def configure(self, service: str) -> None:
        """Switches traces on, if the environment says so. Raises StartRefused for an endpoint that nobody can read."""
        given = {name: os.environ[name] for name in ENDPOINTS if os.environ.get(name)}
        if given and os.environ.get("OTEL_SDK_DISABLED", "") != "true":
            from pulse.runtime.otel import Otel

            for name, endpoint in given.items():
                _check(name, endpoint)
            self._otel = Otel(service)

    def flush(self) -> None:
        """Exports what has not been; takes two seconds at most."""
        if self._otel is not None:
            self._otel.flush()

    def traceparent(self, update: Update) -> str | None:
        """What goes into headers; None while traces are off."""
        return None if self._otel is None else self._otel.traceparent(update)

    def step(
        self, name: str, update: Update, began: float, ended: float, *, first: bool = False, **attributes: str | int
    ) -> None:
        """A step of an update that is over; the `first` is the one that all others hang on.

        It is linked to the present span, if there is one: that of the batch in which it was done.
        """
        if self._otel is not None:
            self._otel.step(name, update, began, ended, first, attributes)

    def span(self, name: str, *, begins: bool = False) -> AbstractContextManager[object]:
        """What happens within is a span of the present trace; where there is none, only if it `begins` one."""
        return nullcontext() if self._otel is None else self._otel.span(name, begins)

    @property
    def statement_logger(self) -> Callable[[Any], None] | None:
        """For asyncpg's connections: makes a span of each statement. None while traces are off."""
        return None if self._otel is None else self._otel.statement

    def in_log(self, _: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
        """For structlog: adds the present trace's and span's ids."""
        return event if self._otel is None else {**event, **self._otel.present()}


TRACES = Traces()
