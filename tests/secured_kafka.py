"""One node of Apache Kafka with a listener for each protocol, each mechanism, and rules for who may do what."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from local_stack.child import Part, run
from local_stack.kafka import CLUSTER_ID, Kafka, tool
from local_stack.ports import HOST, free_ports
from tests.certificates import Authority, Pair
from tests.real_parts import RunningPart

USER, SERVICES, STRANGER = "pulse", "pulse-ota", "stranger"
"""A user that may do everything, one that may do what somebody allows it, and one that may do nothing."""
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
LISTENERS = {"MUTUAL": "SSL", "CLEAR": "SASL_PLAINTEXT", "SEALED": "SASL_SSL"}
SHORT_SESSION_MS = 2_000
"""After which CLEAR wants a client with a token to name itself again."""
AUDIENCE, ISSUER = "kafka", "https://id.example.com"
_OAUTH = "org.apache.kafka.common.security.oauthbearer"


@dataclass(frozen=True)
class SecuredKafka:
    """`ports` are those of LISTENERS, in order; `plain` is the node without them."""

    folder: Path
    plain: Kafka
    ports: tuple[int, ...]
    authority: Authority
    password: str

    @cached_property
    def signing_key(self) -> RSAKey:
        return RSAKey.generate_key(2048, {"kid": "tests", "use": "sig", "alg": "RS256"})

    def bootstrap(self, listener: str) -> str:
        """`MUTUAL` (TLS with a client certificate), `CLEAR` (SASL), `SEALED` (SASL over TLS)."""
        return f"{HOST}:{self.ports[list(LISTENERS).index(listener)]}"

    def access(self, listener: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """The settings of a service that comes as USER with a password."""
        authority = {"KAFKA_CA_FILE": str(self.authority.file)} if LISTENERS[listener].endswith("SSL") else {}
        return {
            "KAFKA_BOOTSTRAP": self.bootstrap(listener),
            "KAFKA_SECURITY_PROTOCOL": LISTENERS[listener],
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": self.password,
            **authority,
        }

    def with_certificate(self, pair: Pair) -> dict[str, str]:
        """The settings of a service that shows this certificate."""
        return {
            "KAFKA_BOOTSTRAP": self.bootstrap("MUTUAL"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_CA_FILE": str(self.authority.file),
            "KAFKA_CERT_FILE": str(pair.certificate),
            "KAFKA_KEY_FILE": str(pair.key),
        }

    def token(self, *, audience: str = AUDIENCE, seconds: float = 600, key: RSAKey | None = None) -> str:
        """As the identity provider of USER would make one."""
        said = {"sub": USER, "iss": ISSUER, "aud": audience, "iat": int(time.time()), "exp": int(time.time() + seconds)}
        return jwt.encode({"alg": "RS256", "kid": "tests"}, said, key or self.signing_key)

    async def prepare(self) -> Part:
        """Writes the configuration, and formats the log with the users of SCRAM."""
        java, *options = await tool(print)
        keys = self.folder / "jwks.json"
        keys.write_text(json.dumps({"keys": [self.signing_key.as_dict(private=False)]}))
        base = (java, f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}", *options)
        config = self.folder / "server.properties"
        config.write_text(self._properties(keys))
        users = [f"[name={user},password={self.password}]" for user in (USER, SERVICES, STRANGER)]
        added = [word for mechanism in SCRAM for user in users for word in ("--add-scram", f"{mechanism}={user}")]
        await run(*base, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config), *added)
        return Part("secured-kafka", (*base, "kafka.Kafka", str(config)), self.plain.answers)

    def _properties(self, keys: Path) -> str:
        """What comes later in the file counts."""
        server = self.folder / "server.pem"
        server.write_text(self.authority.server().both)
        doors = ",".join(f"{name}://{HOST}:{port}" for name, port in zip(LISTENERS, self.ports, strict=True))
        plain = f"PLAINTEXT://{HOST}:{self.plain.port}"
        lines = {
            "listeners": f"{plain},CONTROLLER://{HOST}:{self.plain.controller_port},{doors}",
            "advertised.listeners": f"{plain},{doors}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            + ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items()),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USER};User:CN={USER}",
            "log.cleaner.enable": "false",
        }
        for name in ("clear", "sealed"):
            lines |= self._sasl(f"listener.name.{name}", keys)
        lines["listener.name.clear.oauthbearer.connections.max.reauth.ms"] = str(SHORT_SESSION_MS)
        return self.plain.properties() + "".join(f"{name}={value}\n" for name, value in lines.items())

    def _sasl(self, listener: str, keys: Path) -> dict[str, str]:
        security = "org.apache.kafka.common.security"
        scram = f"{security}.scram.ScramLoginModule required;"
        users = " ".join(f'user_{user}="{self.password}"' for user in (USER, STRANGER))
        handler = f"{_OAUTH}.OAuthBearerValidatorCallbackHandler"
        oauth = f"{listener}.oauthbearer.sasl"
        return {
            f"{listener}.sasl.enabled.mechanisms": ",".join(("PLAIN", *SCRAM, "OAUTHBEARER")),
            f"{listener}.plain.sasl.jaas.config": f"{security}.plain.PlainLoginModule required {users};",
            **{f"{listener}.{name.lower()}.sasl.jaas.config": scram for name in SCRAM},
            f"{oauth}.jaas.config": f"{_OAUTH}.OAuthBearerLoginModule required;",
            f"{oauth}.server.callback.handler.class": handler,
            f"{oauth}.oauthbearer.jwks.endpoint.url": keys.as_uri(),
            f"{oauth}.oauthbearer.expected.audience": AUDIENCE,
            f"{oauth}.oauthbearer.expected.issuer": ISSUER,
        }


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[SecuredKafka, RunningPart]]:
    """A node of its own and its process, its state and its certificates below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port, controller, *ports = free_ports(2 + len(LISTENERS))
    authority = Authority(folder / "certificates", "Kafka")
    plain = Kafka(folder, port, controller)
    made = SecuredKafka(folder, plain, tuple(ports), authority, secrets.token_urlsafe(12))
    process = RunningPart(await made.prepare(), folder / "kafka.log")
    try:
        await process.start()
        yield made, process
    finally:
        await process.stop()
