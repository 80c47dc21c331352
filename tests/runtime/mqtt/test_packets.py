"""The stream is cut into packets whatever the pieces it comes in."""

from itertools import pairwise

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.runtime.mqtt import ProtocolError
from pulse.runtime.mqtt.packets import PacketReader

PACKETS = st.one_of(
    st.builds(mqtt5.PubAckPacket, st.integers(1, 65535)),
    st.builds(
        lambda i, body: mqtt5.PublishPacket("a/b", body, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=i),
        st.integers(1, 65535),
        st.binary(max_size=300),
    ),
    st.builds(lambda body: mqtt5.PublishPacket("tenant/ü", body, user_properties=[("k", "v")]), st.binary(max_size=9)),
    st.builds(mqtt5.PingRespPacket),
    st.builds(lambda i: mqtt5.SubAckPacket(i, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]), st.integers(1, 9)),
)


def read(pieces: list[bytes]) -> tuple[list[str], bool]:
    """The packets as text, and whether the stream was refused."""
    reader = PacketReader()
    packets: list[str] = []
    try:
        for piece in pieces:
            packets.extend(repr(packet) for packet in reader.feed(piece))
    except ProtocolError:
        return packets, True
    return packets, False


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@given(st.lists(PACKETS, max_size=12), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_pieces_of_a_stream_give_the_same_packets(packets: list[mqtt5.Packet], places: list[int]) -> None:
    stream = b"".join(packet.write() for packet in packets)

    assert read(cut(stream, places)) == ([repr(packet) for packet in packets], False)


@given(st.lists(PACKETS, max_size=4), st.binary(min_size=1, max_size=40), st.lists(st.integers(0, 500), max_size=10))
def test_any_pieces_of_a_broken_stream_are_refused_at_the_same_packet(
    packets: list[mqtt5.Packet], garbage: bytes, places: list[int]
) -> None:
    stream = b"".join(packet.write() for packet in packets) + garbage

    assert read(cut(stream, places)) == read([stream])


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(b"\x00\x00", id="no such packet type"),
        pytest.param(b"\x41\x02\x00\x01", id="flags that PUBACK does not have"),
        pytest.param(b"\x36\x05\x00\x01a\x00\x01", id="QoS 3"),
        pytest.param(b"\x30\xff\xff\xff\xff\x01", id="a remaining length of five bytes"),
        pytest.param(b"\x30\x05\x00\x64\x00xy", id="a topic longer than its packet"),
        pytest.param(b"\x40\x04\x00\x01\x05\x00", id="a reason code that PUBACK does not have"),
        pytest.param(b"\x30\x04\x00\x01\xff\x00", id="a topic that is not UTF-8"),
        pytest.param(b"\x20\x06\x00\x00\x03\x21\x00\x00", id="Receive Maximum 0"),
    ],
)
def test_what_comes_before_a_malformed_packet_counts_and_then_the_stream_is_refused(malformed: bytes) -> None:
    before = mqtt5.PubAckPacket(7)

    packets, refused = read([before.write() + malformed])

    assert packets == [repr(before)]
    assert refused


def test_a_large_packet_in_many_pieces_is_read() -> None:
    packet = mqtt5.PublishPacket("a", bytes(3_000_000))
    stream = packet.write()

    packets, _ = read([stream[i : i + 65536] for i in range(0, len(stream), 65536)])

    assert packets == [repr(packet)]
