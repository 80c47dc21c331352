"""The demo itself, on a stack that is up."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local_stack import child, control, tokens
from local_stack.api import connected
from local_stack.demo.devices import fleet
from local_stack.demo.scenario import Scenario, make_accounts, put_firmware, register
from local_stack.demo.settings import DemoSettings
from local_stack.errors import StackError
from local_stack.packages import Say
from local_stack.watch.follow import follow, until
from local_stack.watch.reading import Reading
from local_stack.watch.show import show
from local_stack.watch.view import summary

LOOK_SECONDS = 1.0


async def run(run_dir: Path, addresses: Mapping[str, str], wishes: DemoSettings, console: Console, say: Say) -> bool:
    """From a firmware file to a finished campaign; whether it ended as it was meant to. Raises StackError."""
    scenario, gateway_url = Scenario.of_now(wishes), addresses["GATEWAY_URL"]
    token = tokens.make(Path(addresses["AUTH_KEY_FILE"]), wishes.tenant, "operator", "demo")
    firmware = put_firmware(scenario, Path(addresses["FILES_DIR"]), gateway_url)
    say(f"firmware {firmware['version']}: {firmware['file_url']}, SHA-256 {firmware['checksum_sha256'][:16]}…")
    async with connected(gateway_url, token) as api:
        campaign_id = await register(scenario, api, firmware)
        say(f"registered over REST: the firmware, {wishes.devices} devices, group {scenario.group_id}, the campaign")
        async with _living(scenario, run_dir, addresses):
            say(f"the simulated devices are connected; starting campaign {campaign_id}")
            say(f"watch it in the web console: {gateway_url}/app/ota/campaigns/{campaign_id} (tenant {wishes.tenant})")
            await api.start(campaign_id)
            watching = until(is_over, follow(api, campaign_id), wishes.patience_seconds)
            last = await show(watching, console)
            console.print(summary(last))
            if wishes.keep:
                console.print(_places(addresses, wishes.tenant, campaign_id, run_dir))
                say("the stack and the devices stay up (KEEP=1); Ctrl-C or `make down` ends them")
                await _until_told_to_stop(run_dir)
            else:
                say("to look around afterwards: make demo KEEP=1")
    return ended_as_meant(last.reading)


def is_over(reading: Reading) -> bool:
    """Nothing more will happen without a person."""
    return reading.is_settled or reading.is_stopped_at_a_gate


def ended_as_meant(reading: Reading) -> bool:
    """Completed, or stopped by its own rule or gate."""
    stopped = reading.status == "ABORTED" and reading.reason_code.startswith("abort_")
    return is_over(reading) and (reading.status == "COMPLETED" or stopped or reading.is_stopped_at_a_gate)


@asynccontextmanager
async def _living(scenario: Scenario, run_dir: Path, addresses: Mapping[str, str]) -> AsyncIterator[None]:
    """The fleet's process, from the first connection to the end of the block."""
    devices, log = make_accounts(scenario, run_dir), run_dir / "logs" / "fleetsim.log"
    part = fleet(scenario.settings, devices, addresses["MQTT_HOST"], addresses["MQTT_PORT"], log)
    process = await child.start(part, log)
    try:
        await process.until_ready()
        yield
    finally:
        await process.stop()


async def _until_told_to_stop(run_dir: Path) -> None:
    """By a signal, or since somebody has taken the stack down."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set() and await stands(run_dir):
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await stop.wait()


async def stands(run_dir: Path) -> bool:
    """Whether the stack is up, and nobody is taking it down."""
    try:
        answer = await control.ask(run_dir, {"do": "status"}, timeout=5)
    except StackError:
        return False
    return not answer["stopping"]


def _places(addresses: Mapping[str, str], tenant: str, campaign_id: int, run_dir: Path) -> Table:
    """Where to look next."""
    gateway_url = addresses["GATEWAY_URL"]
    table = Table(title="where to look", show_header=False)
    table.add_row("web console", f"{gateway_url}/app/ota/campaigns/{campaign_id} (tenant {tenant})")
    table.add_row("API", f"{gateway_url}/customer/ota/campaigns/{campaign_id}")
    for name, value in addresses.items():
        if name.endswith("_METRICS_URL"):
            table.add_row(name.removesuffix("_METRICS_URL").lower().replace("_", "-"), value)
    table.add_row("logs", str(run_dir / "logs"))
    return table
