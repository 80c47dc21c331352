"""Until when the TLS certificates are good that this process meets or trusts."""

import ssl
from datetime import datetime
from typing import Any

from prometheus_client import Gauge

NOT_AFTER = Gauge(
    "pulse_tls_certificate_not_after_timestamp_seconds",
    "When a certificate ends that a server showed at the last connect (peer), that is trusted (authority), or our own",
    ["role", "whose"],
)


def shown(whose: str, ends: datetime) -> None:
    """Notes a certificate that the other side of a connection has shown."""
    NOT_AFTER.labels("peer", whose).set(ends.timestamp())


def met(whose: str, connection: ssl.SSLObject | ssl.SSLSocket | None) -> None:
    """Notes the certificate that the other side of `connection` has shown; nothing without TLS."""
    if connection is not None:
        _note("peer", whose, [connection.getpeercert()])


def trusted(whose: str, context: ssl.SSLContext) -> ssl.SSLContext:
    """Notes the first of the authorities in `context` to end, by which `whose` certificate is checked."""
    _note("authority", whose, context.get_ca_certs())
    return context


def own(whose: str, ends: datetime) -> None:
    """Notes the certificate that this process shows to `whose` side."""
    NOT_AFTER.labels("own", whose).set(ends.timestamp())


def _note(role: str, whose: str, certificates: list[Any]) -> None:
    ends = [ssl.cert_time_to_seconds(shown["notAfter"]) for shown in certificates if shown and "notAfter" in shown]
    if ends:
        NOT_AFTER.labels(role, whose).set(min(ends))
