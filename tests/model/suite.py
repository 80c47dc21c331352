"""Cases: a model, and what exploring it must find broken."""

from dataclasses import dataclass

from tests.model.explore import STUCK, Found, Model, explore


@dataclass(frozen=True, slots=True)
class Case:
    """`breaks`: one property that must be found broken; None: nothing may be."""

    name: str
    model: Model
    breaks: str | None = None

    def explored(self) -> Found:
        """Everything, where nothing may break or nothing may be stuck; else up to the first breach of what must."""
        return explore(self.model, until=None if self.breaks in {None, STUCK} else self.breaks)

    def is_as_expected(self, found: Found) -> bool:
        if self.breaks is None:
            return found.complete and not found.broken
        return self.breaks in found.broken
