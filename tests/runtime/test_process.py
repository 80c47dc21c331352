"""How a service process starts, refuses to start, and ends; run for real."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

SERVICE = """
import asyncio
from pulse.runtime.process import pause, run
from pulse.runtime.settings import Port, ServiceSettings

class Settings(ServiceSettings):
    kafka_bootstrap: str
    secret: str = "none"
    other_port: Port = 1

async def main(settings, stop):
    print(f"secret is {settings.secret}", flush=True)
    if settings.secret == "bad":
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
    while not await pause(stop, 5):
        pass

async def fails():
    raise RuntimeError("broken inside")

run("test-svc", Settings, main)
"""


async def start(tmp_path: Path, **environment: str) -> asyncio.subprocess.Process:
    path = tmp_path / "service.py"
    path.write_text(SERVICE, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA", "SECRET"))}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(path),
        env=clean | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def outcome(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(15):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_missing_and_a_wrong_setting_are_named_in_one_line(tmp_path: Path) -> None:
    code, _, err = await outcome(await start(tmp_path, OTHER_PORT="70000"))
    assert code == 2
    [line] = err.strip().splitlines()
    assert line.startswith("test-svc: settings: ")
    assert "KAFKA_BOOTSTRAP" in line
    assert "OTHER_PORT" in line


async def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n", encoding="utf-8")
    process = await start(tmp_path, KAFKA_BOOTSTRAP="x", SECRET_FILE=str(tmp_path / "secret"))
    assert process.stdout is not None
    async with asyncio.timeout(15):
        while b"secret is" not in (line := await process.stdout.readline()):
            assert line, (await process.communicate())[1].decode()
    assert line == b"secret is from a file\n"
    process.terminate()
    assert (await outcome(process))[0] == 0


async def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    code, _, err = await outcome(await start(tmp_path, KAFKA_BOOTSTRAP="x", SECRET_FILE="/nowhere/secret"))
    assert code == 2
    assert "SECRET_FILE: /nowhere/secret" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_cleanly_and_logs_are_json(tmp_path: Path, number: signal.Signals) -> None:
    process = await start(tmp_path, KAFKA_BOOTSTRAP="x")
    assert process.stdout is not None
    async with asyncio.timeout(15):
        while b"secret is" not in await process.stdout.readline():
            continue
    process.send_signal(number)
    code, out, _ = await outcome(process)
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [event["event"] for event in events] == ["stopping", "stopped"]
    assert all(event["service"] == "test-svc" for event in events)


async def test_a_failure_inside_ends_the_process_with_its_trace(tmp_path: Path) -> None:
    code, out, _ = await outcome(await start(tmp_path, KAFKA_BOOTSTRAP="x", SECRET="bad"))
    assert code == 1
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["level"]) == ("failed", "error")
    assert "RuntimeError: broken inside" in last["exception"]
