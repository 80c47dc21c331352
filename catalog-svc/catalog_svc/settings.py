"""What catalog-svc can be told."""

from typing import Annotated

from pydantic import Field

from catalog_svc.networks import Networks
from pulse.contracts.addresses import SecureAddress
from pulse.runtime.auth import AuthSettings
from pulse.runtime.rate_limit import RateLimitSettings
from pulse.runtime.settings import Dsn


class CatalogSettings(AuthSettings, RateLimitSettings):
    """`postgres_dsn` logs in as the role catalog_svc; `postgres_pool` is its most connections.

    `public_url` is where clients reach the API, such as https://ota.example.com: the certificate there is looked at.
    `file_check`: whether the addresses of firmware files are asked for the file and its size; `file_check_networks` are
    networks of one's own where that is allowed, such as 10.20.0.0/16,fd00::/8. Public addresses always are.
    """

    postgres_dsn: Dsn
    postgres_pool: Annotated[int, Field(ge=1, le=100)] = 10
    public_url: SecureAddress | None = None
    file_check: bool = True
    file_check_networks: Networks = ()
