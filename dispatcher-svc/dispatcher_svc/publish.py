"""Commands go to the broker: each passes every check in the very call that writes it to the socket."""

import asyncio
import time
from collections.abc import Mapping

from dispatcher_svc import metrics
from dispatcher_svc.judge import Judge
from dispatcher_svc.knowledge import Knowledge, Stand
from dispatcher_svc.membership import Membership
from dispatcher_svc.partition import Partition, Stage
from dispatcher_svc.queues import Held
from dispatcher_svc.results import Results
from pulse.contracts.kafka import Outcome
from pulse.contracts.mqtt import command_topic
from pulse.runtime.mqtt import MqttClient, MqttOptions, PacketTooLarge, Received
from pulse.runtime.tracing import HEADER

NO_SUBSCRIBER, REFUSED, TOPIC_INVALID, PACKET_TOO_LARGE = 16, 128, 144, 149
LONGEST_EXPIRY = 2**32 - 1
TIMER_SECONDS = 0.001
"""The event loop's timers are no finer; an earlier one would only spin."""


class Publisher:
    """Looks at `partitions` whenever something may go: a token is due, the window has room, something was learnt.

    It is the handler of its MQTT session. `topic_template` holds {tenant_id} and {device_id}.
    """

    def __init__(
        self,
        options: MqttOptions,
        topic_template: str,
        partitions: Mapping[int, Partition],
        judge: Judge,
        knowledge: Knowledge,
        membership: Membership,
        results: Results,
    ) -> None:
        self._options = options
        self.mqtt: MqttClient[Held] = MqttClient(self._connect_options, self)
        self._topic_template = topic_template
        self._partitions = partitions
        self._judge = judge
        self._knowledge = knowledge
        self._membership = membership
        self._results = results
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0
        self._held_back = HeldBack()
        metrics.WINDOW.set(options.window)

    async def _connect_options(self) -> MqttOptions:
        return self._options

    async def is_connected(self) -> bool:
        return self.mqtt.is_connected

    def soon(self) -> None:
        """Has all that may go published in the event loop's next round."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._publish_due)

    # The MQTT session's handler

    def connected(self, session_present: bool) -> None:  # noqa: ARG002  a clean start has no session
        metrics.MQTT_CONNECTED.set(1)
        self.soon()

    def received(self, message: Received) -> None:
        """Nothing is subscribed."""

    def answered(self, token: Held, reason_code: int) -> None:
        token.partition.in_flight -= 1
        metrics.count_answer(reason_code)
        if reason_code == NO_SUBSCRIBER:
            self._results.settle(token, Outcome.NO_SUBSCRIBER, reason_code)
        elif reason_code >= REFUSED:
            self._results.settle(token, Outcome.REFUSED, reason_code)
        else:
            self._results.settle(token, Outcome.PUBLISHED, reason_code)

    def lost(self, tokens: list[Held]) -> None:
        """Unanswered commands wait for their turn again, as if they had never been sent."""
        metrics.MQTT_CONNECTED.set(0)
        for partition, lost in _by_partition(tokens).items():
            partition.in_flight -= len(lost)
            if partition.stage is Stage.HELD:
                partition.put_back(lost)
            elif partition.stage is Stage.LEAVING:
                for held in lost:
                    self._results.settle(held, Outcome.RETURNED)

    def room(self) -> None:
        self.soon()

    # What goes out

    def _publish_due(self) -> None:
        """Publishes all that may go now, in fair turns, and sets the timer for the next token."""
        self._scheduled = False
        obstacle = None
        for partition in self._in_turn():
            obstacle = self._serve(partition)
            if obstacle is not None:
                break
        self._held_back.note(obstacle, time.monotonic())
        if obstacle is None:
            self._set_timer()

    def _in_turn(self) -> list[Partition]:
        """All partitions, beginning with another one each time."""
        partitions = list(self._partitions.values())
        self._turn += 1
        first = self._turn % max(1, len(partitions))
        return partitions[first:] + partitions[:first]

    def _serve(self, partition: Partition) -> str | None:
        """Publishes what is due of one partition; returns the obstacle that stopped it, if one did."""
        while True:
            now = time.monotonic()
            held = partition.next(now)
            if held is None:
                return None
            obstacle = self._obstacle(now)
            if obstacle is not None:
                return obstacle
            stand = self._judge.stand(held)
            if stand is Stand.GO:
                partition.take(now)
                self._publish(held)
            elif stand is Stand.WAIT:
                partition.block()
            else:
                partition.drop()
                self._results.settle(held, stand)

    def _obstacle(self, now: float) -> str | None:
        if not self._membership.holds(now):
            return "membership"
        if not self._knowledge.is_fresh(now):
            return "knowledge"
        if not self.mqtt.free:
            return "mqtt"
        return None

    def _publish(self, held: Held) -> None:
        request = held.request
        wall = time.time()
        try:
            self.mqtt.publish(
                command_topic(request.tenant_id, request.device_id, self._topic_template),
                request.command.encode(),
                held,
                expiry=min(max(1, int(held.expires_at - wall)), LONGEST_EXPIRY),
                user_properties=[(HEADER, held.trace)] if held.trace else (),
            )
        except PacketTooLarge:
            self._results.settle(held, Outcome.REFUSED, PACKET_TOO_LARGE)
        except ValueError:
            self._results.settle(held, Outcome.REFUSED, TOPIC_INVALID)
        else:
            held.partition.in_flight += 1
            metrics.PUBLISHED.inc()
            metrics.PUBLISHED_BY_CAMPAIGN.count(request.campaign_id)
            metrics.LAG.observe(wall - held.asked_at)

    def _set_timer(self) -> None:
        """Wakes up when the next token is due; a timer that rings earlier is left to do so."""
        wake_at = min((p.wake_at for p in self._partitions.values()), default=float("inf"))
        delay = max(wake_at - time.monotonic(), TIMER_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self.soon) if delay < float("inf") else None


class HeldBack:
    """Adds up the time in which something was due and could not go, by what stood in its way."""

    def __init__(self) -> None:
        self._since = 0.0
        self._obstacle: str | None = None

    def note(self, obstacle: str | None, now: float) -> None:
        if self._obstacle is not None:
            metrics.HELD[self._obstacle].inc(now - self._since)
        self._obstacle, self._since = obstacle, now


def _by_partition(tokens: list[Held]) -> dict[Partition, list[Held]]:
    found: dict[Partition, list[Held]] = {}
    for held in tokens:
        found.setdefault(held.partition, []).append(held)
    return found
