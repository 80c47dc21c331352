"""The four services as parts: how many of each, on which ports, with which environment."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack import tokens
from local_stack.child import Part
from local_stack.files import secret
from local_stack.http_probe import answers
from local_stack.kafka import Kafka
from local_stack.mosquitto import Mosquitto
from local_stack.ports import HOST
from local_stack.postgres import Postgres
from local_stack.settings import StackSettings

PORTS_EACH = 20


@dataclass(frozen=True, slots=True)
class Foundations:
    """What the services stand on, and where their secrets are."""

    postgres: Postgres
    kafkas: tuple[Kafka, ...]
    mosquitto: Mosquitto
    secrets_dir: Path

    @property
    def kafka_bootstrap(self) -> str:
        """All nodes: whichever of them is away, a service finds the others."""
        return ",".join(node.bootstrap for node in self.kafkas)

    def database(self, role: str) -> str:
        return self.postgres.dsn_of(role, secret(self.secrets_dir / f"db-{role}"))

    @property
    def auth_key_file(self) -> Path:
        return self.secrets_dir / "auth-key"

    def authentication(self) -> dict[str, str]:
        """The stack's own key and issuer, unless the caller's environment names an identity provider."""
        if os.environ.get("AUTH_JWKS_URL"):
            return {}
        return {"AUTH_KEY_FILE": str(self.auth_key_file), "AUTH_ISSUER": tokens.ISSUER}

    def mqtt(self, user: str) -> dict[str, str]:
        return {
            "MQTT_HOST": HOST,
            "MQTT_PORT": str(self.mosquitto.port),
            "MQTT_USER": user,
            "MQTT_PASSWORD_FILE": str(self.mosquitto.password_file(user)),
        }

    def for_catalog(self) -> dict[str, str]:
        """Files of the local stack lie on this machine, which may be asked for them."""
        return {
            "POSTGRES_DSN": self.database("catalog_svc"),
            "FILE_CHECK_NETWORKS": os.environ.get("FILE_CHECK_NETWORKS") or "127.0.0.0/8,::1/128",
            **self.authentication(),
        }

    def for_campaign(self) -> dict[str, str]:
        return {
            "POSTGRES_DSN": self.database("campaign_svc"),
            "LOOPS_POSTGRES_DSN": self.database("campaign_loops"),
            "KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            **self.authentication(),
        }

    def for_dispatcher(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP": self.kafka_bootstrap, **self.mqtt("svc-dispatcher")}

    def for_ingest(self) -> dict[str, str]:
        return {
            "POSTGRES_DSN": self.database("status_ingest_svc"),
            "KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "MQTT_GROUP": f"pulse-ingest-{secret(self.secrets_dir / 'mqtt-group')}",
            **self.mqtt("svc-ingest"),
        }

    def for_setup(self) -> dict[str, str]:
        """The environment of the set-up job: a superuser's address, and the roles' passwords."""
        roles = {
            "CATALOG_DB_PASSWORD": "catalog_svc",
            "CAMPAIGN_DB_PASSWORD": "campaign_svc",
            "CAMPAIGN_LOOPS_DB_PASSWORD": "campaign_loops",
            "INGEST_DB_PASSWORD": "status_ingest_svc",
        }
        passwords = {name: secret(self.secrets_dir / f"db-{role}") for name, role in roles.items()}
        return {
            "POSTGRES_DSN": self.postgres.dsn,
            "KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "KAFKA_REPLICATION": str(len(self.kafkas)),
            **passwords,
        }


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of service. `environment` is asked for when a process starts."""

    name: str
    count: str
    environment: Callable[[Foundations], Mapping[str, str]]

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")


SERVICES = (
    Service("catalog-svc", "catalogs", Foundations.for_catalog),
    Service("campaign-svc", "campaigns", Foundations.for_campaign),
    Service("dispatcher-svc", "dispatchers", Foundations.for_dispatcher),
    Service("status-ingest-svc", "ingests", Foundations.for_ingest),
)


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of a service: `name` is such as `dispatcher-svc-1`."""

    service: Service
    number: int
    port: int

    @property
    def name(self) -> str:
        return f"{self.service.name}-{self.number}"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def part(self, foundations: Foundations) -> Part:
        environment = {"HTTP_HOST": HOST, "HTTP_PORT": str(self.port), **self.service.environment(foundations)}
        command = (sys.executable, "-m", self.service.module)
        return Part(self.name, command, lambda: answers(f"{self.url}/readyz"), environment)


def account_keeper_part(foundations: Foundations) -> Part:
    """What ends the broker's accounts of deleted devices; ready once it has looked."""
    folder = foundations.mosquitto.folder
    looked = folder / "accounts.looked"
    looked.unlink(missing_ok=True)

    async def has_looked() -> bool:
        return looked.exists()

    environment = {
        "POSTGRES_DSN": foundations.database("campaign_loops"),
        "PASSWORDS": str(folder / "passwords"),
        "LOOKED": str(looked),
    }
    return Part("accounts", (sys.executable, "-m", "local_stack.account_keeper"), has_looked, environment)


def replicas(settings: StackSettings) -> Iterator[Replica]:
    """Every process of every service, with its port."""
    for place, service in enumerate(SERVICES):
        first = settings.port("service_port") + place * PORTS_EACH
        for number in range(int(getattr(settings, service.count))):
            yield Replica(service, number + 1, first + number)
