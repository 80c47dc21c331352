"""What a service can be told of the devices' broker, and of how to reach it."""

import ssl
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from pulse.runtime.settings import AuthorityFile, BrokerPort, Host, ServiceSettings
from pulse.runtime.tls import RenewedContext, TlsFiles


class BrokerSettings(ServiceSettings):
    """`mqtt_ca_file` or a client certificate turns TLS on; without `mqtt_ca_file` the system's authorities are trusted.

    The process is known by user and password, by `mqtt_cert_file` and `mqtt_key_file`, or by both, as the broker
    wants it. `mqtt_alpn` is the protocol that is named in the TLS handshake, where a broker shares a port by it.
    """

    mqtt_host: Host
    mqtt_port: BrokerPort = 1883
    mqtt_user: str | None = None
    mqtt_password: Annotated[str | None, Field(repr=False)] = None
    mqtt_ca_file: AuthorityFile | None = None
    mqtt_cert_file: Path | None = None
    mqtt_key_file: Path | None = None
    mqtt_alpn: Annotated[str | None, Field(pattern=r"^[!-~]{1,255}$")] = None

    @model_validator(mode="after")
    def broker_access_fits(self) -> "BrokerSettings":
        wrong = [*self._tls_files().wrong()]
        if self.mqtt_password is not None and self.mqtt_user is None:
            wrong.append("MQTT_USER is missing, MQTT_PASSWORD is given")
        if self.mqtt_alpn is not None and not self._uses_tls:
            wrong.append("MQTT_ALPN is given, but neither MQTT_CA_FILE nor MQTT_CERT_FILE, so there is no TLS")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @cached_property
    def mqtt_tls(self) -> ssl.SSLContext | None:
        """None: without TLS. Raises OSError where a file has gone since it was checked."""
        return RenewedContext(self._tls_files()) if self._uses_tls else None

    @property
    def _uses_tls(self) -> bool:
        return self.mqtt_ca_file is not None or self.mqtt_cert_file is not None

    def _tls_files(self) -> TlsFiles:
        return TlsFiles("MQTT", "broker", self.mqtt_ca_file, self.mqtt_cert_file, self.mqtt_key_file, self.mqtt_alpn)
