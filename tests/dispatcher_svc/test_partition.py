"""A partition's requests go out in fair turns, each with its campaign's token and the partition's."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dispatcher_svc.partition import IDLE_SECONDS, Partition
from dispatcher_svc.queues import Held
from pulse.contracts.kafka import Outcome
from tests.dispatcher_svc.factories import held, request
from tests.runtime.test_bucket import ROUNDING, most_over_promise

UNCAPPED = 1e6


def partition(cap_rate: float = UNCAPPED, cap_burst: float = UNCAPPED, taken_at: float = 0.0) -> Partition:
    return Partition(1, taken_at, cap_rate, cap_burst)


def fill(
    part: Partition, *, campaign: int, count: int, rate: float, burst: float = 1.0, first: int = 0, epoch: int = 1
) -> list[Held]:
    made = [
        held(part, first + n, request(f"{campaign}-{n}", campaign=campaign, rate=rate, burst=burst, epoch=epoch))
        for n in range(count)
    ]
    for one in made:
        part.add(one, now=0.0)
    return made


def run(part: Partition, until: float, now: float = 0.0) -> list[tuple[float, Held]]:
    """What goes out and when, if the process wakes up exactly when told to."""
    out = []
    while now <= until:
        while (due := part.next(now)) is not None:
            part.take(now)
            out.append((now, due))
        now = part.wake_at
    return out


def test_requests_of_a_campaign_keep_their_order() -> None:
    part = partition()
    made = fill(part, campaign=1, count=5, rate=10)
    assert [h for _, h in run(part, until=10)] == made


def test_a_slow_campaign_never_blocks_a_fast_one() -> None:
    part = partition()
    fill(part, campaign=1, count=3, rate=1 / 60)
    fill(part, campaign=2, count=100, rate=100)
    assert Counter(h.request.campaign_id for _, h in run(part, until=1.05)) == {2: 100}


def test_campaigns_share_a_full_partition_in_turns() -> None:
    part = partition(cap_rate=10, cap_burst=1)
    for campaign in (1, 2, 3):
        fill(part, campaign=campaign, count=50, rate=100, burst=20)
    sent = [h.request.campaign_id for _, h in run(part, until=3.0)]
    assert len(sent) in {29, 30}
    assert {sent[n : n + 3].count(c) for n in range(0, 27, 3) for c in (1, 2, 3)} == {1}


def test_the_wake_up_is_the_moment_of_the_next_token() -> None:
    part = partition()
    fill(part, campaign=1, count=2, rate=1 / 60)
    assert part.next(0.5) is None
    assert part.wake_at == 60.0
    assert part.next(60.0) is not None


def test_an_empty_partition_never_wakes_up() -> None:
    part = partition()
    fill(part, campaign=1, count=1, rate=1)
    run(part, until=5)
    assert part.wake_at == float("inf")
    assert len(part) == 0


def test_a_bucket_outlives_its_empty_queue() -> None:
    part = partition()
    fill(part, campaign=1, count=1, rate=1)
    assert [t for t, _ in run(part, until=1)] == [1.0]
    fill(part, campaign=1, count=1, rate=1, first=1)
    assert part.next(1.5) is None
    assert part.wake_at == 2.0


def test_a_first_request_long_after_the_partition_was_taken_finds_a_full_bucket() -> None:
    part = partition(taken_at=0.0)
    part.add(held(part, 0, request(rate=1 / 60)), now=500.0)
    assert part.next(500.0) is not None


def test_only_a_queue_that_is_long_empty_with_a_full_bucket_is_forgotten() -> None:
    part = partition()
    fill(part, campaign=1, count=1, rate=0.5)
    run(part, until=2)
    part.forget_idle(3.9 + IDLE_SECONDS)
    assert part.queue_count == 1
    part.forget_idle(4.1 + IDLE_SECONDS)
    assert part.queue_count == 0


def test_forgetting_a_queue_changes_nothing_for_its_campaign() -> None:
    part = partition()
    fill(part, campaign=1, count=1, rate=0.5)
    run(part, until=2)
    part.forget_idle(100.0)
    fill(part, campaign=1, count=2, rate=0.5, first=1)
    assert [t for t, _ in run(part, until=103, now=100.0)] == [100.0, 102.0]


def test_a_newer_epoch_brings_its_rate_and_wakes_the_queue() -> None:
    part = partition()
    fill(part, campaign=1, count=2, rate=1 / 60)
    assert part.next(0.0) is None
    part.add(held(part, 2, request(campaign=1, epoch=2, rate=10)), now=0.0)
    assert part.next(0.0) is None
    assert part.wake_at < 0.2


def test_an_older_epoch_does_not_change_the_rate() -> None:
    part = partition()
    part.add(held(part, 0, request(campaign=1, epoch=2, rate=1 / 60)), now=0.0)
    part.add(held(part, 1, request(campaign=1, epoch=1, rate=100)), now=0.0)
    assert run(part, until=59) == []


def test_unanswered_requests_come_back_to_the_front_in_their_order_and_pay_again() -> None:
    part = partition()
    made = fill(part, campaign=1, count=4, rate=1, burst=2)
    sent = [h for _, h in run(part, until=2)]
    part.put_back(reversed(sent))
    assert [h for _, h in run(part, until=2.5, now=2.0)] == []
    assert [h for _, h in run(part, until=100, now=2.5)] == made


def test_a_blocked_queue_waits_for_news_and_blocks_nobody_else() -> None:
    part = partition()
    first = fill(part, campaign=1, count=2, rate=10, burst=5)
    other = fill(part, campaign=2, count=2, rate=10, burst=5, first=10)
    assert part.next(1.0) is first[0]
    part.block()
    assert [h for _, h in run(part, until=2, now=1.0)] == other
    assert part.sort_out(lambda _: None, campaign_id=1) == []
    assert [h for _, h in run(part, until=3, now=2.0)] == first


def test_sorting_out_takes_what_is_settled_of_one_campaign_only() -> None:
    part = partition()
    first = fill(part, campaign=1, count=2, rate=10)
    other = fill(part, campaign=2, count=2, rate=10, first=10)
    assert part.sort_out(lambda _: Outcome.RETURNED, campaign_id=1) == [(h, Outcome.RETURNED) for h in first]
    assert len(part) == 2
    assert [h for _, h in run(part, until=2)] == other


def test_what_is_promised_is_what_waiting_campaigns_may_send_up_to_the_cap() -> None:
    part = partition(cap_rate=25, cap_burst=5)
    fill(part, campaign=1, count=1, rate=10)
    assert part.promised_rate == 10
    fill(part, campaign=2, count=1, rate=20, first=5)
    assert part.promised_rate == 25


looks = st.lists(st.one_of(st.floats(0, 0.05), st.floats(0, 5)), min_size=1, max_size=60)
campaigns = st.lists(st.tuples(st.floats(0.1, 50), st.floats(1, 10), st.integers(1, 15)), min_size=1, max_size=4)


@given(campaigns, looks, st.floats(1, 60))
def test_the_promises_of_campaigns_and_partition_hold_at_any_times_of_looking(
    made: list[tuple[float, float, int]], waits: list[float], cap_rate: float
) -> None:
    part, now, out = partition(cap_rate=cap_rate, cap_burst=3), 0.0, []
    for campaign, (rate, burst, count) in enumerate(made, 1):
        fill(part, campaign=campaign, count=count, rate=rate, burst=burst, first=100 * campaign)
    for wait in waits:
        now += wait
        while (due := part.next(now)) is not None:
            part.take(now)
            out.append((now, due.request.campaign_id))
    assert most_over_promise([t for t, _ in out], cap_rate, 3) <= ROUNDING * cap_rate
    for campaign, (rate, burst, _) in enumerate(made, 1):
        assert most_over_promise([t for t, c in out if c == campaign], rate, burst) <= ROUNDING * rate


@given(campaigns)
def test_every_request_goes_out_once_and_as_soon_as_its_token_is_there(made: list[tuple[float, float, int]]) -> None:
    part = partition()
    for campaign, (rate, burst, count) in enumerate(made, 1):
        fill(part, campaign=campaign, count=count, rate=rate, burst=burst, first=100 * campaign)
    out = run(part, until=1_000)
    for campaign, (rate, _, count) in enumerate(made, 1):
        times = [t for t, h in out if h.request.campaign_id == campaign]
        assert len(times) == count
        assert all(abs(t - n / rate) < ROUNDING for n, t in enumerate(times, 1))
