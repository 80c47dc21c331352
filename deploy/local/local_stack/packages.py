"""Programs that no wheel carries come from the system's package manager, when we may use it."""

import os
import shutil
from collections.abc import Callable

from local_stack.child import run
from local_stack.errors import CommandFailed, StackError
from local_stack.layout import cache_dir

Say = Callable[[str], None]
"""Tells the person at the terminal what is being prepared."""


async def install(package: str, what: str, say: Say) -> None:
    """Installs a Debian package as root. Raises StackError with the command to type where that is not possible."""
    by_hand = f"{what} is missing; install it, on Debian or Ubuntu with `sudo apt-get install -y {package}`"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise StackError(by_hand)
    say(f"installing {package} with apt-get")
    cache_dir().mkdir(parents=True, exist_ok=True)
    apt_get = ("flock", str(cache_dir() / "apt-get.lock"), "apt-get", "-qq")  # of two at once, one gives up
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        await run(*apt_get, "update", timeout=300, env=quiet)
        await run(*apt_get, "install", "-y", "--no-install-recommends", package, timeout=600, env=quiet)
    except CommandFailed as error:
        raise StackError(f"{by_hand}\n{error}") from error
