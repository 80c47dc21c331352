"""Settings come from the environment, or for secrets from the file that `<NAME>_FILE` names."""

import os
import re
import ssl
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import EnvSettingsSource

from pulse.contracts.addresses import is_host, is_port
from pulse.runtime.errors import StartRefused

Port = Annotated[int, Field(ge=0, le=65_535)]
"""To listen at; 0: any."""
BrokerPort = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[int, Field(gt=0)]
_SERVER = re.compile(r"(\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(:(?P<port>\d{1,5}))?")
_DSN = re.compile(r"postgres(ql)?://([^/@?#]*@)?(?P<servers>[^/@?#]*)/[^/?#]+(\?.*)?")


def _is_server(text: str, *, needs_port: bool) -> bool:
    """Whether it is a host with a port; an IPv6 address in brackets."""
    found = _SERVER.fullmatch(text)
    if found is None or not is_host(found["v6"] or found["name"] or ""):
        return False
    return is_port(found["port"]) if found["port"] else not needs_port


def _dsn(value: str) -> str:
    """Its words never repeat the value, which holds a password."""
    found = _DSN.fullmatch(value)
    servers = found["servers"] if found else ""
    if not found or (servers and not all(_is_server(server, needs_port=False) for server in servers.split(","))):
        raise ValueError("must be postgresql://user:password@host:port/database, with %23 for a # and %3F for a ?")
    return value


def _bootstrap(value: str) -> str:
    if not all(_is_server(server, needs_port=True) for server in value.split(",")):
        raise ValueError("must be host:port, or several with commas and no spaces between")
    return value


def _host(value: str) -> str:
    if not is_host(value):
        raise ValueError("must be a host's name or address, without scheme and port")
    return value


def _authority(file: Path) -> Path:
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # an ssl.SSLError is one
        raise ValueError(f"{file} holds no certificate that can be read: {error}") from error
    return file


Dsn = Annotated[str, AfterValidator(_dsn), Field(repr=False)]
Bootstrap = Annotated[str, AfterValidator(_bootstrap)]
Host = Annotated[str, AfterValidator(_host)]
AuthorityFile = Annotated[Path, AfterValidator(_authority)]


class _FromFiles(EnvSettingsSource):
    """`POSTGRES_DSN_FILE=/run/secrets/dsn` gives POSTGRES_DSN the content of that file, without a trailing newline."""

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.settings_cls.model_fields:
            path = os.environ.get(f"{name.upper()}_FILE")
            if path and not name.endswith("_file"):
                found[name] = _content(name, path)
        return found


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"setting {name.upper()}_FILE: {path} cannot be read: {error}") from error


class ServiceSettings(BaseSettings):
    """What every service can be told; HTTP carries its API, `/healthz`, `/readyz` and `/metrics`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    http_host: Host = "127.0.0.1"
    http_port: Port = 8000
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is the library's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FromFiles(settings_cls)


S = TypeVar("S", bound=ServiceSettings)


def load(kind: type[S]) -> S:
    """The settings of this process. Raises StartRefused with one line that names every setting that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        raise StartRefused(f"settings: {'; '.join(map(_words, error.errors()))}") from error


def _words(error: ErrorDetails) -> str:
    """What concerns several settings names them by itself. Never the value, which may be a secret."""
    name = ".".join(map(str, error["loc"])).upper()
    return f"{name}: {error['msg']}" if name else error["msg"].removeprefix("Value error, ")
