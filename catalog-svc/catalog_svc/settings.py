"""What catalog-svc can be told."""

from typing import Annotated

from pydantic import Field

from pulse.contracts.addresses import SecureAddress
from pulse.runtime.auth import AuthSettings
from pulse.runtime.rate_limit import RateLimitSettings
from pulse.runtime.settings import Dsn


class CatalogSettings(AuthSettings, RateLimitSettings):
    """`postgres_dsn` logs in as the role catalog_svc; `postgres_pool` is its most connections.

    `public_url` is where clients reach the API, such as https://ota.example.com: the certificate there is looked at.
    """

    postgres_dsn: Dsn
    postgres_pool: Annotated[int, Field(ge=1, le=100)] = 10
    public_url: SecureAddress | None = None
