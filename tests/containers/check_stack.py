"""The stack as Compose brings it up: who can reach what, that secrets stay in files, that Prometheus sees all of it."""

import json
import socket
import ssl

import httpx
import pytest

from tests.containers.figures import Figures
from tests.containers.fleet import operator
from tests.containers.stack import SERVICES, Stack, until

OPEN = {"8883/tcp"}
"""What may be published beyond this machine: the devices' broker, which asks for an account and speaks TLS."""


def test_every_part_is_healthy_and_the_set_up_job_has_ended_well(stack: Stack) -> None:
    states = {container["Service"]: (container["Health"], container["ExitCode"]) for container in stack.containers()}
    assert states.pop("setup") == ("", 0)
    assert {service: health for service, (health, _) in states.items() if health != "healthy"} == {}
    assert set(SERVICES) < set(states)


def test_only_the_devices_broker_is_published_beyond_this_machine(stack: Stack) -> None:
    published = {
        (port, binding["HostIp"])
        for container in stack.containers()
        for port, bindings in (stack.inspect(container["Name"])["HostConfig"]["PortBindings"] or {}).items()
        for binding in bindings
    }
    assert {port for port, address in published if address != "127.0.0.1"} == OPEN
    assert ("8080/tcp", "127.0.0.1") in published


def test_no_secret_is_in_a_container_s_settings(stack: Stack) -> None:
    secrets = [file.read_text() for file in (stack.deploy / "secrets").iterdir() if "password" in file.name]
    for container in stack.containers():
        said = json.dumps(stack.inspect(container["Name"]))
        assert not [secret for secret in secrets if secret in said], container["Name"]


@pytest.mark.parametrize("service", [*SERVICES, "gateway", "mosquitto", "accounts", "sign-in"])
def test_a_part_has_no_rights_and_limited_memory(stack: Stack, service: str) -> None:
    [name] = stack.replicas(service)
    host = stack.inspect(name)["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0


def test_the_gateway_serves_the_console_and_refuses_who_brings_no_token(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, trust_env=False) as anyone:
        assert anyone.get("/customer/firmware").status_code == 401
        assert anyone.get("/customer/ota/campaigns").status_code == 401
        assert anyone.get("/metrics").status_code == 404
        page = anyone.get("/app/ota/campaigns")
        assert (page.status_code, "<title>" in page.text) == (200, True)
        assert anyone.get("/app/config.json").json()["auth"]["mode"] == "local"
    with operator(stack) as somebody:
        assert somebody.get("/ota/campaigns").status_code == 200


def test_the_sign_in_gives_no_token_under_another_name(stack: Stack) -> None:
    asked = {"tenant": "acme", "role": "admin"}
    elsewhere = {"Host": "pulse.example.com"}
    assert httpx.post(f"{stack.url}/local/token", json=asked, headers=elsewhere, trust_env=False).status_code == 404


def test_the_broker_speaks_tls_alone_and_asks_for_an_account(stack: Stack) -> None:
    look = "mosquitto_sub -h localhost -p 8883 {} -t '$SYS/broker/uptime' -C 1 -W 3 2>&1 | grep -q sec && echo heard"
    trusted = "--cafile /run/secrets/mqtt_ca"
    account = '-u admin -P "$(cat /run/secrets/mqtt_admin_password)"'
    for options, heard in ((f"{trusted} {account}", "heard"), (trusted, ""), (account, "")):
        said = stack.compose("exec", "-T", "mosquitto", "sh", "-c", f"{look.format(options)} || true")
        assert said.strip() == heard, options


def test_who_observes_the_broker_may_subscribe_to_reports_and_to_nothing_else(stack: Stack) -> None:
    account = '-u observer -P "$(cat /run/secrets/mqtt_observer_password)"'
    look = f"mosquitto_sub -V 5 -h localhost -p 8883 --cafile /run/secrets/mqtt_ca {account} -q 1 -W 2 -t"
    for topic, denied in (("tenant/+/device/+/ota/status", False), ("tenant/#", True)):
        said = stack.compose("exec", "-T", "mosquitto", "sh", "-c", f"{look} '{topic}' 2>&1 || true")
        assert ("denied" in said) is denied, topic


def test_devices_reach_the_broker_from_outside_and_can_tell_that_it_is_the_right_one(stack: Stack) -> None:
    trusting = ssl.create_default_context(cafile=stack.deploy / "secrets" / "mqtt_ca.crt")
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    address = ("127.0.0.1", int(stack.environment["MQTT_PORT"]))
    with (
        socket.create_connection(address, 10) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.version() in {"TLSv1.2", "TLSv1.3"}
    with (
        socket.create_connection(address, 10) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="another"),
    ):
        trusting.wrap_socket(plain, server_hostname="another.example.com")


def test_database_and_kafka_are_on_a_network_that_devices_and_gateway_are_not_on(stack: Stack) -> None:
    def networks(service: str) -> set[str]:
        [name] = stack.replicas(service)
        return {found.rpartition("_")[2] for found in stack.inspect(name)["NetworkSettings"]["Networks"]}

    assert networks("postgres") == networks("kafka") == networks("accounts") == {"data"}
    assert networks("gateway") == networks("mosquitto") == {"front"}
    assert networks("sign-in") == {"none"}


def test_prometheus_finds_every_replica_and_has_its_rules(stack: Stack, figures: Figures) -> None:
    figures.note("scale to 2 of each service", stack.scale(2), "s")
    address = f"http://localhost:{stack.environment['PROMETHEUS_PORT']}/api/v1"
    with httpx.Client(base_url=address, trust_env=False, timeout=10) as prometheus:

        def up() -> dict[str, int]:
            targets = prometheus.get("/targets").json()["data"]["activeTargets"]
            healthy = [target["labels"]["job"] for target in targets if target["health"] == "up"]
            return {service: healthy.count(service) for service in SERVICES}

        until(lambda: up() == dict.fromkeys(SERVICES, 2), f"all replicas are watched: {up()}", 60)
        groups = prometheus.get("/rules").json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in groups) > 0
    assert not [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
