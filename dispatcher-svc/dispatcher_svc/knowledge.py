"""What is known of the campaigns, and how fresh it is: pure, time is an argument."""

from collections import deque
from enum import Enum

from pulse.contracts.kafka import CampaignControl, ControlStatus, DispatchRequest, Outcome


class Stand(Enum):
    """How a request stands that is not to be settled."""

    GO = "go"
    WAIT = "wait"


MAX_QUESTIONS = 64


class Knowledge:
    """The highest epoch of each campaign, and until when the control topic has been read.

    `max_age` in seconds: what is known for longer without a newer answer is no ground to publish on.
    """

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._campaigns: dict[int, tuple[int, ControlStatus]] = {}
        self._questions: deque[tuple[float, int]] = deque(maxlen=MAX_QUESTIONS)
        self._read_to = 0
        self._fresh_as_of = float("-inf")

    def learn(self, control: CampaignControl) -> bool:
        """Takes a control record; False if a newer one of the campaign is known, or this one."""
        epoch, _ = self._campaigns.get(control.campaign_id, (0, "PAUSED"))
        if control.epoch <= epoch:
            return False
        self._campaigns[control.campaign_id] = (control.epoch, control.status)
        return True

    def read_to(self, offset: int) -> None:
        """All records below `offset` have been learnt."""
        self._read_to = max(self._read_to, offset)
        self._close_questions()

    def answered(self, asked_at: float, end: int) -> None:
        """A question for the topic's end that was *sent* at `asked_at` was answered with `end`."""
        self._questions.append((asked_at, end))
        self._close_questions()

    def _close_questions(self) -> None:
        while self._questions and self._questions[0][1] <= self._read_to:
            self._fresh_as_of = max(self._fresh_as_of, self._questions.popleft()[0])

    @property
    def is_complete(self) -> bool:
        """Whether the topic has been read to its end once."""
        return self._fresh_as_of > float("-inf")

    @property
    def position(self) -> int:
        return self._read_to

    def age(self, now: float) -> float:
        """Seconds; infinite before the topic has been read to its end once."""
        return now - self._fresh_as_of

    def is_fresh(self, now: float) -> bool:
        return now - self._fresh_as_of <= self._max_age

    def stand(self, request: DispatchRequest, *, expired: bool) -> Stand | Outcome:
        """What is to become of a request whose partition stays; `expired`: its `not_after` is past."""
        if expired:
            return Outcome.EXPIRED
        epoch, status = self._campaigns.get(request.campaign_id, (0, "PAUSED"))
        if request.epoch > epoch:
            return Stand.WAIT
        if status in {"ABORTED", "COMPLETED"}:
            return Outcome.CANCELLED
        if status == "PAUSED" or request.epoch < epoch:
            return Outcome.RETURNED
        return Stand.GO
