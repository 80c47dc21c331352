"""The control topic and what a dispatcher knows of it, in steps of 50 ms; any step may be late by any time.

One campaign: an even epoch runs, an odd one is paused. Epoch 1 is announced at the start; then it may be started (2)
and paused (3). Announcements reach Kafka in any order. The promise: nothing of epoch 2 is published more than 250 ms
after the pause was answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from dispatcher_svc.knowledge import Knowledge, Stand
from pulse.contracts.kafka import CampaignControl, ControlStatus
from tests.model.explore import STUCK, Step
from tests.model.rules import NOON, request
from tests.model.suite import Case

FRESH, PROMISED = 4, 5
"""200 ms and 250 ms, in steps."""
NEVER = FRESH + 1
LATE = "3: a publish of an older epoch after the answer"


class Topic(NamedTuple):
    """`row`: the epoch in the database; `answered`: steps since the pause was answered, -1 before that."""

    row: int = 1
    waiting: tuple[int, ...] = ()
    log: tuple[tuple[int, int], ...] = ((0, 1),)
    answered: int = -1


class Dispatcher(NamedTuple):
    """`known`: epoch; `fresh`: age of what is known; `asked`: age and answer of the question for the topic's end."""

    known: int = 1
    position: int = 1
    fresh: int = 0
    asked: tuple[int, int | None] | None = None
    checked: bool = False
    unanswered: bool = False


class State(NamedTuple):
    topic: Topic = Topic()
    dispatcher: Dispatcher = Dispatcher()
    compactions: int = 0
    restarts: int = 1


@dataclass(frozen=True, slots=True)
class Control:
    """The switches are seeded errors; `compactions`: how often Kafka may keep only the last record."""

    compactions: int = 0
    dated_by_arrival: bool = False
    checked_early: bool = False
    resent_unchecked: bool = False
    never_stale: bool = False
    not_read_to_the_end: bool = False
    last_record_counts: bool = False
    epoch_ignored: bool = False
    never_repeated: bool = False

    def start(self) -> State:
        return State(compactions=self.compactions)

    def is_good(self, state: State) -> bool:
        return state.topic.row == state.dispatcher.known

    def steps(self, state: State) -> Iterator[Step]:
        yield Step("50 ms pass", _older(state))
        yield from self._announce(state)
        yield from self._kafka(state)
        yield from self._learn(state)
        yield from self._publish(state)

    def _announce(self, state: State) -> Iterator[Step]:
        topic = state.topic
        if topic.row < 3:
            row = topic.row + 1
            changed = topic._replace(row=row, waiting=(*topic.waiting, row))
            yield Step(f"!epoch {row} is committed", state._replace(topic=changed))
        for epoch in topic.waiting:
            rest = tuple(e for e in topic.waiting if e != epoch)
            yield Step(f"record {epoch} reaches Kafka", _logged(state, epoch, rest))
        differs = topic.log[-1][1] != topic.row and topic.row not in topic.waiting
        if differs and not self.never_repeated and len(topic.log) < 5:
            yield Step(f"the tick announces {topic.row} again", _logged(state, topic.row, topic.waiting))

    def _kafka(self, state: State) -> Iterator[Step]:
        topic, asked = state.topic, state.dispatcher.asked
        if state.compactions and len(topic.log) > 1:
            kept = topic._replace(log=topic.log[-1:])
            yield Step("!compaction", state._replace(topic=kept, compactions=state.compactions - 1))
        if asked is not None and asked[1] is None:
            yield Step("the broker tells the end", _with(state, asked=(asked[0], topic.log[-1][0] + 1)))
        if state.restarts:
            fresh = Dispatcher(known=0, position=0, fresh=NEVER)
            yield Step("!the dispatcher restarts", state._replace(dispatcher=fresh, restarts=state.restarts - 1))

    def _learn(self, state: State) -> Iterator[Step]:
        dispatcher = state.dispatcher
        record = next((r for r in state.topic.log if r[0] >= dispatcher.position), None)
        if record is not None:
            offset, epoch = record
            knowledge = _knowledge(dispatcher)
            knowledge.learn(_control(epoch))
            knowledge.read_to(offset + 1)
            known = epoch if self.last_record_counts else max(dispatcher.known, epoch)
            yield Step(f"the dispatcher reads {epoch}", _with(state, known=known, position=offset + 1))
        if dispatcher.asked is None:
            yield Step("the dispatcher asks for the end", _with(state, asked=(0, None)))
        elif dispatcher.asked[1] is not None:
            yield from self._take_answer(state, dispatcher.asked[0], dispatcher.asked[1])

    def _take_answer(self, state: State, age: int, end: int) -> Iterator[Step]:
        """The product closes a question once it has read so far; till then it stays open here."""
        knowledge = _knowledge(state.dispatcher)
        told = 0 if self.not_read_to_the_end else end
        knowledge.answered(0 if self.dated_by_arrival else -age, told)
        if told <= knowledge.position:
            fresh = min(int(min(knowledge.age(0), NEVER)), NEVER)
            yield Step("the dispatcher takes the answer", _with(state, asked=None, fresh=fresh))

    def _publish(self, state: State) -> Iterator[Step]:
        dispatcher = state.dispatcher
        broken = LATE if state.topic.answered > PROMISED else None
        if self.checked_early and dispatcher.checked:
            yield Step("it is written to the socket", _with(state, checked=False), broken)
        elif self._may(dispatcher) and self.checked_early:
            yield Step("a request of epoch 2 is checked", _with(state, checked=True))
        elif self._may(dispatcher):
            yield Step("a request of epoch 2 is published", _with(state, unanswered=self.resent_unchecked), broken)
        if dispatcher.unanswered:
            yield Step("!connection lost, the client sends it again", _with(state, unanswered=False), broken)

    def _may(self, dispatcher: Dispatcher) -> bool:
        knowledge = _knowledge(dispatcher)
        goes = self.epoch_ignored or knowledge.stand(request(epoch=2), expired=False) is Stand.GO
        return goes and (self.never_stale or knowledge.is_fresh(0))


def _knowledge(dispatcher: Dispatcher) -> Knowledge:
    """The product's, as it would be now (time 0)."""
    knowledge = Knowledge(max_age=FRESH)
    if dispatcher.known:
        knowledge.learn(_control(dispatcher.known))
    knowledge.read_to(dispatcher.position)
    if dispatcher.fresh < NEVER:
        knowledge.answered(-dispatcher.fresh, 0)
    return knowledge


def _control(epoch: int) -> CampaignControl:
    status: ControlStatus = "PAUSED" if epoch % 2 else "RUNNING"
    return CampaignControl(tenant_id="t", campaign_id=1, epoch=epoch, status=status, at=NOON)


def _logged(state: State, epoch: int, waiting: tuple[int, ...]) -> State:
    topic = state.topic
    answered = 0 if epoch == 3 and topic.answered < 0 else topic.answered
    log = (*topic.log, (topic.log[-1][0] + 1, epoch))
    return state._replace(topic=topic._replace(waiting=waiting, log=log, answered=answered))


def _with(state: State, **changes: Any) -> State:
    return state._replace(dispatcher=state.dispatcher._replace(**changes))


def _older(state: State) -> State:
    topic, dispatcher = state.topic, state.dispatcher
    answered = topic.answered if topic.answered < 0 else min(topic.answered + 1, PROMISED + 1)
    asked = dispatcher.asked and (min(dispatcher.asked[0] + 1, NEVER), dispatcher.asked[1])
    aged = dispatcher._replace(fresh=min(dispatcher.fresh + 1, NEVER), asked=asked)
    return state._replace(topic=topic._replace(answered=answered), dispatcher=aged)


HOLDS = [Case("a pause against a dispatcher that runs, stalls and restarts", Control())]
SEEDED = [
    Case("knowledge is dated by the arrival of the answer", Control(dated_by_arrival=True), LATE),
    Case("checks, a wait, and then the socket", Control(checked_early=True), LATE),
    Case("the client sends again what was not answered", Control(resent_unchecked=True), LATE),
    Case("knowledge never grows stale", Control(never_stale=True), LATE),
    Case("the topic is not read to its end", Control(not_read_to_the_end=True), LATE),
    Case("the last record counts, not the highest", Control(last_record_counts=True), LATE),
    Case("the epoch is not looked at", Control(epoch_ignored=True), LATE),
    Case("nobody announces again", Control(compactions=1, never_repeated=True), STUCK),
    Case("the topic is compacted at once (min.compaction.lag.ms is an hour)", Control(compactions=1), LATE),
]
