"""Waiting before the next attempt to connect."""

from itertools import islice
from statistics import mean

from pulse.runtime.mqtt.backoff import delays


def test_each_delay_is_between_a_tenth_of_a_second_and_five() -> None:
    assert all(0.1 <= delay <= 5.0 for _ in range(100) for delay in islice(delays(), 30))


def test_the_first_delay_is_at_most_a_fifth_of_a_second() -> None:
    assert max(next(delays()) for _ in range(500)) <= 0.2


def test_delays_grow_on_average_and_differ_between_clients() -> None:
    clients = [list(islice(delays(), 8)) for _ in range(500)]

    assert mean(one[0] for one in clients) < mean(one[3] for one in clients) < mean(one[7] for one in clients)
    assert len({one[7] for one in clients}) > 400
