"""Many devices at once: registered over REST, with accounts at the broker, in a file that simulated fleets read."""

import asyncio
import json
import re
import secrets
from pathlib import Path

from local_stack import broker_accounts, stack_env, tokens
from local_stack.api import connected
from local_stack.errors import StackError
from local_stack.files import write_atomically
from pulse.contracts.mqtt import user_name

MOST = 100_000
_RANGE = re.compile(r"^(?P<before>[^\[\]]*)\[(?P<first>\d+)-(?P<last>\d+)\](?P<after>[^\[\]]*)$")


def names(wanted: str) -> list[str]:
    """The ids in a file, one a line, or those of a pattern: `d[01-20]` is d01 to d20. Raises StackError."""
    file, pattern = Path(wanted), _RANGE.match(wanted)
    if file.is_file():
        found = [line.strip() for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    elif pattern:
        first, last, width = int(pattern["first"]), int(pattern["last"]), len(pattern["first"])
        found = [
            f"{pattern['before']}{n:0{width}}{pattern['after']}" for n in range(first, min(last, first + MOST) + 1)
        ]
    else:
        raise StackError(f"{wanted} is neither a file of device ids nor a pattern such as d[001-500]")
    if not 1 <= len(found) <= MOST:
        raise StackError(f"{wanted} names {len(found):,} devices; 1 to {MOST:,} can be made at once")
    return list(dict.fromkeys(found))


def make(run_dir: Path, tenant: str, device_ids: list[str], device_type: str) -> Path:
    """Registers the devices, those that are there already too, and gives each a new password; the file with them.

    Raises StackError.
    """
    passwords = {user_name(tenant, device): secrets.token_urlsafe(12) for device in device_ids}
    for user in passwords:
        broker_accounts.must_fit(user)
    stack = stack_env.read(run_dir)
    token = tokens.make(Path(stack["AUTH_KEY_FILE"]), tenant, "operator")
    asyncio.run(_register(stack["GATEWAY_URL"], token, device_ids, device_type))
    broker_accounts.add(run_dir, passwords)
    same = {"tenant_id": tenant, "device_type": device_type}
    lines = [
        json.dumps({**same, "device_id": device, "password": password})
        for device, password in zip(device_ids, passwords.values(), strict=True)
    ]
    file = run_dir / "devices" / f"{tenant}-{device_type}.jsonl"
    write_atomically(file, "\n".join(lines) + "\n")
    return file


async def _register(url: str, token: str, device_ids: list[str], device_type: str) -> None:
    async with connected(url, token, timeout=60) as api:
        await api.register_devices([{"device_id": device, "device_type": device_type} for device in device_ids])
