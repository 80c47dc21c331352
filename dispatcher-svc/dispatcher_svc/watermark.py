"""How far a partition's offset may be committed: up to the last request below which all are settled. Pure."""

from collections import OrderedDict


class Watermark:
    """Offsets are read in rising order and settled in any."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, None] = OrderedDict()
        self._next: int | None = None

    def begin(self, offset: int) -> None:
        """Where reading starts; without effect once it has."""
        if self._next is None:
            self._next = offset

    def read(self, offset: int) -> None:
        self._open[offset] = None
        self._next = offset + 1

    def settle(self, offset: int) -> None:
        """Raises KeyError for an offset that is not open: each is settled exactly once."""
        del self._open[offset]

    @property
    def unsettled(self) -> int:
        return len(self._open)

    @property
    def position(self) -> int | None:
        """The offset to commit: the first that must be read again after a crash. None before reading has begun."""
        return next(iter(self._open), self._next)
