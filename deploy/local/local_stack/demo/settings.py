"""What a demo can be told, from the environment."""

from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_stack.errors import StackError

Share = Annotated[float, Field(ge=0, le=1)]


class DemoSettings(BaseSettings):
    """`rate` in devices per minute; `fail` share of devices whose update fails at every attempt, `flaky` whose first
    fails; `offline` share of the time without connection. With `keep` the stack stays up until Ctrl-C."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    devices: Annotated[int, Field(ge=1, le=5_000)] = 500
    rate: Annotated[int, Field(ge=1, le=600_000)] = 1_200
    fail: Share = 0.03
    flaky: Share = 0.03
    offline: Annotated[float, Field(ge=0, le=0.9)] = 0.03
    seed: int = 7
    keep: bool = False
    tenant: str = "demo"

    @property
    def patience_seconds(self) -> float:
        """After so long a campaign that has not ended is given up."""
        return 180 + 3 * 60 * self.devices / self.rate


def load() -> DemoSettings:
    """Raises StackError with one line that names what is wrong."""
    try:
        return DemoSettings()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise StackError(f"settings: {wrong}") from error
