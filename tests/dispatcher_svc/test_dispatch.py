"""Requests become commands, and each reading is settled by its one result."""

import time
from collections.abc import AsyncIterator

import pytest

from pulse.contracts.kafka import CONTROL, REQUESTS
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Rig, campaigns, rig, until
from tests.real_parts import Broker, Topics

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
async def scene(topics: Topics, mosquitto: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One dispatcher for all tests here; each has a campaign of its own."""
    async with rig(topics, mosquitto, tmp_path_factory.mktemp("dispatch")) as made:
        await made.start()
        yield made


async def test_a_command_is_published_byte_for_byte_with_expiry_and_trace(scene: Rig) -> None:
    campaign = next(campaigns)
    odd = f'{{ "type":"ota_update", "campaign_id":{campaign}, "x": 1.0,  "n":"é" }}'
    await scene.announce(control(campaign))
    await scene.ask(request("d1", campaign=campaign, rate=50, command=odd), trace=TRACE)
    assert await scene.settled(campaign, 1) == {"d1": "PUBLISHED"}
    [command] = scene.commands_of(campaign)
    assert command.payload == odd.encode()
    assert command.device == "d1"
    assert command.expiry is not None
    assert 3590 <= command.expiry < 3600
    assert command.properties == (("traceparent", TRACE),)


async def test_a_result_names_the_attempt_and_the_brokers_reason(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    await scene.ask(request("d1", campaign=campaign, rate=50, attempt=4))
    await scene.settled(campaign, 1)
    [result] = scene.results_of(campaign)
    assert (result.tenant_id, result.attempt, result.reason_code) == ("acme", 4, 0)


async def test_a_device_that_nobody_listens_for_is_no_subscriber(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    alone = request("d1", campaign=campaign, rate=50)
    await scene.ask(type(alone)(**{**{f: getattr(alone, f) for f in alone.__struct_fields__}, "tenant_id": "void"}))
    assert await scene.settled(campaign, 1) == {"d1": "NO_SUBSCRIBER"}
    assert scene.results_of(campaign)[0].reason_code == 16


@pytest.mark.parametrize(
    ("status", "epoch", "outcome"),
    [("PAUSED", 3, "RETURNED"), ("RUNNING", 4, "RETURNED"), ("ABORTED", 3, "CANCELLED"), ("COMPLETED", 4, "CANCELLED")],
)
async def test_a_request_that_its_campaign_no_longer_wants_is_not_published(
    scene: Rig, status: str, epoch: int, outcome: str
) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign, epoch, status))  # type: ignore[arg-type]  # one of the four, from above
    await scene.ask(request("d1", campaign=campaign, epoch=3, rate=50))
    assert await scene.settled(campaign, 1) == {"d1": outcome}
    assert scene.commands_of(campaign) == []


async def test_a_request_of_a_newer_epoch_waits_until_it_is_announced(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign, 1))
    await scene.ask(request("d1", campaign=campaign, epoch=2, rate=50))
    with pytest.raises(TimeoutError):
        await scene.settled(campaign, 1, seconds=1)
    announced = await scene.announce(control(campaign, 2))
    assert await scene.settled(campaign, 1) == {"d1": "PUBLISHED"}
    assert scene.commands_of(campaign)[0].at - announced < 0.25


async def test_a_request_of_an_epoch_that_never_comes_expires(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.ask(request("d1", campaign=campaign, epoch=2, rate=50, lives=1.5))
    assert await scene.settled(campaign, 1, seconds=5) == {"d1": "EXPIRED"}


async def test_a_request_past_its_time_is_expired_and_not_published(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    await scene.ask(request("d1", campaign=campaign, rate=50, lives=-1))
    assert await scene.settled(campaign, 1) == {"d1": "EXPIRED"}
    assert scene.commands_of(campaign) == []


async def test_pause_returns_all_that_waits_and_publishes_nothing_more(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign, 1))
    await scene.ask(*(request(f"d{n}", campaign=campaign, rate=20) for n in range(100)))
    await until(lambda: len(scene.commands_of(campaign)) >= 10, 10)
    announced = await scene.announce(control(campaign, 2, "PAUSED"))
    outcomes = await scene.settled(campaign, 100, seconds=3)
    sent = scene.commands_of(campaign)
    assert set(outcomes.values()) == {"PUBLISHED", "RETURNED"}
    assert list(outcomes.values()).count("PUBLISHED") == len(sent) < 20
    assert max(c.at for c in sent) < announced + 0.25


async def test_after_resume_only_requests_of_the_new_epoch_go_out(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign, 1), control(campaign, 2, "PAUSED"), control(campaign, 3))
    await scene.ask(*(request(f"old{n}", campaign=campaign, epoch=1, rate=50) for n in range(5)))
    await scene.ask(*(request(f"new{n}", campaign=campaign, epoch=3, rate=50) for n in range(5)))
    outcomes = await scene.settled(campaign, 10)
    assert {d[:3]: o for d, o in outcomes.items()} == {"old": "RETURNED", "new": "PUBLISHED"}


DEEP = b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b"",
        b'{"tenant_id":"acme"}',
        b'{"tenant_id":"\xff"}',
        b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
    ids=["text", "empty", "fields missing", "not UTF-8", "deep"],
)
async def test_a_request_that_cannot_be_read_is_quarantined_and_passed(scene: Rig, payload: bytes) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    source = await scene.send_raw(REQUESTS, payload, partition=3)
    await scene.ask(request("d1", campaign=campaign, rate=50), partition=3)
    assert await scene.settled(campaign, 1) == {"d1": "PUBLISHED"}
    await until(lambda: source in {q.source for q in scene.quarantined}, 5)
    assert {q.reason for q in scene.quarantined} == {"unreadable"}
    await until(scene.nothing_is_open, 5)


async def test_a_control_record_that_cannot_be_read_is_quarantined_and_passed(scene: Rig) -> None:
    campaign = next(campaigns)
    source = await scene.send_raw(CONTROL, b"{", partition=0)
    await scene.announce(control(campaign))
    await scene.ask(request("d1", campaign=campaign, rate=50))
    assert await scene.settled(campaign, 1) == {"d1": "PUBLISHED"}
    await until(lambda: source in {q.source for q in scene.quarantined}, 5)


async def test_a_command_that_the_broker_does_not_take_is_refused_with_its_reason(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    huge = f'{{"campaign_id":{campaign},"x":"{"x" * 600_000}"}}'
    await scene.ask(request("big", campaign=campaign, rate=50, command=huge))
    await scene.ask(request("d1", campaign=campaign, rate=50))
    assert await scene.settled(campaign, 2) == {"big": "REFUSED", "d1": "PUBLISHED"}
    assert {r.device_id: r.reason_code for r in scene.results_of(campaign)} == {"big": 149, "d1": 0}


async def test_the_first_command_of_an_idle_dispatcher_leaves_at_once(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    begun = time.monotonic()
    await scene.ask(request("d1", campaign=campaign, rate=50))
    await scene.settled(campaign, 1)
    assert scene.commands_of(campaign)[0].at - begun < 0.5
