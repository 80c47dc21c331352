"""A stream of bytes goes in, in whatever pieces; whole MQTT packets come out."""

from collections.abc import Iterator

import mqtt5

from pulse.runtime.mqtt.errors import ProtocolError


class PacketReader:
    """Keeps the beginning of a packet until its rest has come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[mqtt5.Packet]:
        """The packets that are complete with `data`, to be taken to the end before the next call.

        Raises ProtocolError at the first malformed one, after all that came before it.
        """
        self._buffer += data
        position = 0
        with memoryview(self._buffer) as view:
            while position < len(view):
                try:
                    packet, length = _read(view[position:])
                except IndexError:  # the codec's way to say that the packet is not complete yet
                    break
                yield packet
                position += length
        del self._buffer[:position]


def _read(view: memoryview) -> tuple[mqtt5.Packet, int]:
    try:
        return mqtt5.read(view)
    except ValueError as error:
        raise ProtocolError(f"malformed packet: {error}") from error
    except BaseException as error:  # the codec panics, outside Exception, on text that is not UTF-8
        if type(error).__module__ == "pyo3_runtime":
            raise ProtocolError("malformed packet: text that is not UTF-8") from None
        raise
