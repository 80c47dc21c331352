"""A campaign as the API answered it at one moment, and what that says of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_stack.api import Api, Json

WAITING, AT_WORK = ("PENDING", "QUEUED"), ("DISPATCHED", "DOWNLOADING", "INSTALLING")
FINISHED = ("SUCCESS", "FAILED", "SKIPPED")
STATUSES = (*WAITING, *AT_WORK, *FINISHED)


@dataclass(frozen=True, slots=True)
class Reading:
    """`at`: seconds on the watcher's clock; `now`: the server's clock. Texts in it are safe for a terminal."""

    at: float
    now: datetime
    campaign: Json
    timeline: list[Json]

    @property
    def status(self) -> str:
        return str(self.campaign["status"])

    @property
    def counts(self) -> dict[str, int]:
        """Devices by state, in the order of their way."""
        return counts(self.campaign)

    @property
    def waiting(self) -> dict[str, int]:
        """Devices that are held back, by what for; none from a service that is too old to count them."""
        waiting: dict[str, int] = self.campaign.get("waiting", {})
        return waiting

    @property
    def stages(self) -> list[Json]:
        stages: list[Json] = self.campaign["stages"]
        return stages

    @property
    def promise(self) -> int:
        """Devices per minute that the present stage may be given."""
        return int(self.stages[self.campaign["current_stage"]]["rollout_rate"])

    @property
    def elapsed(self) -> float | None:
        """Seconds from the start to now, or to the end; None before the start."""
        started, ended = moment(self.campaign["started_at"]), moment(self.campaign["completed_at"])
        return max(0.0, ((ended or self.now) - started).total_seconds()) if started else None

    @property
    def is_settled(self) -> bool:
        """The campaign has ended, and no device is left that is not finished."""
        return self.status in ("COMPLETED", "ABORTED") and self._none(*WAITING, *AT_WORK)

    @property
    def is_stopped_at_a_gate(self) -> bool:
        """A gate has failed and paused the campaign, and no device is at work any more."""
        return self.status == "PAUSED" and self.reason_code == "gate_failed" and self._none("QUEUED", *AT_WORK)

    def _none(self, *statuses: str) -> bool:
        return not any(self.counts[status] for status in statuses)

    @property
    def reason_code(self) -> str:
        """The rule or the kind of person that gave the campaign its status, or nothing."""
        return str((self.campaign["status_reason"] or {}).get("code", ""))

    @property
    def reason(self) -> str:
        """Why the campaign has its status, or nothing."""
        given = self.campaign["status_reason"]
        if not given:
            return ""
        return ": ".join(text for text in (given["code"], given["detail"]) if text)

    @property
    def withdrawal(self) -> str:
        """That the firmware is withdrawn, if the reason does not say so already; or nothing."""
        given = self.campaign.get("firmware_withdrawal")  # a service that is too old does not tell
        if not given or self.reason_code == "firmware_withdrawn":
            return ""
        by = f" by {given['by']}" if given["by"] else ""
        return f"{self.campaign['firmware_version']} was withdrawn{by}" + (
            f": {given['reason']}" if given["reason"] else ""
        )

    @property
    def failures(self) -> list[tuple[str, int]]:
        """Error codes with how many devices have failed by them and not succeeded since, the most frequent first."""
        return [(reason["error_code"], reason["devices"]) for reason in self.campaign["reasons"]]

    @property
    def seconds_left(self) -> float | None:
        """Until the last device is commanded, as the server foresees it; None: it does not."""
        eta = moment(self.campaign["eta"])
        return None if eta is None else max(0.0, (eta - self.now).total_seconds())


def counts(campaign_or_stage: Json) -> dict[str, int]:
    """Devices by state, in the order of their way."""
    breakdown = campaign_or_stage["status_breakdown"]
    return {status: breakdown.get(status, 0) for status in STATUSES}


def moment(text: str | None) -> datetime | None:
    """A time of the API."""
    return datetime.fromisoformat(text) if text else None


async def read(api: Api, campaign_id: int, at: float) -> Reading:
    """The campaign as it is now. Raises StackError, or Unreachable when a later try may succeed."""
    campaign = await api.campaign(campaign_id)
    timeline = await api.timeline(campaign_id)
    return Reading(at, api.now, printable(campaign), printable(timeline))


def printable(value: Any) -> Any:
    """The same with every text free of what could move a terminal's cursor or colour its screen."""
    match value:
        case str():
            return "".join(sign if sign.isprintable() else " " for sign in value)
        case list():
            return [printable(item) for item in value]
        case dict():
            return {name: printable(item) for name, item in value.items()}
        case _:
            return value
