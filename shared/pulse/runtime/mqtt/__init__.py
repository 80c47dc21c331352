"""The services' MQTT 5 session: written at once or not at all, answered or lost, acknowledged when the caller says so.

`client.py` keeps a connection alive; `connection.py` is one of them on a socket; `session.py` is its protocol state,
without a socket; `packets.py` cuts the stream into packets; `port.py` is what a service gives and gets.
"""

from pulse.runtime.mqtt.client import MqttClient
from pulse.runtime.mqtt.errors import (
    BrokerDisconnected,
    ConnectionLost,
    ConnectRefused,
    MqttError,
    NotReady,
    PacketTooLarge,
    ProtocolError,
    SubscribeRefused,
)
from pulse.runtime.mqtt.port import Handler, MqttOptions, Received

__all__ = [
    "BrokerDisconnected",
    "ConnectRefused",
    "ConnectionLost",
    "Handler",
    "MqttClient",
    "MqttError",
    "MqttOptions",
    "NotReady",
    "PacketTooLarge",
    "ProtocolError",
    "Received",
    "SubscribeRefused",
]
