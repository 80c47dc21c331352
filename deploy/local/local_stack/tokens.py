"""Bearer tokens for the local stack: HS256 with the stack's own key."""

import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OctKey

from local_stack.errors import StackError
from pulse.contracts.names import RULE, is_name

ISSUER = "pulse-ota-local"
AUDIENCE = "pulse-ota"
VALID_SECONDS = 12 * 3600
ROLES = ("viewer", "operator", "approver", "admin")


def make(key_file: Path, tenant: str, roles: str, subject: str | None = None, valid: float = VALID_SECONDS) -> str:
    """A token for `tenant` with a comma-separated list of roles, valid for `valid` seconds. Raises StackError.

    `subject` left out is `local-` and the first role, so that a second person's approval shows.
    """
    wanted = [role.strip() for role in roles.split(",")]
    unknown = [role for role in wanted if role not in ROLES]
    if unknown:
        raise StackError(f"no role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    if not is_name(tenant):
        raise StackError(f"{tenant!r} cannot be a tenant: {RULE}")
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject or f"local-{wanted[0]}",
        "iat": now,
        "exp": now + int(valid),
    }
    key = OctKey.import_key(key_file.read_bytes().strip())
    return jwt.encode({"alg": "HS256"}, {**claims, "tenant_id": tenant, "roles": wanted}, key)
