"""The protocol state of one connection, without a socket."""

from typing import Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pulse.runtime.mqtt import (
    BrokerDisconnected,
    ConnectRefused,
    MqttOptions,
    NotReady,
    PacketTooLarge,
    ProtocolError,
    Received,
)
from pulse.runtime.mqtt.session import Answered, Connected, Session, Settled

QOS_1 = mqtt5.QoS.AT_LEAST_ONCE


def begun(connack: mqtt5.ConnAckPacket | None = None, **changes: Any) -> Session[str]:
    """A session that the broker has accepted."""
    session: Session[str] = Session(MqttOptions(host="h", port=1, client_id="c", **changes), number=3)
    session.take(connack or mqtt5.ConnAckPacket())
    return session


def packet(data: bytes) -> Any:
    read, length = mqtt5.read(memoryview(data))
    assert length == len(data)
    return read


def published(session: Session[str], token: str) -> int:
    """Publishes; the packet identifier."""
    identifier: int = packet(session.publish("t", b"", token, None, ())).packet_id
    return identifier


def incoming(packet_id: int, payload: bytes = b"") -> mqtt5.PublishPacket:
    return mqtt5.PublishPacket("t", payload, qos=QOS_1, packet_id=packet_id)


def received(session: Session[str], packet_id: int, payload: bytes = b"") -> Received:
    message = session.take(incoming(packet_id, payload))
    assert isinstance(message, Received)
    return message


def acknowledged(data: bytes) -> list[int]:
    identifiers = []
    while data:
        puback, length = mqtt5.read(memoryview(data))
        assert isinstance(puback, mqtt5.PubAckPacket)
        identifiers.append(puback.packet_id)
        data = data[length:]
    return identifiers


# Connecting


def test_connect_says_what_the_options_say() -> None:
    options = MqttOptions(
        host="h",
        port=1,
        client_id="c",
        username="u",
        password="p",
        clean_start=False,
        session_expiry=86400,
        keep_alive=7,
    )

    connect = packet(Session[str](options, 1).connect())

    assert (connect.client_id, connect.username, connect.password) == ("c", "u", b"p")
    assert (connect.clean_start, connect.session_expiry_interval, connect.keep_alive) == (False, 86400, 7)
    assert (connect.receive_max, connect.topic_alias_max, connect.will) == (65535, 0, None)


@pytest.mark.parametrize(
    ("own", "of_broker", "counts"), [(10, None, 10), (10, 4, 4), (10, 60, 10), (10, 0, 10), (60, 10, 10)]
)
def test_the_shorter_keep_alive_counts(own: int, of_broker: int | None, counts: int) -> None:
    session: Session[str] = Session(MqttOptions(host="h", port=1, client_id="c", keep_alive=own), 1)

    assert session.take(mqtt5.ConnAckPacket(server_keep_alive=of_broker)) == Connected(False, counts)


@pytest.mark.parametrize(("clean_start", "present"), [(False, False), (False, True), (True, False)])
def test_the_handler_learns_whether_the_broker_still_had_the_session(clean_start: bool, present: bool) -> None:
    session: Session[str] = Session(MqttOptions(host="h", port=1, client_id="c", clean_start=clean_start), 1)

    assert session.take(mqtt5.ConnAckPacket(session_present=present)) == Connected(present, 10)


def test_a_session_resumed_against_a_clean_start_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="clean start"):
        begun(mqtt5.ConnAckPacket(session_present=True))


def test_a_refusal_has_its_reason_code_and_text() -> None:
    with pytest.raises(ConnectRefused, match="135: go away") as refused:
        begun(mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.NOT_AUTHORIZED, reason_str="go away"))
    assert refused.value.reason_code == 135


def test_a_broker_without_qos_1_is_none_for_us() -> None:
    with pytest.raises(ConnectRefused, match="QoS 0 only"):
        begun(mqtt5.ConnAckPacket(max_qos=mqtt5.QoS.AT_MOST_ONCE))


def test_before_connack_nothing_is_free_and_nothing_else_is_accepted() -> None:
    session: Session[str] = Session(MqttOptions(host="h", port=1, client_id="c"), 1)

    assert session.free == 0
    with pytest.raises(ProtocolError, match="before CONNACK"):
        session.take(mqtt5.PingRespPacket())


# Publishing


def test_a_publish_carries_payload_expiry_and_user_properties_with_qos_1() -> None:
    sent = packet(begun().publish("tenant/a", b"x", "token", 60, [("traceparent", "00-1")]))

    assert (sent.topic, sent.payload, sent.qos, sent.duplicate) == ("tenant/a", b"x", 1, False)
    assert (sent.message_expiry_interval, sent.user_properties) == (60, [("traceparent", "00-1")])


@pytest.mark.parametrize(("asked", "receive_max", "free"), [(500, 65535, 500), (500, 1, 1), (100_000, 65535, 65535)])
def test_the_window_is_the_least_of_own_and_receive_maximum(asked: int, receive_max: int, free: int) -> None:
    assert begun(mqtt5.ConnAckPacket(receive_max=receive_max), window=asked).free == free


def test_each_answer_frees_the_window_by_one() -> None:
    session = begun(window=2)
    first, _ = published(session, "a"), published(session, "b")
    assert session.free == 0

    assert session.take(mqtt5.PubAckPacket(first)) == Answered("a", 0)
    assert session.free == 1


def test_answers_out_of_order_find_their_tokens() -> None:
    session = begun()
    ids = {token: published(session, token) for token in "abc"}

    assert [session.take(mqtt5.PubAckPacket(ids[token])) for token in "cab"] == [Answered(t, 0) for t in "cab"]


def test_a_repeated_answer_and_one_to_nothing_say_nothing() -> None:
    session = begun()
    first = published(session, "a")
    session.take(mqtt5.PubAckPacket(first))
    second = published(session, "b")

    assert session.take(mqtt5.PubAckPacket(first)) is None
    assert session.take(mqtt5.PubAckPacket(999)) is None
    assert session.take(mqtt5.PubAckPacket(second)) == Answered("b", 0)


def test_the_reason_code_comes_through() -> None:
    session = begun()
    nobody = mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS

    assert session.take(mqtt5.PubAckPacket(published(session, "a"), reason_code=nobody)) == Answered("a", 16)


def test_a_publish_above_the_brokers_maximum_is_refused_and_leaves_nothing_behind() -> None:
    session = begun(mqtt5.ConnAckPacket(max_packet_size=100))

    with pytest.raises(PacketTooLarge) as refused:
        session.publish("t", bytes(200), "a", None, ())

    assert (refused.value.limit, session.free, session.end()) == (100, 500, [])
    assert len(session.publish("t", bytes(92), "b", None, ())) == 100


@pytest.mark.parametrize("topic", ["a/#", "+", "a\0b", "a\x85b", "\ufffe", "x" * 70_000, "\ud800", ""])
def test_a_topic_that_no_publish_can_have_is_refused_and_leaves_nothing_behind(topic: str) -> None:
    session = begun()

    with pytest.raises(ValueError):
        session.publish(topic, b"", "a", None, ())

    assert (session.free, session.end()) == (500, [])


def test_at_the_end_what_is_unanswered_comes_out_once_in_the_order_written() -> None:
    session = begun()
    ids = [published(session, token) for token in "abcd"]
    session.take(mqtt5.PubAckPacket(ids[1]))

    assert session.end() == ["a", "c", "d"]
    assert session.end() == []
    assert session.free == 0


# Subscribing


def test_a_subscription_asks_for_qos_1_and_gets_its_reason_codes() -> None:
    session = begun()

    identifier, question = session.subscribe(["a/+", "$share/g/b"])

    assert [(f.pattern, f.max_qos) for f in packet(question).topic_filters] == [("a/+", QOS_1), ("$share/g/b", QOS_1)]
    codes = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE, mqtt5.SubAckReasonCode.NOT_AUTHORIZED]
    assert session.take(mqtt5.SubAckPacket(identifier, codes)) == Settled(identifier, [1, 135])
    assert session.take(mqtt5.SubAckPacket(identifier, codes)) is None


def test_an_unsubscription_gets_its_reason_codes() -> None:
    session = begun()

    identifier, question = session.unsubscribe(["a"])

    assert packet(question).patterns == ["a"]
    answer = mqtt5.UnsubAckPacket(identifier, [mqtt5.UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED])
    assert session.take(answer) == Settled(identifier, [17])


def test_a_subscription_takes_one_of_the_65535_identifiers_and_gives_it_back() -> None:
    session = begun(window=65535)
    identifier, _ = session.subscribe(["a"])
    assert session.free == 65534
    for number in range(65534):
        published(session, str(number))

    with pytest.raises(NotReady):
        session.subscribe(["b"])
    session.take(mqtt5.SubAckPacket(identifier, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]))
    assert session.free == 1


def test_as_many_reason_codes_as_filters_or_it_is_a_protocol_error() -> None:
    session = begun()
    identifier, _ = session.subscribe(["a", "b"])

    with pytest.raises(ProtocolError, match="1 reason codes for 2"):
        session.take(mqtt5.SubAckPacket(identifier, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]))


@pytest.mark.parametrize("filters", [[], ["x" * 70_000]])
def test_filters_that_no_packet_can_carry_are_refused(filters: list[str]) -> None:
    session = begun(window=65535)

    with pytest.raises(ValueError):
        session.subscribe(filters)

    assert session.free == 65535


# Receiving


def test_a_message_comes_with_all_that_a_service_needs() -> None:
    repeated = mqtt5.PublishPacket(
        "tenant/a", b"x", qos=QOS_1, packet_id=9, duplicate=True, user_properties=[("a", "b")]
    )

    assert begun().take(repeated) == Received("tenant/a", b"x", 1, 9, True, 3, (("a", "b"),))


def test_acknowledgements_go_out_in_the_order_given() -> None:
    session = begun()
    messages = [received(session, number) for number in (5, 3, 8)]

    assert acknowledged(session.acknowledge(reversed(messages))) == [8, 3, 5]


def test_acknowledging_twice_never_acknowledges_the_next_message_with_that_identifier() -> None:
    session = begun()
    first = received(session, 5, b"first")
    session.acknowledge([first])
    second = received(session, 5, b"second")

    assert session.acknowledge([first]) == b""
    assert acknowledged(session.acknowledge([second])) == [5]


def test_a_message_of_an_older_connection_is_not_acknowledged_on_this_one() -> None:
    older = received(begun(), 5)
    session = begun()
    received(session, 5)

    assert session.acknowledge([older]) == b""


def test_a_message_with_qos_0_needs_no_acknowledgement() -> None:
    session = begun()
    message = session.take(mqtt5.PublishPacket("t", b"x"))

    assert isinstance(message, Received)
    assert (message.qos, message.packet_id) == (0, None)
    assert session.acknowledge([message]) == b""


@pytest.mark.parametrize(
    "unexpected",
    [
        mqtt5.PublishPacket("t", b"", qos=mqtt5.QoS.EXACTLY_ONCE, packet_id=1),
        mqtt5.PublishPacket("", b"", topic_alias=1),
        mqtt5.PublishPacket("t", b"", topic_alias=1),
        mqtt5.PublishPacket("t", b"", qos=QOS_1, packet_id=0),
        mqtt5.ConnAckPacket(),
        mqtt5.ConnectPacket("c"),
        mqtt5.PubRecPacket(1),
        mqtt5.PubRelPacket(1),
        mqtt5.PubCompPacket(1),
        mqtt5.PingReqPacket(),
        mqtt5.AuthPacket(),
        mqtt5.SubscribePacket(1, [mqtt5.TopicFilter("a")]),
        mqtt5.UnsubscribePacket(1, ["a"]),
    ],
    ids=repr,
)
def test_what_no_broker_may_send_us_is_a_protocol_error(unexpected: mqtt5.Packet) -> None:
    with pytest.raises(ProtocolError):
        begun().take(unexpected)


def test_a_brokers_disconnect_has_its_reason() -> None:
    with pytest.raises(BrokerDisconnected, match="142: SESSION_TAKEN_OVER") as gone:
        begun().take(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER))
    assert gone.value.reason_code == 142


def test_a_disconnect_can_end_the_brokers_session() -> None:
    assert packet(begun().disconnect(0)).session_expiry_interval == 0
    assert packet(begun().disconnect()).session_expiry_interval is None


# Any order of things


class AnyOrder(RuleBasedStateMachine):
    """Publishes, true, repeated and invented answers, subscriptions: each token has one fate, the window holds."""

    WINDOW = 5

    def __init__(self) -> None:
        super().__init__()
        self.session = begun(mqtt5.ConnAckPacket(receive_max=self.WINDOW))
        self.out: dict[int, str] = {}
        self.tokens = 0
        self.fates: list[str] = []

    @precondition(lambda self: self.session.free > 0)
    @rule()
    def publish(self) -> None:
        self.tokens += 1
        identifier = published(self.session, str(self.tokens))
        assert identifier not in self.out
        self.out[identifier] = str(self.tokens)

    @rule(identifier=st.integers(1, 40))
    def answer(self, identifier: int) -> None:
        event = self.session.take(mqtt5.PubAckPacket(identifier))
        if identifier not in self.out:
            assert event is None
            return
        assert event == Answered(self.out.pop(identifier), 0)
        self.fates.append(event.token)

    @rule()
    def subscribe(self) -> None:
        identifier, _ = self.session.subscribe(["a"])
        assert identifier not in self.out
        self.session.take(mqtt5.SubAckPacket(identifier, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]))

    @invariant()
    def the_window_holds(self) -> None:
        assert self.session.free == self.WINDOW - len(self.out) >= 0

    def teardown(self) -> None:
        self.fates += self.session.end()
        assert sorted(map(int, self.fates)) == list(range(1, self.tokens + 1))


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=40))
def test_each_message_is_acknowledged_at_most_once_and_only_when_asked(steps: list[tuple[int, bool]]) -> None:
    session = begun()
    latest: dict[int, Received] = {}
    for identifier, comes in steps:
        if comes:
            latest[identifier] = received(session, identifier)
        else:
            due = [latest.pop(identifier)] if identifier in latest else []
            assert acknowledged(session.acknowledge([*due, *due])) == [message.packet_id for message in due]
