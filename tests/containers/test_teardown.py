"""The end of a run with containers, with a program in the place of `docker` that says what the engine said."""

import os
from pathlib import Path

import pytest

from tests.containers.stack import PROJECT, Stack, take_down

DOCKER = """#!/bin/sh
# Answers as the engine does; `leaving` holds a line for each look at which somebody is still attached.
cd "$(dirname "$0")"
case "$*" in
    *" down "*)
        echo down >> calls
        if [ -s leaving ] || [ -e broken ]; then
            cat broken 2> /dev/null || echo "network PROJECT_front has active endpoints (name:fleetsim-1)"
            exit 1
        fi >&2 ;;
    "network ls "*) echo 1f2e3d ;;
    "network inspect "*)
        echo look >> calls
        head -n 1 leaving
        [ -e stays ] || sed -i 1d leaving ;;
esac
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.replace("PROJECT", PROJECT))
    docker.chmod(0o755)
    (tmp_path / "leaving").touch()
    return Stack(tmp_path, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})


def calls(stack: Stack) -> list[str]:
    return (stack.deploy / "calls").read_text().split()


def test_a_stack_that_nobody_holds_goes_at_once(stack: Stack) -> None:
    take_down(stack)
    assert calls(stack) == ["down"]


def test_who_is_still_attached_is_waited_for_and_the_stack_then_goes(stack: Stack) -> None:
    (stack.deploy / "leaving").write_text("fleetsim-1\nfleetsim-1\n")
    take_down(stack, pause=0.01)
    assert calls(stack) == ["down", "look", "look", "look", "down"]


def test_somebody_who_stays_fails_the_run_in_the_end(stack: Stack) -> None:
    (stack.deploy / "leaving").write_text("fleetsim-1\n")
    (stack.deploy / "stays").touch()
    with pytest.raises(AssertionError, match=f"not within .*nobody is attached to the networks of {PROJECT}"):
        take_down(stack, seconds=0.5, pause=0.01)


def test_another_failure_is_not_tried_again(stack: Stack) -> None:
    (stack.deploy / "broken").write_text("no space left on device")
    with pytest.raises(AssertionError, match="no space left on device"):
        take_down(stack, pause=0.01)
    assert calls(stack) == ["down"]
