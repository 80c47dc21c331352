"""docs/operations.md, typed in mid-campaign: secrets rotated, certificates renewed, brokers and database away a while.

Each time the campaign gets on afterwards, what is old is refused and what is new is taken; in the end nothing is lost.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers.engine import say
from tests.containers.fleet import Campaign, Fleet, connected, operator, started
from tests.containers.logins import authority, database_takes, held, secret, still_served, welcome
from tests.containers.operations_page import typed
from tests.containers.stack import SERVICES, Stack, until
from tests.containers.verdict import nothing_is_lost

TENANT, DEVICES = "upkeep", 300
SLOW, FAST = 60, 6000
"""Devices a minute: as long as commands are typed, and to end with."""
ROLES = {
    "catalog_svc": "catalog_db_password",
    "campaign_svc": "campaign_db_password",
    "campaign_loops": "campaign_loops_db_password",
    "status_ingest_svc": "ingest_db_password",
}
ACCOUNTS = {"svc-dispatcher": "mqtt_dispatcher_password", "svc-ingest": "mqtt_ingest_password"}
REREAD_SECONDS = 10


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> Iterator[Fleet]:
    with operator(stack, TENANT) as api:
        yield connected(stack, api, DEVICES, TENANT)


@pytest.fixture(scope="module")
def campaign(stack: Stack, fleet: Fleet) -> Campaign:
    """One that is under way."""
    stack.scale(1)
    under_way = started(fleet, rate=SLOW)
    under_way.until_done(0.01)
    return under_way


@contextmanager
def goes_on(stack: Stack, campaign: Campaign) -> Iterator[None]:
    """After the block every service is healthy, and the campaign is not stopped and gets further."""
    yield
    stack.until_healthy(*SERVICES)
    until(lambda: campaign.succeeded() > 0, "the API answers", 30)
    done = campaign.succeeded()
    took = until(lambda: campaign.succeeded() > done, "the campaign gets on", 60)
    say(f"{campaign.succeeded()} devices done; the next one {took:.0f} s after the block")
    assert campaign.get()["status"] == "RUNNING"


@contextmanager
def same_processes(stack: Stack) -> Iterator[None]:
    """No service's process ends in the block."""
    before = processes(stack)
    yield
    assert processes(stack) == before


def processes(stack: Stack) -> dict[str, tuple[str, int]]:
    names = [name for service in SERVICES for name in stack.replicas(service)]
    found = {name: stack.inspect(name) for name in names}
    return {name: (container["State"]["StartedAt"], container["RestartCount"]) for name, container in found.items()}


def secrets(stack: Stack, files: dict[str, str]) -> dict[str, str]:
    return {user: secret(stack, file) for user, file in files.items()}


def test_new_passwords_are_taken_and_the_old_ones_refused(stack: Stack, campaign: Campaign) -> None:
    roles, accounts = secrets(stack, ROLES), secrets(stack, ACCOUNTS)
    with goes_on(stack, campaign):
        typed(stack, "Rotate the services' passwords with Compose")
    assert not [role for role, old in roles.items() if database_takes(stack, role, old)]
    assert not [role for role, new in secrets(stack, ROLES).items() if not database_takes(stack, role, new)]
    assert not [user for user, old in accounts.items() if welcome(stack, user, old).code == 0]
    assert not [user for user, new in secrets(stack, ACCOUNTS).items() if welcome(stack, user, new).code != 0]


def test_a_group_of_another_name_takes_the_reports_and_leaves_no_session_of_the_old_one(
    stack: Stack, campaign: Campaign
) -> None:
    old = secret(stack, "mqtt_group")
    with goes_on(stack, campaign):
        typed(stack, "Rotate the ingests' group with Compose")
    password = secret(stack, "mqtt_ingest_password")
    left = [n for n in range(4) if welcome(stack, "svc-ingest", password, client_id=f"{old}-{n}").had_session]
    assert (secret(stack, "mqtt_group") != old, left) == (True, [])


def test_a_token_of_the_old_key_is_refused_and_one_of_the_new_key_taken(
    stack: Stack, fleet: Fleet, campaign: Campaign
) -> None:
    typed(stack, "Rotate the sign-in's key with Compose")
    assert fleet.api.get("/ota/campaigns").status_code == 401
    assert fleet.api.get("/firmware").status_code == 401
    with goes_on(stack, campaign), operator(stack, TENANT) as signed_in_again:
        fleet.api.headers.update(signed_in_again.headers)
        assert fleet.api.get("/firmware").status_code == 200


def test_a_new_certificate_of_the_broker_disconnects_nobody(stack: Stack, campaign: Campaign) -> None:
    user, password = "svc-ingest", secret(stack, "mqtt_ingest_password")
    with goes_on(stack, campaign), same_processes(stack), held(stack, user, password) as (connection, old):
        typed(stack, "Renew the broker's certificate with Compose")

        def renewed() -> bool:
            return welcome(stack, user, password).certificate != old.certificate

        until(renewed, "who connects sees the new certificate", REREAD_SECONDS)
        assert still_served(connection)


def test_the_authority_is_exchanged_while_devices_have_time_between_the_steps(
    stack: Stack, fleet: Fleet, campaign: Campaign, tmp_path: Path
) -> None:
    password, heading = secret(stack, "mqtt_ingest_password"), "Exchange the broker's authority with Compose"
    old, new = tmp_path / "old", tmp_path / "new"

    def accepted(trusted: Path) -> bool:
        try:
            return welcome(stack, "svc-ingest", password, trusted=trusted).code == 0
        except ssl.SSLCertVerificationError:
            return False

    old.write_bytes(authority(stack).read_bytes())
    with goes_on(stack, campaign):
        typed(stack, heading, 1)
        assert accepted(old)
        assert accepted(authority(stack))
        fleet.restarted()
        typed(stack, heading, 2)
        until(lambda: not accepted(old), "the old authority alone is not enough any more", REREAD_SECONDS)
        assert accepted(authority(stack))
        typed(stack, heading, 3)
    new.write_bytes(authority(stack).read_bytes())
    assert new.read_text().count("BEGIN") == 1
    assert accepted(new)


@pytest.mark.parametrize(
    "heading",
    [
        "Stop the MQTT broker for a while with Compose",
        "Stop Kafka for a while with Compose",
        "Restart PostgreSQL with Compose",
    ],
)
def test_what_is_away_for_a_while_is_waited_for(stack: Stack, campaign: Campaign, heading: str) -> None:
    with goes_on(stack, campaign), same_processes(stack):
        typed(stack, heading)


def test_the_campaign_ends_with_nothing_lost(fleet: Fleet, campaign: Campaign, tmp_path: Path) -> None:
    campaign.change_rate(FAST)
    ended = campaign.until_completed(60)
    nothing_is_lost(fleet, ended, tmp_path)
