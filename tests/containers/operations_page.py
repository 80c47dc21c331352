"""The commands of docs/operations.md, typed as they stand there."""

import re
import subprocess

from local_stack.layout import ROOT
from tests.containers.engine import say
from tests.containers.stack import Stack

PAGE = ROOT / "docs" / "operations.md"
SECONDS = 400


def shell_blocks(heading: str) -> list[str]:
    """The shell lines between a heading of the page and the next one, block by block."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split(f"\n### {heading}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def typed(stack: Stack, heading: str, step: int = 1) -> None:
    """Runs a heading's block, the first unless `step` says otherwise. Fails with its last words when it fails."""
    say(f"typing {heading!r} of {PAGE.name}, block {step}")
    command = ["bash", "-euo", "pipefail", "-c", shell_blocks(heading)[step - 1]]
    done = subprocess.run(
        command, cwd=stack.deploy, env=stack.environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
