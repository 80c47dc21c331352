"""What catalog-svc can be told."""

from typing import Annotated

from pydantic import Field

from pulse.runtime.auth import AuthSettings


class CatalogSettings(AuthSettings):
    """`postgres_dsn` logs in as the role catalog_svc; `postgres_pool` is its most connections."""

    postgres_dsn: str
    postgres_pool: Annotated[int, Field(ge=1, le=100)] = 10
