"""What the set-up job can be told; each also as `<NAME>_FILE`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pulse.contracts.kafka import CONTROL, DEVICE_STATUS, QUARANTINE, REQUESTS, RESULTS, Topic
from pulse.runtime.kafka_settings import KafkaSettings
from pulse.runtime.settings import Dsn

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"


class SetupSettings(KafkaSettings):
    """`postgres_dsn` is a superuser's, or that of the database's owner who may make roles (CREATEROLE).

    A role whose password is not given keeps the one it has.
    """

    postgres_dsn: Dsn
    migrations_dir: Path = MIGRATIONS

    catalog_db_password: str = ""
    campaign_db_password: str = ""
    campaign_loops_db_password: str = ""
    ingest_db_password: str = ""

    requests_partitions: Annotated[int, Field(ge=REQUESTS.least)] = REQUESTS.partitions
    results_partitions: Annotated[int, Field(ge=RESULTS.least)] = RESULTS.partitions
    device_status_partitions: Annotated[int, Field(ge=DEVICE_STATUS.least)] = DEVICE_STATUS.partitions
    kafka_replication: Annotated[int, Field(ge=1)] = 1
    """Replicas of each topic's partitions: 1 on a single node, 3 in production."""

    def passwords(self) -> dict[str, str]:
        """The passwords that were given, by database role."""
        given = {
            "catalog_svc": self.catalog_db_password,
            "campaign_svc": self.campaign_db_password,
            "campaign_loops": self.campaign_loops_db_password,
            "status_ingest_svc": self.ingest_db_password,
        }
        return {role: password for role, password in given.items() if password}

    def topics(self) -> dict[Topic, int]:
        """Each topic with its number of partitions."""
        return {
            REQUESTS: self.requests_partitions,
            RESULTS: self.results_partitions,
            DEVICE_STATUS: self.device_status_partitions,
            CONTROL: CONTROL.partitions,
            QUARANTINE: QUARANTINE.partitions,
        }
