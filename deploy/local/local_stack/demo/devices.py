"""The simulated fleet of a demo, a process of its own."""

import re
import sys
from pathlib import Path

from local_stack.child import Part
from local_stack.demo.settings import DemoSettings
from local_stack.files import tail

ENOUGH = 0.8
"""Share of the devices that must be connected before the campaign starts; some are offline on purpose."""
_CONNECTED = re.compile(r"^(\d+) of \d+ devices connected", re.MULTILINE)


def fleet(settings: DemoSettings, devices: Path, host: str, port: str, log: Path) -> Part:
    """The fleet as a part: ready when enough devices are connected."""
    options: dict[str, object] = {
        "--devices": devices,
        "--mqtt-host": host,
        "--mqtt-port": port,
        "--fail": settings.fail,
        "--flaky": min(settings.flaky, 1 - settings.fail),
        "--offline": settings.offline,
        "--offline-seconds": "2..6",
        "--failures": settings.failures,
        "--download-seconds": "0.5..2",
        "--install-seconds": settings.install_seconds,
        "--seed": settings.seed,
    }
    if settings.fail_seconds:
        options["--fail-seconds"] = settings.fail_seconds
    arguments = [str(word) for option in options.items() for word in option]
    enough = int(ENOUGH * (1 - settings.offline) * settings.devices)

    async def ready() -> bool:
        return connected(tail(log)) >= enough

    return Part("fleetsim", (sys.executable, "-m", "fleetsim", "run", *arguments), ready)


def connected(output: str) -> int:
    """How many devices the fleet's last line says are connected."""
    numbers = _CONNECTED.findall(output)
    return int(numbers[-1]) if numbers else 0
