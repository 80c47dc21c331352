"""What can go wrong in an MQTT session; whether the connection survives is a fact of the class."""


class MqttError(Exception):
    """Any failure of the session. Only ConnectionLost and its kinds mean that the connection is gone."""


class NotReady(MqttError):
    """A publish when `free` is 0: nothing was written."""


class PacketTooLarge(MqttError):
    """A packet above the broker's Maximum Packet Size: nothing was written, and no repetition would help."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the packet has {size} bytes, the broker takes {limit}")
        self.size = size
        self.limit = limit


class SubscribeRefused(MqttError):
    """The broker refused a topic filter, or granted it below QoS 1 (`reason_code` 0)."""

    def __init__(self, topic_filter: str, reason_code: int) -> None:
        super().__init__(f"the broker refused {topic_filter!r} with reason {reason_code}")
        self.topic_filter = topic_filter
        self.reason_code = reason_code


class ConnectionLost(MqttError):
    """There is no connection, or it has gone; the client makes a new one by itself."""


class ConnectRefused(ConnectionLost):
    """The broker answered CONNECT with a refusal."""

    def __init__(self, reason_code: int, reason: str) -> None:
        super().__init__(f"the broker refused the connection with reason {reason_code}: {reason}")
        self.reason_code = reason_code


class BrokerDisconnected(ConnectionLost):
    """The broker ended the connection and said why."""

    def __init__(self, reason_code: int, reason: str) -> None:
        super().__init__(f"the broker disconnected with reason {reason_code}: {reason}")
        self.reason_code = reason_code


class ProtocolError(ConnectionLost):
    """The broker sent what MQTT 5 or this session's terms do not allow; the connection is closed."""
