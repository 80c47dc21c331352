"""What pods are told is what the programs can be told: every name, every value, every secret."""

import re
from pathlib import Path

import pytest

from campaign_svc.settings import CampaignSettings
from catalog_svc.settings import CatalogSettings
from dispatcher_svc.settings import DispatcherSettings
from local_stack.layout import ROOT
from pulse.runtime.settings import ServiceSettings, load
from pulse_setup.settings import SetupSettings
from status_ingest_svc.settings import Settings as IngestSettings
from tests.k8s.manifests import Manifests, Secrets

PROGRAMS: dict[str, type[ServiceSettings]] = {
    "catalog-svc": CatalogSettings,
    "campaign-svc": CampaignSettings,
    "dispatcher-svc": DispatcherSettings,
    "status-ingest-svc": IngestSettings,
    "setup": SetupSettings,
}
HIDDEN = ("password", "dsn", "group", "key")
"""Words in the names of settings that no ConfigMap and no variable may carry."""


def known(program: type[ServiceSettings]) -> set[str]:
    fields = {name.upper() for name in program.model_fields}
    return fields | {f"{name}_FILE" for name in fields if not name.endswith("_FILE")}


def test_every_workload_is_a_program_with_settings_or_the_gateway(manifests: Manifests) -> None:
    assert {workload.name for workload in manifests.workloads()} == {*PROGRAMS, "gateway"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_variable_is_unknown_to_its_program(manifests: Manifests, name: str) -> None:
    assert manifests.environment(manifests.workload(name)).keys() <= known(PROGRAMS[name])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_accepts_its_environment_and_files(
    manifests: Manifests, secrets: Secrets, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workload = manifests.workload(name)
    files = manifests.files(workload, secrets)
    for variable, value in manifests.environment(workload).items():
        if value in files:
            there = tmp_path / variable
            there.write_text(files[value], encoding="utf-8")
            value = str(there)
        assert value.startswith(str(tmp_path)) == variable.endswith("_FILE"), f"{variable} names a file that is there"
        monkeypatch.setenv(variable, value)
    settings = load(PROGRAMS[name])
    assert name == "setup" or (settings.http_host, settings.http_port) == ("0.0.0.0", 8000)


@pytest.mark.parametrize("name", PROGRAMS)
def test_secrets_come_as_files_only(manifests: Manifests, name: str) -> None:
    for variable in manifests.environment(manifests.workload(name)):
        assert variable.endswith("_FILE") or not any(word in variable.lower() for word in HIDDEN), variable


def test_the_gateway_is_told_what_its_configuration_asks_for(manifests: Manifests) -> None:
    asked = (ROOT / "deploy" / "gateway" / "Caddyfile").read_text(encoding="utf-8")
    told = manifests.environment(manifests.workload("gateway"))
    assert all(f"{{${variable}" in asked for variable in told)
    assert f"({told['GATEWAY_FIND']})" in asked, "a way to find services that the gateway knows"


@pytest.mark.parametrize("name", ["catalog-svc", "campaign-svc"])
def test_the_gateway_finds_the_pods_themselves_under_the_services_names(manifests: Manifests, name: str) -> None:
    asked = (ROOT / "deploy" / "gateway" / "Caddyfile").read_text(encoding="utf-8")
    assert re.search(rf"import \S+ {name}\n", asked)
    service = manifests.get("Service", name)["spec"]
    assert service["clusterIP"] == "None"
    assert [port["port"] for port in service["ports"]] == [int(*re.findall(r"port (\d+)\n\t\trefresh", asked))]


def test_the_console_and_the_services_ask_the_same_identity_provider(manifests: Manifests) -> None:
    issuer = manifests.environment(manifests.workload("campaign-svc"))["AUTH_ISSUER"]
    gateway = manifests.workload("gateway")
    assert manifests.environment(gateway)["CONSOLE_CONNECT"] == issuer
    config = manifests.files(gateway, {})["/etc/pulse-ota/console/config.json"]
    assert f'"authority": "{issuer}"' in config


def test_no_link_of_kubernetes_can_be_taken_for_a_setting(manifests: Manifests) -> None:
    """A Service `gateway` would set GATEWAY_PORT to an address."""
    assert all(workload.pod["enableServiceLinks"] is False for workload in manifests.workloads())
