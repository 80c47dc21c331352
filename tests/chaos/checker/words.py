"""Guarantees about what crosses a border: 5 no report is lost, 9 no tenant reaches another."""

from collections.abc import Iterator

from fleetsim.wire import Report, delivered
from pulse.contracts.status import Status
from tests.chaos.checker.breach import Breach
from tests.chaos.checker.story import Story, command_of, report_of
from tests.chaos.history import CampaignRow, Device, Row, Trespassed, Written

SWEPT_SECONDS = 2.0
"""Sweeps go by what ingest had taken in that long ago, at most."""
SWEPT = frozenset({"timeout", "no_response"})
OVERTAKEN = frozenset({"superseded", "already_on_version", "wrong_device_type", "unknown_device", "excluded"})
"""Why a device that has failed may be skipped in place of being tried again."""

NEVER_BEGUN = frozenset({"expired", "bad_time"})
"""A command that came so late that the row may have gone on without it."""


def lost(story: Story) -> Iterator[Breach]:
    """5: how a device ended the attempt that its row is at, and the broker took the report, is what the row says."""
    said = _ends(story)
    for row in story.of(Row):
        own = said.get((row.tenant, row.device, row.campaign, row.attempt), [])
        if own and not _agrees(row, own[-1][1]) and not _too_late(row, own[0][0]):
            yield Breach(f"{row.device} said {own[-1][1].status}, its row says {row.status}", (own[-1][0], row))


def _ends(story: Story) -> dict[tuple[str, str, int, int], list[tuple[Device, Report]]]:
    """What devices said at the end of attempts, and the broker took."""
    found: dict[tuple[str, str, int, int], list[tuple[Device, Report]]] = {}
    for line in story.of(Device):
        if line.did == "sent" and delivered(line.reason_code):
            report = report_of(line)
            if report is None or report.error_code in NEVER_BEGUN:
                continue
            if report.status in {"SUCCESS", "FAILED"}:
                key = (line.tenant, line.device, report.campaign_id or 0, report.attempt or 0)
                found.setdefault(key, []).append((line, report))
    return found


def _agrees(row: Row, report: Report) -> bool:
    status, counted = Status(row.status), row.failures > 0
    if report.status == "SUCCESS" and row.error_code != "version_mismatch":
        return status is Status.SUCCESS
    waits = status is Status.PENDING and counted
    overtaken = status is Status.SKIPPED and row.skip_reason in OVERTAKEN and counted
    return waits or overtaken or (status is Status.FAILED and row.error_code not in SWEPT)


def _too_late(row: Row, line: Device) -> bool:
    """The row had ended, or was about to, when its device said the word for the first time."""
    return row.completed_at is not None and line.at > row.completed_at - SWEPT_SECONDS


def trespassed(story: Story) -> Iterator[Breach]:
    """9: what is another tenant's is not there for anybody else, and nobody else's devices are commanded."""
    for line in story.of(Trespassed):
        if line.status < 500 and line.status != 404:
            yield Breach(f"somebody of {line.tenant} was answered {line.status} for {line.path}", (line,))
    owners = {row.campaign: row for row in story.of(CampaignRow)}
    for command in story.of(Written):
        read = command_of(command)
        owner = owners.get(read.campaign_id) if read is not None else None
        if owner is not None and owner.tenant != command.tenant:
            yield Breach(f"{owner.tenant}'s campaign {owner.campaign} commanded {command.tenant}", (owner, command))
    for row in story.of(Row):
        if row.campaign in owners and owners[row.campaign].tenant != row.tenant:
            yield Breach(f"{row.tenant}'s device is in {owners[row.campaign].tenant}'s campaign", (row,))
