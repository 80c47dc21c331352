"""The official images: pulled where that is possible, and made from packages, under the same names, where it is not."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local_stack.packages import install
from tests.containers.engine import say

RECIPES = Path(__file__).parent / "standins" / "standins.sh"
PULL_SECONDS = 300
NEEDS = {"mmdebstrap": "mmdebstrap", "mvn": "maven"}


def provide(images: Iterable[str]) -> set[str]:
    """Has every image on this machine that can be had; those that cannot are returned."""
    missing = [image for image in images if not _is_pulled(image)]
    with ThreadPoolExecutor(4) as at_once:
        pulled = list(at_once.map(_pull, missing))
    made = [image for image, done in zip(missing, pulled, strict=True) if not done]
    if not made:
        return set()
    say(f"cannot be pulled, so made from packages (some minutes the first time): {', '.join(made)}")
    for program, package in NEEDS.items():
        if shutil.which(program) is None:
            asyncio.run(install(package, f"`{program}`, for images that cannot be pulled,", say))
    output = subprocess.run([RECIPES, *made], check=True, capture_output=True, text=True).stdout
    _, _, without_recipe = output.partition("no recipe: ")
    return set(without_recipe.split())


def _is_pulled(image: str) -> bool:
    label = ["docker", "image", "inspect", "-f", '{{index .Config.Labels "standin"}}', image]
    found = subprocess.run(label, capture_output=True, text=True, check=False)
    return found.returncode == 0 and found.stdout.strip() != "yes"


def _pull(image: str) -> bool:
    try:
        pull = ["docker", "pull", "-q", image]
        return subprocess.run(pull, capture_output=True, timeout=PULL_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
