"""A bearer token becomes a Principal: who asks, for which tenant, with which roles."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Annotated, Any, Protocol

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from pydantic import model_validator

from pulse.contracts.addresses import WebAddress
from pulse.contracts.names import is_name, is_storable
from pulse.runtime.errors import Forbidden, StartRefused, TooManyRequests, Unauthenticated
from pulse.runtime.jwks import Jwks
from pulse.runtime.rate_limit import RateLimits
from pulse.runtime.settings import ServiceSettings

log = structlog.get_logger()
LEEWAY_SECONDS = 10
FAR = 1e300
"""A time beyond it is none: not a number, infinite, or more than a float can hold."""
MOST_AHEAD_SECONDS = 10 * 366 * 86_400
"""No claim names a time further ahead: whoever does means milliseconds, and such a token would never expire."""
ASYMMETRIC = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


class Role(StrEnum):
    """What a token may allow; `viewer` is part of each of the others."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; `tenant` bounds everything that is read or written. `expires_at` (epoch seconds) ends streams."""

    subject: str
    tenant: str
    roles: frozenset[str]
    expires_at: float = field(default=inf, compare=False)


class AuthSettings(ServiceSettings):
    """Exactly one of `auth_jwks_url` (asymmetric keys) and `auth_key_file` (a secret of at least 32 bytes, HS256).

    With the former `auth_issuer` is needed: a provider may sign for many issuers with the same keys.
    """

    auth_jwks_url: WebAddress | None = None
    auth_key_file: Path | None = None
    auth_issuer: str | None = None
    auth_audience: str = "pulse-ota"
    auth_tenant_claim: str = "tenant_id"
    auth_roles_claim: str = "roles"

    @model_validator(mode="after")
    def one_source_of_keys(self) -> "AuthSettings":
        if (self.auth_jwks_url is None) == (self.auth_key_file is None):
            raise ValueError("set exactly one of AUTH_JWKS_URL and AUTH_KEY_FILE")
        if self.auth_jwks_url is not None and self.auth_issuer is None:
            raise ValueError("set AUTH_ISSUER to the `iss` of your identity provider's tokens")
        return self


class Keys(Protocol):
    """Where the keys come from."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that these keys are for; no other is accepted."""

    async def for_token(self, token: str) -> KeySet | OctKey:
        """The keys that may have signed `token`. Raises Unauthenticated or Unavailable."""


class KeyFile:
    """One shared secret, HS256."""

    algorithms = ("HS256",)

    def __init__(self, path: Path) -> None:
        try:
            secret = path.read_bytes().strip()
        except OSError as error:
            raise StartRefused(f"setting AUTH_KEY_FILE: {path} cannot be read: {error}") from error
        if len(secret) < 32:
            raise StartRefused(f"setting AUTH_KEY_FILE: {path} holds less than 32 bytes")
        self._key = OctKey.import_key(secret)

    async def for_token(self, token: str) -> OctKey:  # noqa: ARG002  one key for every token
        return self._key


class Verifier:
    """Checks signature, algorithm, issuer, audience, expiry and the claims that a Principal is made of."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        if settings.auth_issuer is None:
            log.warning("tokens_of_every_issuer_are_taken", setting="AUTH_ISSUER")
        self._keys: Keys = (
            KeyFile(settings.auth_key_file)
            if settings.auth_key_file
            else Jwks(str(settings.auth_jwks_url), algorithms=ASYMMETRIC)
        )

    async def principal(self, token: str) -> Principal:
        """Raises Unauthenticated with the reason; Unavailable when no key can be had."""
        key = await self._keys.for_token(token)
        try:
            claims = jwt.decode(token, key, algorithms=list(self._keys.algorithms)).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise Unauthenticated("the token's signature or form is not valid") from error
        self._check(claims)
        return self._principal(claims)

    def _check(self, claims: dict[str, Any]) -> None:
        now = time.time()
        if _seconds(claims, "exp", now, absent=0) + LEEWAY_SECONDS < now:
            raise Unauthenticated("the token has expired or names no exp")
        if _seconds(claims, "nbf", now, absent=0) - LEEWAY_SECONDS > now:
            raise Unauthenticated("the token is not valid yet")
        _seconds(claims, "iat", now, absent=0)
        audience = claims.get("aud")
        if self._settings.auth_audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("the token is for another audience")
        issuer = self._settings.auth_issuer
        if issuer is not None and claims.get("iss") != issuer:
            raise Unauthenticated(f"the token is from another issuer: its iss must be {issuer}")

    def _principal(self, claims: dict[str, Any]) -> Principal:
        tenant, subject = claims.get(self._settings.auth_tenant_claim), claims.get("sub")
        roles = claims.get(self._settings.auth_roles_claim)
        if not isinstance(tenant, str) or not is_name(tenant):
            raise Unauthenticated(f"the claim {self._settings.auth_tenant_claim} must be a tenant's name")
        if not isinstance(subject, str) or not subject or not is_storable(subject):
            raise Unauthenticated("the claim sub must be a text")
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            raise Unauthenticated(f"the claim {self._settings.auth_roles_claim} must be a list of texts")
        return Principal(subject, tenant, frozenset(roles), float(claims["exp"]) + LEEWAY_SECONDS)


def _seconds(claims: dict[str, Any], name: str, now: float, absent: float) -> float:
    """A claim that names a moment, in seconds since 1970. Raises Unauthenticated for what is none."""
    value = claims.get(name, absent)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= FAR or value != int(value):
        raise Unauthenticated(f"the claim {name} must be a whole number of seconds since 1970")
    if value > now + MOST_AHEAD_SECONDS:
        raise Unauthenticated(f"the claim {name} is more than ten years ahead; it is in seconds, not in milliseconds")
    return float(value)


_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="A JWT with the claims `sub`, `exp`, `aud`, `tenant_id` and `roles`.",
)


def require(*roles: Role) -> Callable[..., Any]:
    """A dependency that gives the Principal, if it has one of `roles`; admin may all.

    Raises Unauthenticated, Unavailable, TooManyRequests, Forbidden.
    """
    allowed = frozenset(roles) | {Role.ADMIN}

    async def principal(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Principal:
        if credentials is None:
            raise Unauthenticated("the header Authorization: Bearer <token> is missing")
        verifier: Verifier = request.app.state.verifier
        found = await verifier.principal(credentials.credentials)
        _limit(request, found.tenant, credentials.credentials)
        if not allowed & found.roles:
            raise Forbidden(f"this needs one of the roles {', '.join(sorted(allowed))}")
        return found

    return principal


def _limit(request: Request, tenant: str, token: str) -> None:
    limits: RateLimits | None = request.app.state.limits
    if limits is not None:
        request.state.standing = limits.admit(tenant, token)
        if request.state.standing.wait:
            raise TooManyRequests(request.state.standing.wait)


def one_of(*roles: Role) -> Any:
    """What `require` gives, with the roles where the OpenAPI finds them."""
    return Security(require(*roles), scopes=[*dict.fromkeys((*roles, Role.ADMIN))])


Viewer = Annotated[Principal, one_of(*Role)]
Operator = Annotated[Principal, one_of(Role.OPERATOR)]
Approver = Annotated[Principal, one_of(Role.APPROVER)]
Admin = Annotated[Principal, one_of()]
