"""Secrets are made by a script, named by the manifests, and never in them."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.k8s.conftest import CA, POSTGRES_DSN, make_secrets
from tests.k8s.manifests import K8S, Manifests, Secrets

ROLES = {
    ("catalog-svc", "postgres-dsn"): ("catalog_svc", "catalog-db-password"),
    ("campaign-svc", "postgres-dsn"): ("campaign_svc", "campaign-db-password"),
    ("campaign-svc", "loops-postgres-dsn"): ("campaign_loops", "campaign-loops-db-password"),
    ("status-ingest-svc", "postgres-dsn"): ("status_ingest_svc", "ingest-db-password"),
}


def made(folder: Path) -> dict[str, dict[str, str]]:
    return {
        secret.name: {key.name: key.read_text(encoding="utf-8") for key in secret.iterdir()}
        for secret in folder.iterdir()
    }


def test_what_is_made_is_what_the_overlay_takes(deployment: Path, secrets: Secrets) -> None:
    assert made(deployment / "overlays" / "small" / "secrets") == secrets
    assert secrets["mqtt-ca"]["ca.crt"] == CA
    assert secrets["setup"]["postgres-dsn"] == POSTGRES_DSN


def test_production_names_secrets_of_the_same_names_and_contains_none(production: Manifests, secrets: Secrets) -> None:
    volumes = [volume for workload in production.workloads() for volume in workload.pod["volumes"]]
    assert {volume["secret"]["secretName"] for volume in volumes if "secret" in volume} == secrets.keys()
    assert production.all("Secret") == []


def test_each_service_logs_in_with_the_password_that_set_up_gives_its_role(secrets: Secrets) -> None:
    for (service, key), (role, password) in ROLES.items():
        address = urlsplit(secrets[service][key])
        assert (address.username, address.password) == (role, secrets["setup"][password])
        assert address._replace(netloc="") == urlsplit(POSTGRES_DSN)._replace(netloc="")
        assert (address.hostname, address.port) == ("postgres.example.com", 5432)


def test_no_two_secrets_are_alike(secrets: Secrets) -> None:
    random = [value for values in secrets.values() for key, value in values.items() if key.endswith(("word", "group"))]
    assert len(random) == len(set(random)) == 7
    assert all(len(value) == 48 for value in random)


def test_making_them_again_changes_only_what_was_removed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    before = made(folder)
    (folder / "setup" / "ingest-db-password").unlink()
    make_secrets(folder)
    after = made(folder)
    changed = {(secret, key) for secret in after for key in after[secret] if after[secret][key] != before[secret][key]}
    assert changed == {("setup", "ingest-db-password"), ("status-ingest-svc", "postgres-dsn")}


def test_only_their_owner_can_read_them(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "secrets").rglob("*")} == {0}


def test_git_ignores_them() -> None:
    assert (K8S / "overlays" / ".gitignore").read_text(encoding="utf-8").split() == ["secrets/"]
