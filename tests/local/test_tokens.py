"""A token of the local stack is one that the services accept."""

from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from local_stack import tokens
from local_stack.errors import StackError
from local_stack.files import secret
from pulse.runtime.auth import AuthSettings, Principal, Verifier
from pulse.runtime.errors import Unauthenticated


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    secret(tmp_path / "key")
    return tmp_path / "key"


async def test_the_services_accept_it_with_its_tenant_and_roles(key_file: Path) -> None:
    token = tokens.make(key_file, "acme", "operator, approver", subject="anna")
    found = await Verifier(AuthSettings(auth_key_file=key_file, auth_issuer=tokens.ISSUER)).principal(token)
    assert found == Principal("anna", "acme", frozenset({"operator", "approver"}))


async def test_a_token_of_the_stack_s_key_under_another_issuer_is_refused_with_the_right_one(key_file: Path) -> None:
    key = OctKey.import_key(key_file.read_bytes())
    claims = jwt.decode(tokens.make(key_file, "acme", "admin"), key).claims
    foreign = jwt.encode({"alg": "HS256"}, claims | {"iss": "https://id.example.com"}, key)
    checks = Verifier(AuthSettings(auth_key_file=key_file, auth_issuer=tokens.ISSUER))
    with pytest.raises(Unauthenticated, match="another issuer: its iss must be pulse-ota-local"):
        await checks.principal(foreign)


async def test_it_ends(key_file: Path) -> None:
    token = tokens.make(key_file, "acme", "admin", valid=-60)
    with pytest.raises(Unauthenticated, match="expired"):
        await Verifier(AuthSettings(auth_key_file=key_file)).principal(token)


async def test_another_stack_s_key_does_not_open_this_one(key_file: Path, tmp_path: Path) -> None:
    secret(tmp_path / "other")
    token = tokens.make(tmp_path / "other", "acme", "admin")
    with pytest.raises(Unauthenticated):
        await Verifier(AuthSettings(auth_key_file=key_file)).principal(token)


def test_an_unknown_role_or_a_name_that_is_no_tenant_is_refused(key_file: Path) -> None:
    with pytest.raises(StackError, match="no role boss; there are viewer, operator, approver, admin"):
        tokens.make(key_file, "acme", "admin,boss")
    with pytest.raises(StackError, match="cannot be a tenant"):
        tokens.make(key_file, "ac/me", "admin")
