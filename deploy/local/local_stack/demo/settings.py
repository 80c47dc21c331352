"""What a demo can be told, from the environment."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from local_stack.errors import StackError

IMPATIENT = {"RETRY_BACKOFF_SECONDS": "2", "OFFLINE_BACKOFF_SECONDS": "2"}
"""What the stack of a demo is told: a demo cannot wait a minute for the first retry."""
Share = Annotated[float, Field(ge=0, le=1)]
Span = Annotated[str, Field(pattern=r"^[0-9.]+(\.\.[0-9.]+)?$")]
"""Seconds, or from a least to a most, as the simulated devices' command line takes it."""


def _two_numbers(text: Any) -> Any:
    return text.split(",") if isinstance(text, str) else text


Ramp = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[float, Field(ge=0, le=10)]], NoDecode, BeforeValidator(_two_numbers)
]
"""`10,0.5`: 10 devices in flight, and one more for every two that have succeeded."""


class DemoSettings(BaseSettings):
    """`rate` in devices per minute; `fail` share of devices whose update fails at every attempt, `flaky` whose first
    fails; `offline` share of the time without connection. `install_seconds` and `fail_seconds` (None: as long as the
    others) how long devices take, `failures` what goes wrong, as `python -m fleetsim run --help` explains. `soak` in
    seconds, of the stages of a `canary`. With `keep` the stack stays up until Ctrl-C.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    devices: Annotated[int, Field(ge=1, le=5_000)] = 500
    rate: Annotated[int, Field(ge=1, le=600_000)] = 1_200
    fail: Share = 0.03
    flaky: Share = 0.03
    failures: str = "download,checksum,install,silence"
    offline: Annotated[float, Field(ge=0, le=0.9)] = 0.03
    install_seconds: Span = "0.5..2"
    fail_seconds: Span | None = None
    strategy: Literal["linear", "canary"] = "linear"
    soak: Annotated[int, Field(ge=0, le=3_600)] = 8
    ramp: Ramp | None = None
    seed: int = 7
    keep: bool = False
    tenant: str = "demo"

    @property
    def patience_seconds(self) -> float:
        """After so long a campaign that has not ended is given up."""
        return 180 + 2 * self.soak + 3 * 60 * self.devices / self.rate


def load() -> DemoSettings:
    """Raises StackError with one line that names what is wrong."""
    try:
        return DemoSettings()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise StackError(f"settings: {wrong}") from error
