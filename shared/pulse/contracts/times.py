"""Times on the wire: RFC 3339 in UTC with six fractional digits and `Z`, so that text order is time order."""

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """`2026-11-24T11:27:00.000000Z`. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a time on the wire needs a time zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> datetime:
    """The host's clock, in UTC; hosts agree within one second."""
    return datetime.now(UTC)
