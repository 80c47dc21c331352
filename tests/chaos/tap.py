"""What a dispatcher writes to its broker's socket, read on its way: each command, and since when it may be there."""

from collections.abc import Callable

import mqtt5

from pulse.runtime.mqtt.packets import PacketReader
from tests.chaos.history import Written
from tests.chaos.proxy import Tap


def commands(by: str, note: Callable[[Written], None]) -> Callable[[], Tap]:
    """Makes what sees one connection of dispatcher `by`."""

    def begin() -> Tap:
        reader = PacketReader()

        def see(data: bytes, earliest: float, at: float) -> None:
            for packet in reader.feed(data):
                if isinstance(packet, mqtt5.PublishPacket):
                    note(_written(by, packet, earliest, at))

        return see

    return begin


def _written(by: str, packet: mqtt5.PublishPacket, earliest: float, at: float) -> Written:
    _, tenant, _, device, _ = packet.topic.split("/")
    text = (packet.payload or b"").decode(errors="replace")
    return Written(at=at, by=by, earliest=earliest, tenant=tenant, device=device, payload=text)
