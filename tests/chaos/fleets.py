"""The devices of a run: one fleetsim process, which writes down what they receive, do and say."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from fleetsim.recorder import read_line
from local_stack import child
from local_stack.child import Part
from tests.chaos.history import Device
from tests.chaos.parts import Stack

NATURE = {
    "--fail": "0.02",
    "--flaky": "0.02",
    "--duplicates": "0.02",
    "--late": "0.02",
    "--late-seconds": "1..5",
    "--offline": "0.04",
    "--offline-seconds": "2..8",
    "--download-seconds": "0.5..3",
    "--install-seconds": "0.5..2",
}
FAILURES = "install=4,download=3,rollback,silence"
CONNECTIONS = 8


@asynccontextmanager
async def running(
    stack: Stack, devices: Iterable[tuple[str, str]], seed: int, failures: str = FAILURES
) -> AsyncIterator[Path]:
    """Devices (tenant and name) are there while the block runs; gives the file of their history."""
    listing, history = stack.folder / "fleet.jsonl", stack.folder / "devices.jsonl"
    known = [{"tenant_id": t, "device_id": d, "device_type": "gw2", "version": "1"} for t, d in devices]
    listing.write_bytes(b"".join(msgspec.json.encode(device) + b"\n" for device in known))
    options = {
        "--devices": str(listing),
        "--history": str(history),
        "--mqtt-port": str(stack.fleet.port),
        "--user": "admin",
        "--password-file": str(stack.base.mosquitto.password_file("admin")),
        "--connections": str(CONNECTIONS),
        "--seed": str(seed),
        "--failures": failures,
        **NATURE,
    }
    words = [word for pair in options.items() for word in pair]
    command = (sys.executable, "-m", "fleetsim", "run", *words)
    process = await child.start(
        Part("fleet", command, _at_once, stop_signal=signal.SIGTERM), stack.folder / "logs" / "fleet.log"
    )
    try:
        yield history
    finally:
        await process.stop()


async def _at_once() -> bool:
    """Devices come when they come."""
    await asyncio.sleep(0)
    return True


def story(file: Path) -> Iterator[Device]:
    """What the devices did. The last line may be torn."""
    with file.open("rb") as lines:
        for text in lines:
            try:
                line = read_line(text)
            except msgspec.DecodeError:
                continue
            yield Device(
                at=line.monotonic,
                tenant=line.tenant_id,
                device=line.device_id,
                did=line.what,
                payload=line.payload or "",
                reason_code=line.reason_code or 0,
            )
