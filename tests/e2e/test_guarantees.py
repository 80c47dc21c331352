"""The checks themselves: histories and rows in which something is wrong are found out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from fleetsim.wire import Command, Report
from pulse.contracts.kafka import DispatchRequest
from pulse.contracts.times import to_text
from tests.e2e import arrange, guarantees
from tests.e2e.arrange import Site
from tests.e2e.campaign import Asked
from tests.e2e.histories import Came, Went
from tests.e2e.watch import Watch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def came(at: float, *, campaign: int = 1, attempt: int = 1, issued: int = 0, payload: bytes = b"c") -> Came:
    """A command of `issued` seconds after noon."""
    issued_at = to_text(NOON.replace(second=issued))
    command = Command("ota_update", campaign, attempt, "2", "http://x", 1, "aa", issued_at, NOON)
    return Came(at, "d", payload, command)


def went(status: Any, *, campaign: int = 1, attempt: int = 1, taken: bool = True, at: float = 0) -> Went:
    return Went(NOON.timestamp() + at, "d", Report(campaign, status, attempt=attempt), taken)


def row(status: str, **fields: object) -> dict[str, Any]:
    return {
        "campaign_id": 1,
        "device_id": "d",
        "attempt": 1,
        "status": status,
        "failures": 0,
        "error_code": None,
        "completed_at": None,
    } | fields


def request(command: str) -> DispatchRequest:
    return DispatchRequest(
        tenant_id="t",
        campaign_id=1,
        device_id="d",
        attempt=1,
        epoch=1,
        bucket="1:0",
        bucket_rate=1.0,
        bucket_burst=1.0,
        not_after=NOON,
        expires_at=NOON,
        command=command,
    )


@pytest.mark.parametrize("status", ["PENDING", "QUEUED", "INSTALLING"])
@pytest.mark.parametrize("campaign", ["COMPLETED", "ABORTED"])
def test_a_forgotten_device_is_found(campaign: str, status: str) -> None:
    assert list(guarantees.unfinished([{"id": 1, "status": campaign}], [row(status)]))
    assert not list(guarantees.unfinished([{"id": 1, "status": "RUNNING"}], [row(status)]))
    assert not list(guarantees.unfinished([{"id": 1, "status": campaign}], [row("SKIPPED")]))


@pytest.mark.parametrize(
    ("said", "found", "lost"),
    [
        ("SUCCESS", row("SUCCESS"), False),
        ("SUCCESS", row("INSTALLING"), True),
        ("SUCCESS", row("FAILED", error_code="install_failed"), True),
        ("SUCCESS", row("FAILED", error_code="timeout"), True),
        ("SUCCESS", row("FAILED", error_code="version_mismatch"), False),
        ("SUCCESS", row("PENDING", failures=1), True),
        ("FAILED", row("FAILED", failures=1), False),
        ("FAILED", row("PENDING", failures=1), False),
        ("FAILED", row("FAILED", failures=1, error_code="timeout"), True),
        ("FAILED", row("SKIPPED", failures=1, skip_reason="superseded"), False),
        ("FAILED", row("SKIPPED", failures=0, skip_reason="superseded"), True),
        ("FAILED", row("DOWNLOADING"), True),
        ("FAILED", row("SUCCESS"), True),
        ("INSTALLING", row("QUEUED"), False),
    ],
)
def test_a_lost_report_is_found(said: str, found: dict[str, Any], lost: bool) -> None:
    assert bool(list(guarantees.lost_reports({"d": [went(said)]}, [found]))) is lost
    assert not list(guarantees.lost_reports({"d": [went(said, taken=False)]}, [found]))
    assert not list(guarantees.lost_reports({"d": [went(said, attempt=2)]}, [found]))


@pytest.mark.parametrize(("at", "lost"), [(-5, True), (-1, False), (5, False)])
def test_a_word_that_came_after_the_end_is_not_lost(at: float, lost: bool) -> None:
    found = row("FAILED", error_code="timeout", completed_at=NOON)
    assert bool(list(guarantees.lost_reports({"d": [went("SUCCESS", at=at)]}, [found]))) is lost


@pytest.mark.parametrize(
    ("seen", "asked", "broken"),
    [
        ([came(0, payload=b"a")], [request("a")], False),
        ([came(0, payload=b"a"), came(9, payload=b"a")], [request("a"), request("a")], False),
        ([came(0, payload=b"b")], [request("a")], True),
        ([], [request("a"), request("b")], True),
        ([came(0, payload=b"a")], [], True),
    ],
)
def test_a_command_that_differs_is_found(seen: Sequence[Came], asked: Sequence[DispatchRequest], broken: bool) -> None:
    assert bool(list(guarantees.different_commands(seen, asked))) is broken


@pytest.mark.parametrize(
    ("at", "broken"),
    [(9.9, False), (10.2, False), (10.3, True), (15.0, True), (19.9, False), (30.2, False), (30.3, True)],
)
def test_a_command_after_a_pause_or_an_abort_is_found(at: float, broken: bool) -> None:
    control = [Asked("start", 0), Asked("pause", 10), Asked("start", 20), Asked("abort", 30)]
    assert bool(list(guarantees.commands_while_paused(control, [came(at)]))) is broken


@pytest.mark.parametrize(
    ("times", "broken"),
    [
        ([0, 0.1, 0.2, 0.3], False),
        ([0.1 * n for n in range(50)], False),
        ([0.07 * n for n in range(50)], True),
        ([*(0.1 * n for n in range(20)), *(9 + 0.01 * n for n in range(15))], True),
    ],
    ids=["even", "long and even", "too fast all the time", "too fast in the end"],
)
def test_a_broken_rate_is_found(times: list[float], broken: bool) -> None:
    assert bool(list(guarantees.faster_than_promised([came(at) for at in times], 10, observed=0.3))) is broken


FIRST, SECOND = came(0, issued=1), came(1, attempt=2, issued=2)
OTHER = came(1, campaign=2, issued=2)


@pytest.mark.parametrize(
    ("story", "broken"),
    [
        ([FIRST, went("DOWNLOADING"), went("INSTALLING"), FIRST, went("INSTALLING"), went("SUCCESS")], False),
        ([FIRST, went("DOWNLOADING"), went("FAILED"), SECOND, went("DOWNLOADING", attempt=2)], False),
        ([FIRST, went("SUCCESS"), FIRST, went("SUCCESS")], False),
        ([FIRST, went("SUCCESS"), FIRST, went("DOWNLOADING")], True),
        ([FIRST, went("FAILED"), SECOND, went("DOWNLOADING", attempt=2), went("DOWNLOADING")], True),
        ([FIRST, went("DOWNLOADING"), OTHER], True),
        ([FIRST, went("SUCCESS"), OTHER, went("DOWNLOADING", campaign=2)], False),
    ],
    ids=["once", "again", "answered", "twice", "older after newer", "two at once", "one after the other"],
)
def test_a_device_that_acts_wrongly_is_found(story: list[Came | Went], broken: bool) -> None:
    assert bool(list(guarantees.acted_wrongly(story))) is broken


async def test_a_wrong_counter_and_a_changed_row_are_found(site: Site) -> None:
    async with site.fleet(2), asyncpg.create_pool(site.stack["POSTGRES_DSN"], min_size=1, max_size=2) as database:
        campaign = await site.started(rate=1200)
        await campaign.until_ended()
        await guarantees.hold(site)
        watch = Watch(database, site.tenant)
        await watch.look()
        assert not watch.broken
        await database.execute("UPDATE ota_campaign_counters SET n = n + 1 WHERE tenant_id = $1", site.tenant)
        await watch.look()
        assert all("counter and rows differ" in sentence for sentence in watch.broken)
        assert watch.broken
        watch.broken.clear()
        await database.execute("UPDATE ota_campaign_counters SET n = n - 1 WHERE tenant_id = $1", site.tenant)
        await database.execute("UPDATE ota_device_status SET progress_pct = 99 WHERE tenant_id = $1", site.tenant)
        await watch.look()
        assert len(watch.broken) == 2
        assert all("a finished row has changed" in sentence for sentence in watch.broken)


async def test_a_retry_excuses_the_change_of_failed_rows_once_and_of_no_others(site: Site) -> None:
    change = "UPDATE ota_device_status SET attempt = attempt + 1 WHERE tenant_id = $1 AND status = $2"
    async with (
        site.fleet(2),
        site.fleet(1, arrange.broken()),
        asyncpg.create_pool(site.stack["POSTGRES_DSN"], min_size=1, max_size=2) as database,
    ):
        campaign = await site.started(rate=1200, max_attempts=1)
        await campaign.until_ended()
        await guarantees.hold(site)
        watch = Watch(database, site.tenant)
        await watch.look()
        watch.retried(campaign.id)
        await database.execute(change, site.tenant, "FAILED")
        await watch.look()
        assert not watch.broken
        for status, changed in (("FAILED", 1), ("SUCCESS", 2)):
            await database.execute(change, site.tenant, status)
            await watch.look()
            assert len(watch.broken) == changed
            watch.broken.clear()
