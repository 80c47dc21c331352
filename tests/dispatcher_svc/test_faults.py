"""Whatever is killed, stopped or cut: every request is settled, none is passed over, and nothing stale goes out."""

import asyncio
import os
import signal
import time

from pulse.contracts.kafka import DispatchRequest
from tests.dispatcher_svc import promise
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Dispatcher, Rig, campaigns, until

GRACE = 0.25
"""Seconds after Kafka has a pause, after which nothing more of the campaign is written."""
RESIDUE = 1
"""Commands that a process stopped between its last check and the write may still send when it goes on."""


def many(campaign: int, count: int, rate: float, epoch: int = 1) -> list[DispatchRequest]:
    return [request(f"d{n}", campaign=campaign, rate=rate, burst=max(1.0, rate / 5), epoch=epoch) for n in range(count)]


async def begun(scene: Rig, campaign: int, count: int, rate: float, commands: int) -> Dispatcher:
    """A dispatcher in the middle of `count` requests."""
    await scene.announce(control(campaign, 1))
    dispatcher = await scene.start()
    await scene.ask(*many(campaign, count, rate))
    await until(lambda: len(scene.commands_of(campaign)) >= commands, 15)
    return dispatcher


async def test_killed_in_mid_queue_it_leaves_nothing_out_after_a_restart(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=300, rate=60, commands=50)
    await dispatcher.end(signal.SIGKILL)
    await scene.start_in_place_of(dispatcher)
    outcomes = await scene.settled(campaign, 300, seconds=20)
    assert set(outcomes.values()) == {"PUBLISHED"}
    assert {c.device for c in scene.commands_of(campaign)} == set(outcomes)
    await until(scene.nothing_is_open, 5)
    assert promise.is_kept(scene.written_of(campaign), rate=60, burst=12)


async def test_a_repeated_command_after_a_crash_is_the_same_to_the_byte(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=60, rate=200, commands=20)
    await dispatcher.end(signal.SIGKILL)
    await scene.start()
    await scene.settled(campaign, 60)
    payloads: dict[str, set[bytes]] = {}
    for command in scene.commands_of(campaign):
        payloads.setdefault(command.device, set()).add(command.payload)
    assert len(payloads) == 60
    assert {len(found) for found in payloads.values()} == {1}


async def test_asked_to_stop_it_gives_back_what_waits_and_leaves_committed(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=300, rate=40, commands=40)
    asked = time.monotonic()
    assert await dispatcher.end(signal.SIGTERM) == 0
    assert time.monotonic() - asked < 5
    assert await scene.lag() == 0
    outcomes = await scene.settled(campaign, 300, seconds=2)
    assert set(outcomes.values()) == {"PUBLISHED", "RETURNED"}
    assert list(outcomes.values()).count("PUBLISHED") == len(scene.commands_of(campaign))


async def test_a_killed_broker_costs_no_request(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=400, rate=400, commands=100)
    await scene.broker.kill()
    await asyncio.sleep(0.5)
    assert not await dispatcher.is_ready()
    await scene.broker.start()
    outcomes = await scene.settled(campaign, 400, seconds=20)
    assert set(outcomes.values()) <= {"PUBLISHED", "NO_SUBSCRIBER"}
    assert len(scene.results_of(campaign)) == 400
    await until(scene.nothing_is_open, 5)


async def test_a_broker_that_answers_nothing_gets_no_more_than_the_window(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    dispatcher = await scene.start(MQTT_WINDOW="20")
    os.kill(scene.broker.pid, signal.SIGSTOP)
    try:
        await scene.ask(*many(campaign, 100, rate=400))
        await asyncio.sleep(1.5)
        assert await dispatcher.metric("pulse_dispatch_in_flight") == 20
        await scene.announce(control(campaign, 2, "PAUSED"))
        await until(lambda: list(scene.outcomes(campaign).values()).count("RETURNED") == 80, 5)
    finally:
        os.kill(scene.broker.pid, signal.SIGCONT)
    outcomes = await scene.settled(campaign, 100)
    assert list(outcomes.values()).count("PUBLISHED") == 20


async def test_a_killed_kafka_costs_no_request_and_stops_publishing(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=300, rate=40, commands=20)
    await scene.topics.process.kill()
    dead = time.monotonic()
    await asyncio.sleep(1)
    sent = len(scene.commands_of(campaign))
    assert max(c.at for c in scene.commands_of(campaign)) < dead + GRACE
    await asyncio.sleep(3)
    assert len(scene.commands_of(campaign)) == sent
    assert not await dispatcher.is_ready()
    await scene.topics.process.start()
    await until(dispatcher.is_ready, 30)
    outcomes = await scene.settled(campaign, 300, seconds=30)
    assert set(outcomes.values()) == {"PUBLISHED"}
    await until(scene.nothing_is_open, 5)


async def test_stopped_and_continued_after_a_pause_it_publishes_nothing_stale(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=600, rate=200, commands=50)
    dispatcher.send(signal.SIGSTOP)
    announced = await scene.announce(control(campaign, 2, "PAUSED"))
    await asyncio.sleep(1)
    dispatcher.send(signal.SIGCONT)
    outcomes = await scene.settled(campaign, 600, seconds=5)
    late = [c for c in scene.commands_of(campaign) if c.at > announced + GRACE]
    assert len(late) <= RESIDUE
    assert set(outcomes.values()) == {"PUBLISHED", "RETURNED"}


async def test_a_long_stop_earns_no_more_than_the_burst(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=200, rate=50, commands=20)
    dispatcher.send(signal.SIGSTOP)
    await asyncio.sleep(2)
    dispatcher.send(signal.SIGCONT)
    await scene.settled(campaign, 200)
    assert promise.is_kept(scene.written_of(campaign), rate=50, burst=10)


async def test_after_a_stop_longer_than_its_session_it_takes_its_partitions_anew(scene: Rig) -> None:
    campaign = next(campaigns)
    dispatcher = await begun(scene, campaign, count=300, rate=40, commands=20)
    dispatcher.send(signal.SIGSTOP)
    await asyncio.sleep(7)
    dispatcher.send(signal.SIGCONT)
    outcomes = await scene.settled(campaign, 300, seconds=20)
    assert set(outcomes.values()) == {"PUBLISHED"}
    assert await dispatcher.is_ready()
    await until(scene.nothing_is_open, 5)
    assert promise.is_kept(scene.written_of(campaign), rate=40, burst=8)


async def test_a_stopped_dispatcher_never_publishes_beside_its_successor(scene: Rig) -> None:
    campaign = next(campaigns)
    first = await begun(scene, campaign, count=400, rate=40, commands=20)
    first.send(signal.SIGSTOP)
    second = await scene.start()
    await asyncio.sleep(2)
    first.send(signal.SIGCONT)
    outcomes = await scene.settled(campaign, 400, seconds=30)
    assert set(outcomes.values()) <= {"PUBLISHED", "RETURNED"}
    assert promise.is_kept(scene.written_of(campaign), rate=40, burst=8)
    await until(first.is_ready, 10)
    await until(second.is_ready, 10)


async def test_a_second_dispatcher_takes_its_share_without_breaking_the_promise(scene: Rig) -> None:
    campaign = next(campaigns)
    first = await begun(scene, campaign, count=500, rate=50, commands=30)
    second = await scene.start()
    outcomes = await scene.settled(campaign, 500, seconds=30)
    assert set(outcomes.values()) == {"PUBLISHED", "RETURNED"}
    assert promise.is_kept(scene.written_of(campaign), rate=50, burst=10)
    await asyncio.sleep(1.1)
    assert [await d.metric("pulse_dispatch_partitions") for d in (first, second)] == [12, 12]
    await until(scene.nothing_is_open, 5)


async def test_when_one_of_two_leaves_the_other_has_everything(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign))
    first, second = await scene.start(), await scene.start()
    await until(first.is_ready, 10)
    await first.end(signal.SIGTERM)
    for partition in range(1, 24):
        await scene.ask(request(f"d{partition}", campaign=campaign, rate=50), partition=partition)
    assert set((await scene.settled(campaign, 23)).values()) == {"PUBLISHED"}
    await asyncio.sleep(1.1)
    assert await second.metric("pulse_dispatch_partitions") == 24


async def test_when_one_leaves_its_partitions_do_not_wait_for_its_end(scene: Rig) -> None:
    first, second = await scene.start(), await scene.start()
    await until(first.is_ready, 10)
    os.kill(scene.broker.pid, signal.SIGSTOP)
    try:
        await first.end(signal.SIGTERM)  # its good-bye to the broker stays unanswered for two seconds
    finally:
        os.kill(scene.broker.pid, signal.SIGCONT)
    taken, [stopped] = second.said("partitions_taken")[-1], first.said("stopped")
    assert taken["partitions"] == list(range(24))
    assert str(taken["timestamp"]) < str(stopped["timestamp"])


async def test_one_that_is_killed_and_started_again_does_not_hold_the_others_up(scene: Rig) -> None:
    campaign, session = next(campaigns), {"KAFKA_SESSION_TIMEOUT_MS": "10000"}
    await scene.announce(control(campaign))
    first, second = await scene.start(**session), await scene.start(**session)
    await first.end(signal.SIGKILL)
    again = await scene.launch_in_place_of(first, **session)
    await until(lambda: again.said("waits_for_its_predecessors_end"), 10)
    [taken] = second.said("partitions_taken")
    held = [n for n in range(1, 24) if n in taken["partitions"]]
    for partition in held:
        await scene.ask(request(f"d{partition}", campaign=campaign, rate=50), partition=partition)
    await scene.settled(campaign, len(held))
    assert not second.said("partitions_given_up")
    await until(again.is_ready, 20)
