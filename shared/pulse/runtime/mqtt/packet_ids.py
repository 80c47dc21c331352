"""The packet identifiers of one connection: each in one use at a time, and rested as long as possible in between."""

from collections import deque

from pulse.runtime.mqtt.errors import NotReady

MOST = 65535


class PacketIds:
    """Fresh ones first, then those given back, longest ago first: so a stray late answer finds nobody to harm."""

    def __init__(self) -> None:
        self._fresh = 1
        self._returned: deque[int] = deque()

    def take(self) -> int:
        """An identifier that is not in use, 1–65,535. Raises NotReady when all are."""
        if self._fresh <= MOST:
            self._fresh += 1
            return self._fresh - 1
        if not self._returned:
            raise NotReady("all packet identifiers are in use")
        return self._returned.popleft()

    def give_back(self, packet_id: int) -> None:
        """Its use has ended."""
        self._returned.append(packet_id)
