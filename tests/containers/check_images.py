"""The images: small rights, no build tools, a health check, a quick rebuild, and a clear refusal of wrong settings."""

import json
import subprocess

import pytest

from tests.containers.figures import Figures
from tests.containers.stack import SERVICES, Stack

PYTHON = (*SERVICES, "setup", "fleetsim", "sign-in")
ALL = (*PYTHON, "gateway")
NEEDS = {
    "catalog-svc": ("POSTGRES_DSN",),
    "campaign-svc": ("POSTGRES_DSN", "LOOPS_POSTGRES_DSN", "KAFKA_BOOTSTRAP"),
    "dispatcher-svc": ("KAFKA_BOOTSTRAP", "MQTT_HOST"),
    "status-ingest-svc": ("POSTGRES_DSN", "KAFKA_BOOTSTRAP", "MQTT_HOST"),
    "setup": ("POSTGRES_DSN", "KAFKA_BOOTSTRAP"),
}
TOOLS = """for tool in gcc cc make cargo git npm node; do command -v $tool; done
ls /opt/venv/bin | grep -E '^(pip[0-9.]*|uv)$' || true"""


def tag(name: str) -> str:
    return f"pulse-ota/{name}:test"


def inside(stack: Stack, name: str, *command: str) -> str:
    """What a command prints in a container of the image, without network, rights, or anything to write to."""
    closed = ("--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--entrypoint", command[0])
    return stack.run("docker", "run", *closed, tag(name), *command[1:]).strip()


@pytest.mark.parametrize("name", ALL)
def test_an_image_runs_without_rights_and_without_build_tools(images: Stack, name: str, figures: Figures) -> None:
    found = images.inspect(tag(name))
    figures.note(f"size of {name}", found["Size"] / 1e6, "MB")
    assert found["Config"]["User"] == "10001:10001"
    assert inside(images, name, "id", "-u") == "10001"
    assert inside(images, name, "sh", "-c", TOOLS) == ""


@pytest.mark.parametrize("name", [*SERVICES, "gateway", "sign-in"])
def test_what_goes_on_running_has_a_health_check(images: Stack, name: str) -> None:
    assert images.inspect(tag(name))["Config"]["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_a_service_without_its_settings_refuses_with_one_line_that_names_them(images: Stack, name: str) -> None:
    command = ["docker", "run", "--rm", "--network", "none", tag(name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    for setting in NEEDS[name]:
        assert setting in line


@pytest.mark.parametrize("name", SERVICES)
def test_a_change_of_the_source_installs_no_package_again(images: Stack, name: str, figures: Figures) -> None:
    before = layers(images, name)
    source = images.deploy.parent / name / name.replace("-", "_") / "__init__.py"
    kept = source.read_text(encoding="utf-8")
    try:
        source.write_text(f'{kept}\nCHANGED = "by a test"\n', encoding="utf-8")
        with figures.timed(f"build {name} after a change"):
            images.compose("build", name, seconds=300)
        changed = layers(images, name)
    finally:
        source.write_text(kept, encoding="utf-8")
        images.compose("build", name, seconds=300)
    assert len(changed) == len(before)
    assert [old == new for old, new in zip(before, changed, strict=True)] == [True] * (len(before) - 2) + [False] * 2


def layers(stack: Stack, name: str) -> list[str]:
    found = stack.run("docker", "image", "inspect", "-f", "{{json .RootFS.Layers}}", tag(name))
    return list(json.loads(found))
