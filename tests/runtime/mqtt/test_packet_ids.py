"""Packet identifiers: one use at a time, rested as long as possible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.runtime.mqtt import NotReady
from pulse.runtime.mqtt.packet_ids import PacketIds


@given(st.lists(st.booleans(), max_size=300))
def test_no_identifier_has_two_uses_at_a_time(takes: list[bool]) -> None:
    ids = PacketIds()
    in_use: list[int] = []
    for take in takes:
        if take or not in_use:
            taken = ids.take()
            assert taken not in in_use
            in_use.append(taken)
        else:
            ids.give_back(in_use.pop())


def test_all_65535_can_be_in_use_and_the_next_is_refused() -> None:
    ids = PacketIds()

    assert {ids.take() for _ in range(65535)} == set(range(1, 65536))
    with pytest.raises(NotReady):
        ids.take()


def test_one_that_was_given_back_rests_until_all_others_have_had_their_turn() -> None:
    ids = PacketIds()
    ids.give_back(ids.take())

    assert [ids.take() for _ in range(65535)][-1] == 1
