"""What a process that talks to Kafka can be told of the cluster, and of how to reach it."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from aiokafka.abc import AbstractTokenProvider
from pydantic import Field, model_validator

from pulse.runtime.kafka_cluster import OAUTH, Cluster
from pulse.runtime.kafka_tokens import EndpointTokens, FileTokens
from pulse.runtime.settings import AuthorityFile, Bootstrap, Milliseconds, ServiceSettings
from pulse.runtime.tls import RenewedContext, TlsFiles

Secret = Annotated[str | None, Field(repr=False)]
_EXTENSIONS = re.compile(r"[A-Za-z]+=[\x21-\x2b\x2d-\x7e]+(,[A-Za-z]+=[\x21-\x2b\x2d-\x7e]+)*")
_SASL = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
_ENDPOINT = ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret", "kafka_oauth_scope")
_OAUTH = (*_ENDPOINT, "kafka_oauth_token_file", "kafka_oauth_extensions")
_TLS = ("kafka_ca_file", "kafka_cert_file", "kafka_key_file")


class KafkaSettings(ServiceSettings):
    """Where Kafka is, whom it is trusted to be (`kafka_ca_file`; without it the system's authorities), and as whom
    this process comes: by a client certificate (`kafka_cert_file`, `kafka_key_file`) or by SASL.

    OAUTHBEARER has its token from `kafka_oauth_token_url` (OAuth 2 client credentials), or from
    `kafka_oauth_token_file`, which is read for each connection. `kafka_oauth_extensions` is such as
    `logicalCluster=lkc-1,identityPoolId=pool-2`.
    """

    kafka_bootstrap: Bootstrap
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: Secret = None
    kafka_oauth_token_url: Annotated[str | None, Field(pattern=r"^https?://[^/@\s]+(/\S*)?$")] = None
    kafka_oauth_client_id: str | None = None
    kafka_oauth_client_secret: Secret = None
    kafka_oauth_scope: str | None = None
    kafka_oauth_token_file: Path | None = None
    kafka_oauth_extensions: Annotated[str | None, Field(pattern=f"^{_EXTENSIONS.pattern}$")] = None
    kafka_ca_file: AuthorityFile | None = None
    kafka_cert_file: Path | None = None
    kafka_key_file: Path | None = None

    @model_validator(mode="after")
    def access_fits(self) -> "KafkaSettings":
        wrong = [*self._wrong_sasl(), *self._wrong_tls()]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @cached_property
    def kafka(self) -> Cluster:
        """The same for all clients of the process. Raises OSError where a file has gone since it was checked."""
        uses_tls = self.kafka_security_protocol.endswith("SSL")
        return Cluster(
            self.kafka_bootstrap,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_sasl_username,
            self.kafka_sasl_password,
            self._tokens() if self.kafka_sasl_mechanism == OAUTH else None,
            RenewedContext(self._tls_files()) if uses_tls else None,
        )

    def _tls_files(self) -> TlsFiles:
        return TlsFiles("KAFKA", "kafka", self.kafka_ca_file, self.kafka_cert_file, self.kafka_key_file)

    def _tokens(self) -> AbstractTokenProvider:
        given = self.kafka_oauth_extensions
        extensions = dict(pair.split("=", 1) for pair in given.split(",")) if given else {}
        if self.kafka_oauth_token_file is not None:
            return FileTokens(self.kafka_oauth_token_file, extensions)
        url, client_id, secret = self.kafka_oauth_token_url, self.kafka_oauth_client_id, self.kafka_oauth_client_secret
        return EndpointTokens(url or "", client_id or "", secret or "", self.kafka_oauth_scope, extensions)

    def _given(self, *names: str) -> list[str]:
        """Those of the settings that are given, by their names in the environment."""
        return [name.upper() for name in names if getattr(self, name) is not None]

    def _missing(self, *names: str) -> list[str]:
        return [name.upper() for name in names if getattr(self, name) is None]

    def _wrong_sasl(self) -> Iterator[str]:
        protocol, mechanism = self.kafka_security_protocol, self.kafka_sasl_mechanism
        if not protocol.startswith("SASL"):
            for name in self._given(*_SASL, *_OAUTH):
                yield f"{name} is given, but KAFKA_SECURITY_PROTOCOL is {protocol} and not SASL_SSL or SASL_PLAINTEXT"
        elif mechanism is None:
            yield f"KAFKA_SASL_MECHANISM is missing, KAFKA_SECURITY_PROTOCOL is {protocol}"
        elif mechanism == OAUTH:
            yield from self._wrong_oauth()
        else:
            for name in self._missing("kafka_sasl_username", "kafka_sasl_password"):
                yield f"{name} is missing, KAFKA_SASL_MECHANISM is {mechanism}"
            for name in self._given(*_OAUTH):
                yield f"{name} is given, but KAFKA_SASL_MECHANISM is {mechanism} and not {OAUTH}"

    def _wrong_oauth(self) -> Iterator[str]:
        for name in self._given("kafka_sasl_username", "kafka_sasl_password"):
            yield f"{name} is given, but KAFKA_SASL_MECHANISM is {OAUTH}, which knows no passwords"
        if self.kafka_oauth_token_file is not None:
            for name in self._given(*_ENDPOINT):
                yield f"{name} and KAFKA_OAUTH_TOKEN_FILE are given, a token comes from one of them"
        elif self.kafka_oauth_token_url is None:
            yield f"KAFKA_OAUTH_TOKEN_URL or KAFKA_OAUTH_TOKEN_FILE is missing, KAFKA_SASL_MECHANISM is {OAUTH}"
        else:
            for name in self._missing("kafka_oauth_client_id", "kafka_oauth_client_secret"):
                yield f"{name} is missing, KAFKA_OAUTH_TOKEN_URL is given"

    def _wrong_tls(self) -> Iterator[str]:
        protocol = self.kafka_security_protocol
        if not protocol.endswith("SSL"):
            for name in self._given(*_TLS):
                yield f"{name} is given, but KAFKA_SECURITY_PROTOCOL is {protocol} and not SSL or SASL_SSL"
        yield from self._tls_files().wrong()


class MemberSettings(KafkaSettings):
    """Of a service whose processes share the partitions of a Kafka topic."""

    kafka_session_timeout_ms: Milliseconds = 6_000
    kafka_heartbeat_ms: Milliseconds = 300

    @model_validator(mode="after")
    def heartbeats_fit(self) -> "MemberSettings":
        if self.kafka_heartbeat_ms * 3 > self.kafka_session_timeout_ms:
            raise ValueError("KAFKA_HEARTBEAT_MS must be at most a third of KAFKA_SESSION_TIMEOUT_MS")
        return self
