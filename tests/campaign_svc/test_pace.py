"""A campaign's rate over buckets and partitions, and how long its requests hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_svc.engine.pace import pace_of


@pytest.mark.parametrize(
    ("per_minute", "shards", "bucket_rate", "hold"),
    [(1, 1, 1 / 60, 95.0), (60, 1, 1.0, 36.0), (3_000, 1, 50.0, 35.02), (600_000, 23, 10_000 / 23, 35.0023)],
)
def test_a_fast_campaign_has_many_buckets_and_a_slow_one_a_patient_request(
    per_minute: int, shards: int, bucket_rate: float, hold: float
) -> None:
    pace = pace_of(7, per_minute / 60, 24, 0.2)
    assert pace.shards == shards
    assert pace.bucket_rate == pytest.approx(bucket_rate)
    assert pace.hold(5.0, 3_600).total_seconds() == pytest.approx(hold, abs=1e-6)


@pytest.mark.parametrize("per_minute", [1, 60, 600_000])
def test_no_request_holds_until_its_command_has_expired(per_minute: int) -> None:
    assert pace_of(7, per_minute / 60, 24, 0.2).hold(5.0, 10).total_seconds() == 9


def test_a_slow_campaign_waits_on_partition_0_and_no_other_does() -> None:
    assert pace_of(7, 0.99, 24, 0.2).partition(5) == 0
    assert all(pace_of(7, 1000, 24, 0.2).partition(rank) > 0 for rank in range(100))


@given(rate=st.floats(1 / 60, 10_000), partitions=st.integers(2, 64), rank=st.integers(0, 2**31 - 1))
def test_the_buckets_together_are_the_rate_and_a_device_has_one(rate: float, partitions: int, rank: int) -> None:
    pace = pace_of(7, rate, partitions, 0.2)
    assert pace.bucket_rate * pace.shards == pytest.approx(rate)
    assert pace.bucket(rank) == f"7:{rank % pace.shards}"
    assert 0 <= pace.partition(rank) < partitions
    assert pace.bucket_burst >= 1
