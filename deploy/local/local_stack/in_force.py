"""What a running stack runs with, and which of the settings that are given now differ from it."""

import os
import re
from collections.abc import Iterator, Mapping
from importlib import import_module

from local_stack.services import SERVICES, Foundations
from local_stack.settings import StackSettings
from pulse.runtime.settings import ServiceSettings

_TRACING = "OTEL_"
_SECRET = re.compile("PASSWORD|SECRET|TOKEN|HEADERS|DSN")
HOW = "`make down`, then `make up` with these settings, applies them; the data stays"


def of(settings: StackSettings, base: Foundations) -> dict[str, str]:
    """By variable, for the stack's own process: its settings, and what of its environment the services read."""
    names = {*passed_on(base), *(name for name in os.environ if name.startswith(_TRACING))}
    return {name: os.environ.get(name, "") for name in names} | settings.in_force()


def passed_on(base: Foundations) -> set[str]:
    """The variables that the set-up job and the services read, without those that the stack itself gives them."""
    environments = (base.for_setup(), *(service.environment(base) for service in SERVICES))
    own = {name.removesuffix("_FILE") for environment in environments for name in environment}
    fields = {field.upper() for settings in _settings_classes() for field in settings.model_fields}
    names = {name for name in fields if name.removesuffix("_FILE") not in own | {"HTTP_HOST", "HTTP_PORT"}}
    return names | {f"{name}_FILE" for name in names}


def _settings_classes() -> Iterator[type[ServiceSettings]]:
    for package in ("pulse_setup", *(service.module for service in SERVICES)):
        module = import_module(f"{package}.settings")
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, ServiceSettings) and found.__module__ == module.__name__:
                yield found


def differences(settings: StackSettings, environment: Mapping[str, str], running: Mapping[str, str]) -> list[str]:
    """A line for each setting that is given now, and is another in the stack that runs with `running`."""
    mine = settings.in_force()
    stack = {name.upper(): mine[name.upper()] for name in settings.model_fields_set if name.upper() in mine}
    services = {
        name: value
        for name, value in environment.items()
        if value and name not in mine and (name in running or name.startswith(_TRACING))
    }
    return [
        _line(name, value, running.get(name, ""))
        for name, value in sorted({**services, **stack}.items())
        if running.get(name, "") != value
    ]


def _line(name: str, given: str, runs_with: str) -> str:
    if _SECRET.search(name):
        return f"{name} is another one in the stack that runs"
    return f"{name}={given} is not in force: the stack runs " + (f"with {runs_with}" if runs_with else "without it")
