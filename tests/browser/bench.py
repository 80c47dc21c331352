"""`make bench-console`: a stack of its own with a campaign of a million devices, its page measured in a browser."""

import asyncio
import os
from pathlib import Path
from shutil import rmtree, which
from tempfile import mkdtemp

from local_stack import commands, console, stack_env
from local_stack.child import run
from local_stack.layout import ROOT
from tests.browser import million
from tests.e2e.stack import free_settings


def say(line: str) -> None:
    print(f"· {line}", flush=True)


async def measure(gateway_url: str, campaign: int) -> str:
    """What the browser found. Raises CommandFailed when the page is too slow, or cannot be measured."""
    node, chromium = await console.find_node(), which("chromium")
    assert node is not None, "the console's Node.js is missing"
    assert chromium is not None, "this needs Chromium (Debian: apt-get install chromium)"
    await console.install(node, say)
    known = {
        "BENCH": "1",
        "CONSOLE_URL": gateway_url,
        "CHROMIUM": chromium,
        "CAMPAIGN": str(campaign),
        "TENANT": million.TENANT,
        "OUTPUT_DIR": str(ROOT / ".run" / "playwright" / "bench"),
        "PATH": f"{node.folder}{os.pathsep}{os.environ['PATH']}",
    }
    playwright = console.FRONTEND / "node_modules" / ".bin" / "playwright"
    config = console.FRONTEND / "playwright.config.ts"
    return await run(str(playwright), "test", "--config", str(config), timeout=600, env=known)


def main() -> None:
    """Devices: a million, or as many as the environment's DEVICES says."""
    folder = Path(mkdtemp(prefix="pulse-bench-"))
    folder.chmod(0o711)
    settings = free_settings(folder, n=1)
    try:
        commands.up(settings, say)
        stack = stack_env.read(folder)
        campaign = asyncio.run(million.arrange(stack, int(os.environ.get("DEVICES", "1000000")), say))
        print(asyncio.run(measure(stack["GATEWAY_URL"], campaign)))
    finally:
        commands.down(settings)
        rmtree(folder)


if __name__ == "__main__":
    main()
