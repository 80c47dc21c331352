"""What can be said of images and Compose without an engine: locks, secrets, and that what Compose names is there."""

import json
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_stack import tokens
from local_stack.layout import DEPLOY, ROOT

REQUIREMENTS = ROOT / "requirements"
IMAGES = {
    "catalog-svc": ROOT / "catalog-svc",
    "campaign-svc": ROOT / "campaign-svc",
    "dispatcher-svc": ROOT / "dispatcher-svc",
    "status-ingest-svc": ROOT / "status-ingest-svc",
    "setup": DEPLOY / "setup",
    "fleetsim": DEPLOY / "fleetsim",
    "sign-in": ROOT / "shared",
}
MADE_LATER = {"./secrets/fleet.jsonl"}


def pinned(lock: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_the_versions_that_everything_is_tested_with(image: str) -> None:
    tested = pinned("dev")
    assert {name: version for name, version in pinned(image).items() if tested.get(name) != version} == {}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_s_lock_has_all_that_its_package_needs(image: str) -> None:
    needs = _needs(IMAGES[image], "auth" if image == "sign-in" else "")
    assert needs - set(pinned(image)) == set()


def _needs(package: Path, *extras: str) -> set[str]:
    """The packages that a pyproject.toml asks for, and those of `shared` behind them."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = list(project["dependencies"])
    asked += [line for extra in extras if extra for line in project["optional-dependencies"][extra]]
    names: set[str] = set()
    for name, its_extras in (re.findall(r"^([A-Za-z0-9-]+)(?:\[(.*?)\])?", line)[0] for line in asked):
        names |= _needs(ROOT / "shared", *its_extras.split(",")) if name == "pulse-ota-shared" else {name.lower()}
    return names


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which secrets.sh has run."""
    folder = tmp_path_factory.mktemp("deploy")
    shutil.copy(DEPLOY / "secrets.sh", folder)
    subprocess.run([folder / "secrets.sh"], check=True, capture_output=True, timeout=30)
    return folder


def test_every_secret_of_the_compose_file_is_made(made: Path) -> None:
    files = {secret["file"] for secret in compose()["secrets"].values()} - MADE_LATER
    assert [file for file in files if not (made / file).read_text()] == []


def test_a_service_mounts_only_secrets_that_there_are_and_each_is_used(made: Path) -> None:
    content = compose()
    used = {secret for service in content["services"].values() for secret in service.get("secrets", [])}
    assert used == set(content["secrets"])


def test_secrets_are_the_owner_s_and_stay_when_the_script_runs_again(made: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (made / "secrets").iterdir()}

    before = contents()
    subprocess.run([made / "secrets.sh"], check=True, capture_output=True, timeout=30)
    assert contents() == before
    assert stat.S_IMODE((made / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((made / "secrets" / "mqtt_ca.key").stat().st_mode) == 0o600


def test_the_broker_s_certificate_is_made_anew_for_another_name(made: Path) -> None:
    certificate, authority = made / "secrets" / "mqtt.crt", made / "secrets" / "mqtt_ca.crt"
    before = authority.read_bytes()
    asked = {"MQTT_NAMES": "mqtt.example.com 192.0.2.7", "PATH": "/usr/bin:/bin"}
    subprocess.run([made / "secrets.sh"], check=True, capture_output=True, timeout=30, env=asked)
    shown = ("openssl", "x509", "-in", str(certificate), "-noout", "-ext", "subjectAltName")
    names = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
    assert all(name in names for name in ("DNS:mosquitto", "DNS:localhost", "DNS:mqtt.example.com", "192.0.2.7"))
    strictly = ("openssl", "verify", "-x509_strict", "-CAfile", str(authority), str(certificate))
    subprocess.run(strictly, check=True, capture_output=True)
    assert authority.read_bytes() == before


def test_the_authority_is_exchanged_in_three_steps_and_files_stay_the_ones_that_are_mounted(made: Path) -> None:
    certificate, authority = made / "secrets" / "mqtt.crt", made / "secrets" / "mqtt_ca.crt"
    mounted = [file.stat().st_ino for file in (certificate, authority)]
    old = made / "old.crt"
    shutil.copy(authority, old)

    def verified_by(*steps: str) -> tuple[bool, bool]:
        """Whether the broker's certificate is good for those who have the old authority, and the present file."""
        subprocess.run([made / "secrets.sh", *steps], check=True, capture_output=True, timeout=30)
        strictly = ("openssl", "verify", "-x509_strict", "-CAfile")
        old_alone, present = (
            subprocess.run([*strictly, str(trusted), str(certificate)], check=False, capture_output=True).returncode
            for trusted in (old, authority)
        )
        return old_alone == 0, present == 0

    assert verified_by("next-authority") == (True, True)
    assert verified_by("use-next-authority") == (False, True)
    assert verified_by("drop-old-authority") == (False, True)
    assert authority.read_text().count("BEGIN CERTIFICATE") == 1
    assert [file.stat().st_ino for file in (certificate, authority)] == mounted


@pytest.mark.parametrize("step", ["use-next-authority", "drop-the-lot"])
def test_a_step_out_of_turn_changes_nothing_and_says_why(made: Path, step: str) -> None:
    authority = made / "secrets" / "mqtt_ca.crt"
    before = authority.read_bytes()
    done = subprocess.run([made / "secrets.sh", step], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, authority.read_bytes()) == (1, before)
    assert done.stderr.startswith("secrets.sh: ")


@pytest.mark.parametrize("content", [
    "device_id,device_type,current_version\nd 1,gw2,1.0+a\n\nd2,gw2,\n",
    "\ufeffdevice_id;device_type;current_version;attributes.x\r\nd 1;gw2;1.0+a;1,5\r\nd2;gw2;;\r\n",
    "device_id\tdevice_type\tcurrent_version\nd 1\tgw2\t1.0+a\nd2\tgw2\t\n",
])  # fmt: skip
def test_accounts_are_made_from_every_file_that_the_import_reads(tmp_path: Path, content: str) -> None:
    engine = tmp_path / "docker"
    engine.write_text(f"#!/bin/sh\ncat > {tmp_path}/given\n")
    engine.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = [str(DEPLOY / "accounts.sh"), "acme"]
    done = subprocess.run(command, input=content.encode(), check=True, capture_output=True, timeout=30, env=environment)
    lines = [json.loads(line) for line in done.stdout.decode().strip().split("\n")]
    said = [(line["tenant_id"], line["device_id"], line["device_type"], line["version"]) for line in lines]
    assert said == [("acme", "d 1", "gw2", "1.0+a"), ("acme", "d2", "gw2", "")]
    given = (tmp_path / "given").read_text().strip().split("\n")
    assert given == [f"acme/device/{line['device_id']}:{line['password']}" for line in lines]
    assert all(len(line["password"]) == 32 for line in lines)


@pytest.mark.parametrize("line", ["a/b,gw2,", 'a"b,gw2,', "a\\b,gw2,", "a:b,gw2,"])
def test_an_id_that_no_account_can_have_is_refused_and_none_is_made(tmp_path: Path, line: str) -> None:
    content = f"device_id,device_type,current_version\n{line}\n"
    command = [str(DEPLOY / "accounts.sh"), "acme"]
    done = subprocess.run(command, input=content, check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("accounts.sh: ")


@pytest.mark.parametrize("service", ["catalog-svc", "campaign-svc"])
def test_without_another_issuer_the_compose_file_s_services_take_tokens_of_its_own_sign_in(service: str) -> None:
    issuer = compose()["services"][service]["environment"]["AUTH_ISSUER"]
    assert issuer == f"${{AUTH_ISSUER:-{tokens.ISSUER}}}"


def test_the_compose_file_mounts_and_builds_from_what_is_in_the_checkout() -> None:
    services = compose()["services"].values()
    mounted = [mount.partition(":")[0] for service in services for mount in service.get("volumes", [])]
    assert [path for path in mounted if path.startswith("./") and not (DEPLOY / path).exists()] == []
    built = [service["build"]["dockerfile"] for service in services if "build" in service]
    assert len(set(built)) == len(IMAGES) + 1
    assert [path for path in built if not (ROOT / path).exists()] == []
