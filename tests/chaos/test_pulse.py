"""What a dispatcher holds, and when it goes on, from requests, commands and results in whatever order they are seen."""

from datetime import UTC, datetime

import pytest

from pulse.contracts.kafka import DispatchRequest, DispatchResult, Outcome
from tests.chaos.history import Written
from tests.chaos.lines import command
from tests.chaos.pulse import Commands

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def request(device: str) -> DispatchRequest:
    return DispatchRequest(
        tenant_id="t",
        campaign_id=1,
        device_id=device,
        attempt=1,
        epoch=1,
        bucket="1:0",
        bucket_rate=1.0,
        bucket_burst=1.0,
        not_after=NOON,
        expires_at=NOON,
        command=command(),
    )


def result(device: str) -> DispatchResult:
    return DispatchResult(tenant_id="t", campaign_id=1, device_id=device, attempt=1, outcome=Outcome.RETURNED, at=NOON)


def written(device: str, at: float, by: str = "dispatcher-svc-1") -> Written:
    return Written(at=at, by=by, earliest=at, tenant="t", device=device, payload=command())


@pytest.fixture
def commands() -> Commands:
    return Commands()


def test_a_bucket_is_held_while_something_of_it_is_left(commands: Commands) -> None:
    commands.requested(request("a"))
    commands.requested(request("b"))
    commands.written(written("a", 10))
    assert commands.held(0) == commands.held(9, "dispatcher-svc-1") == ["1:0"]
    assert not commands.held(11, "dispatcher-svc-1")
    assert not commands.held(9, "dispatcher-svc-2")
    assert not commands.went_on("1:0", 10)
    commands.written(written("b", 12, "dispatcher-svc-2"))
    assert commands.went_on("1:0", 10)
    assert not commands.held(0)


def test_what_was_returned_is_not_left(commands: Commands) -> None:
    commands.requested(request("a"))
    commands.settled(result("a"))
    assert not commands.held(0)
    assert commands.went_on("1:0", 99)


def test_a_command_that_is_seen_before_its_request_is_not_left(commands: Commands) -> None:
    commands.written(written("a", 10))
    commands.requested(request("a"))
    assert not commands.held(0)
