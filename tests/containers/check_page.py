"""docs/containers.md, typed: every shell line of the page runs as it stands there, only the port is this stack's."""

import json
import re
import subprocess

import pytest

from local_stack.layout import ROOT
from tests.containers.engine import say
from tests.containers.stack import Stack, until

PAGE = ROOT / "docs" / "containers.md"
SECONDS = 300


SCHEMA = """SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
 UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"""


def schema(stack: Stack) -> str:
    """Functions and indexes as the database has them now."""
    command = ["docker", "exec", "iot-postgres", "psql", "-U", "iot", "-d", "iotcloud", "-At", "-c", SCHEMA]
    return subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture(scope="module")
def set_up(stack: Stack) -> str:
    """The schema as the set-up job had made it."""
    return schema(stack)


@pytest.fixture(scope="module")
def said(stack: Stack, set_up: str) -> dict[str, str]:
    """What the lines below each heading print."""
    sections = shell_lines()
    script = "\n".join(f"echo '### {heading}'\n{lines}" for heading, lines in sections.items())
    script = script.replace("localhost:8080", f"localhost:{stack.environment['GATEWAY_PORT']}")
    say(f"typing {PAGE.name}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=stack.deploy.parent,
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    parts = re.split(r"^### (.*)$", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def shell_lines() -> dict[str, str]:
    """The shell lines of the page by their heading."""
    lines: dict[str, str] = {}
    heading = ""
    for title, block in re.findall(r"^#+ ([^\n]*)$|^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        heading = title or heading
        lines[heading] = lines.get(heading, "") + block
    return {heading: block for heading, block in lines.items() if block}


def test_the_page_has_all_six_steps_of_the_list() -> None:
    steps = [heading for heading in shell_lines() if heading[0].isdigit()]
    assert [step[0] for step in steps] == ["1", "2", "3", "4", "5", "6"]


def test_devices_are_imported(said: dict[str, str]) -> None:
    assert '"created": 100' in said["Devices"]


def test_migrations_run_again_and_the_tables_are_there(said: dict[str, str]) -> None:
    assert "ERROR" not in said["1. Run migrations"]
    for table in ("firmware_versions", "ota_campaigns", "ota_device_status"):
        assert re.search(rf"public \| {table} +\| table", said["2. Verify tables exist"])


def test_the_page_leaves_functions_and_indexes_as_the_set_up_had_made_them(
    stack: Stack,
    set_up: str,
    said: dict[str, str],
) -> None:
    assert "count_device_status" in set_up
    assert schema(stack) == set_up


def test_the_api_answers(said: dict[str, str]) -> None:
    decoder = json.JSONDecoder()
    firmware, end = decoder.raw_decode(said["3. Test the API"].strip())
    campaign, _ = decoder.raw_decode(said["3. Test the API"].strip()[end:].strip())
    assert firmware["firmware_versions"][0]["version"] == "2.0.0"
    assert (campaign["status"], campaign["total_devices"]) == ("CREATED", 100)


def test_the_workers_log_their_start(said: dict[str, str]) -> None:
    for service in ("campaign-svc", "dispatcher-svc", "status-ingest-svc"):
        starting = f'"service": "{service}", "event": "starting"'
        assert starting in said["4. Restart the workers and check their logs"]


def test_the_console_loads(said: dict[str, str]) -> None:
    assert "<title>" in said["5. Open the browser at /app/ota/campaigns"]


def test_messages_are_seen_once_the_campaign_is_started(said: dict[str, str]) -> None:
    seen = said["6. Start the campaign, observe MQTT messages"]
    assert '"RUNNING"' in seen
    assert re.search(r'^\{"tenant_id": ?"acme",.*\\"type\\": ?\\"ota_update\\"', seen, re.MULTILINE)
    assert re.search(r"^tenant/acme/device/d\d+/ota/status ", seen, re.MULTILINE)


def test_the_campaign_goes_through_the_scaled_stack(stack: Stack, said: dict[str, str]) -> None:
    assert "Scale" in said
    assert (len(stack.replicas("dispatcher-svc")), len(stack.replicas("status-ingest-svc"))) == (3, 2)
    finished = "SELECT count(*) FROM ota_device_status WHERE tenant_id = 'acme' AND status IN ('SUCCESS', 'FAILED')"
    until(lambda: int(stack.rows(finished)[0][0]) >= 90, "most of the hundred devices are done", 120)
