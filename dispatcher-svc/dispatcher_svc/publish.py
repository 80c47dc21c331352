"""Commands go to the broker: each passes every check in the very call that writes it to the socket."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from dispatcher_svc import metrics
from dispatcher_svc.knowledge import Knowledge, Stand
from dispatcher_svc.membership import Membership
from dispatcher_svc.queues import Held, Partition, Stage
from dispatcher_svc.results import Results
from pulse.contracts.kafka import Outcome
from pulse.contracts.mqtt import command_topic
from pulse.runtime.mqtt import MqttClient, MqttOptions, PacketTooLarge, Received

TAKEN, NO_SUBSCRIBER, REFUSED, TOPIC_INVALID, PACKET_TOO_LARGE = 0, 16, 128, 144, 149
LONGEST_EXPIRY = 2**32 - 1
TIMER_SECONDS = 0.001
"""The event loop's timers are no finer; an earlier one would only spin."""


class Publisher:
    """Looks at `partitions` whenever something may go: a token is due, the window has room, something was learnt.

    It is the handler of its MQTT session. `clock` is monotonic, `wall` the time of day, both in seconds.
    """

    def __init__(
        self,
        options: MqttOptions,
        topic_template: str,
        partitions: Mapping[int, Partition],
        knowledge: Knowledge,
        membership: Membership,
        results: Results,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self.mqtt: MqttClient[Held] = MqttClient(self._connect_options, self)
        self._topic_template = topic_template
        self._partitions = partitions
        self._knowledge = knowledge
        self._membership = membership
        self._results = results
        self._clock = clock
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0
        self._held_back = HeldBack()

    async def _connect_options(self) -> MqttOptions:
        return self._options

    async def is_connected(self) -> bool:
        return self.mqtt.is_connected

    # What comes in

    def accept(self, held: Held) -> None:
        """Takes a request that has just been read."""
        stand = self._stand(held)
        if isinstance(stand, Outcome):
            self._results.settle(held, stand)
        else:
            held.partition.add(held, self._clock())
            self.soon()

    def learnt(self, campaign_id: int) -> None:
        """There is news of a campaign: settles what it ends, lets go what waited for it."""
        for partition in self._partitions.values():
            self._settle_all(partition.sort_out(self._outcome, campaign_id))
        self.soon()

    def sweep(self) -> None:
        """Settles what has expired while it waited."""
        wall = self._wall()
        for partition in self._partitions.values():
            self._settle_all(partition.sort_out(lambda held: Outcome.EXPIRED if held.not_after <= wall else None))
            partition.forget_idle(self._clock())
        self.soon()

    def give_back(self, partition: Partition) -> None:
        """The partition leaves: all that waits for it is RETURNED; what is in flight will still be settled."""
        partition.stage = Stage.LEAVING
        self._settle_all(partition.sort_out(lambda _: Outcome.RETURNED))

    def soon(self) -> None:
        """Has `_publish_due` run in the loop's next round."""
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
                self._settle_all((held, Outcome.RETURNED) for held in lost)

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
        self._held_back.note(obstacle, self._clock())
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
            now = self._clock()
            held = partition.next(now)
            if held is None:
                return None
            obstacle = self._obstacle(now)
            if obstacle is not None:
                return obstacle
            stand = self._stand(held)
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
        wall = self._wall()
        try:
            self.mqtt.publish(
                command_topic(request.tenant_id, request.device_id, self._topic_template),
                request.command.encode(),
                held,
                expiry=min(max(1, int(held.expires_at - wall)), LONGEST_EXPIRY),
                user_properties=[("traceparent", held.trace)] if held.trace else (),
            )
        except PacketTooLarge:
            self._results.settle(held, Outcome.REFUSED, PACKET_TOO_LARGE)
        except ValueError:
            self._results.settle(held, Outcome.REFUSED, TOPIC_INVALID)
        else:
            held.partition.in_flight += 1
            metrics.PUBLISHED.inc()
            metrics.LAG.observe(wall - held.asked_at)

    def _set_timer(self) -> None:
        """Wakes up when the next token is due; a timer that rings earlier is left to do so."""
        wake_at = min((p.wake_at for p in self._partitions.values()), default=float("inf"))
        delay = max(wake_at - self._clock(), TIMER_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self.soon) if delay < float("inf") else None

    # Judging

    def _stand(self, held: Held) -> Stand | Outcome:
        return self._knowledge.stand(held.request, expired=held.not_after <= self._wall())

    def _outcome(self, held: Held) -> Outcome | None:
        stand = self._stand(held)
        return stand if isinstance(stand, Outcome) else None

    def _settle_all(self, settled: Iterable[tuple[Held, Outcome]]) -> None:
        for held, outcome in settled:
            self._results.settle(held, outcome)


class HeldBack:
    """Adds up the time in which something was due and could not go, by what stood in its way."""

    def __init__(self) -> None:
        self._since = 0.0
        self._obstacle: str | None = None

    def note(self, obstacle: str | None, now: float) -> None:
        if self._obstacle is not None:
            metrics.HELD_SECONDS.labels(self._obstacle).inc(now - self._since)
        self._obstacle, self._since = obstacle, now


def _by_partition(tokens: list[Held]) -> dict[Partition, list[Held]]:
    found: dict[Partition, list[Held]] = {}
    for held in tokens:
        found.setdefault(held.partition, []).append(held)
    return found
