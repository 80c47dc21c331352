"""One engine, one set of images, one stack for all checks of a run."""

from collections.abc import Iterator

import pytest

from tests.containers import engine, official
from tests.containers.engine import say
from tests.containers.figures import Figures
from tests.containers.stack import (
    BUILD_SECONDS,
    Stack,
    cleaned_up,
    copy_checkout,
    environment_of,
    only_one,
    refuse_to_share,
)

OURS = "pulse-ota/"
BASES = ("python:3.13-slim", "node:24-slim", "caddy:2")


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    """What was measured on the way; printed at the end."""
    taken = Figures()
    yield taken
    print(taken.table())


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Iterator[Stack]:
    """A copy of the checkout with secrets and built images; nothing runs yet."""
    folder = tmp_path_factory.mktemp("containers")
    with engine.running(folder):
        stack = Stack(copy_checkout(folder / "checkout"), engine.with_compose(folder))
        stack.run("./secrets.sh")
        listed = stack.compose("-f", "compose.yaml", "config", "--images").split()
        missing = official.provide([*BASES, *(image for image in listed if not image.startswith(OURS))])
        left_out = {service for service in ("grafana",) if any(service in image for image in missing)}
        assert len(left_out) == len(missing), f"these images cannot be had: {', '.join(missing)}"
        stack = Stack(stack.deploy, environment_of(stack.environment, stack.deploy, left_out))
        build(stack, figures)
        yield stack


def build(stack: Stack, figures: Figures) -> None:
    """Every image of ours, from its Dockerfile."""
    for image in ours(stack):
        say(f"building {image}")
        with figures.timed(f"build {image}"):
            stack.compose("build", image, seconds=BUILD_SECONDS)


def ours(stack: Stack) -> list[str]:
    """The services of the Compose file that are built here."""
    listed = stack.compose("config", "--images").split()
    return sorted(image.removeprefix(OURS).partition(":")[0] for image in listed if image.startswith(OURS))


@pytest.fixture(scope="session")
def stack(images: Stack, figures: Figures) -> Iterator[Stack]:
    """Everything up, one replica of each service."""
    refuse_to_share(images)
    with only_one(), cleaned_up(images) as made:
        say("bringing the stack up")
        figures.note("up --wait, from nothing", made.up(), "s")
        yield made
