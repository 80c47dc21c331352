"""The withdrawal of a firmware version: by whom, when and why, told everywhere in the same words."""

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from campaign_svc.refusals import FirmwareWithdrawn
from pulse.contracts.times import to_text

COLUMNS = "f.withdrawn_at, f.withdrawn_by, f.withdrawn_reason"
"""Of firmware_versions f."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who withdrew the version, when, and why."""

    at: datetime
    by: str | None
    reason: str | None

    def words(self, version: str) -> str:
        by = f" by {self.by}" if self.by else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"firmware {version} was withdrawn{by}{reason}"

    def evidence(self) -> dict[str, object]:
        """For the timeline."""
        return {"withdrawn_by": self.by, "withdrawn_at": to_text(self.at), "withdrawn_reason": self.reason}

    def refusal(self, version: str, field: str | None = None) -> FirmwareWithdrawn:
        """Of what would need the version."""
        return FirmwareWithdrawn(self.words(version), field=field)


def withdrawal(row: Record) -> Withdrawal | None:
    """Out of a row with COLUMNS; None for a version that is ACTIVE."""
    if row["withdrawn_at"] is None:
        return None
    return Withdrawal(row["withdrawn_at"], row["withdrawn_by"], row["withdrawn_reason"])
