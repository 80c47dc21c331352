"""How Kafka is reached: where, over TLS or not, and as whom. Every client of it is made here."""

import ssl
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient

OAUTH = "OAUTHBEARER"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster by its bootstrap servers (`host:port`, several with commas between), spoken to as the settings say.

    Without more than the address it is spoken to without TLS and without a name. `tokens` belongs to OAUTHBEARER,
    `username` and `password` to the other mechanisms.
    """

    bootstrap: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tokens: AbstractTokenProvider | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def uses_tls(self) -> bool:
        return self.protocol.endswith("SSL")

    @property
    def uses_sasl(self) -> bool:
        return self.protocol.startswith("SASL")

    @property
    def access(self) -> dict[str, Any]:
        """What a connection needs beside its address, by the names of aiokafka."""
        sasl = {
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "sasl_oauth_token_provider": self.tokens,
        }
        tls = {"ssl_context": self.tls} if self.uses_tls else {}
        return {"security_protocol": self.protocol, **tls, **(sasl if self.uses_sasl else {})}

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """One that is not started; `options` are the duty's own."""
        return AIOKafkaProducer(bootstrap_servers=self.bootstrap, **self.access, **options)

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """The same."""
        return AIOKafkaConsumer(bootstrap_servers=self.bootstrap, **self.access, **options)

    def admin(self, **options: Any) -> AIOKafkaAdminClient:
        """The same."""
        return AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, **self.access, **options)
