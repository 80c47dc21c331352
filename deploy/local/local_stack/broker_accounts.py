"""The broker's password file: salted hashes, written in bulk, read again by the broker on SIGHUP."""

import hashlib
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from local_stack import password_file
from local_stack.errors import StackError
from local_stack.mqtt_probe import connect_code

ITERATIONS = 101
"""Mosquitto's own default. It checks a hash at every connect, on its only thread, so this is kept small."""
SALT_BYTES = 12
REREAD_SECONDS = 10.0


def add(run_dir: Path, accounts: Mapping[str, str]) -> None:
    """Gives each user its password; other accounts stay. A running broker accepts them when this returns.

    Raises StackError for a user name that the file cannot hold, or when the broker does not take the accounts.
    """
    folder = run_dir / "mosquitto"
    write(folder / "passwords", accounts)
    if accounts and password_file.reread(folder):
        _wait_until_accepted(folder, *list(accounts.items())[-1])


def write(file: Path, accounts: Mapping[str, str]) -> None:
    """Adds or replaces lines of the password file, in one step."""
    for user in accounts:
        must_fit(user)
    with password_file.locked(file):
        new = {user: hashed(password) for user, password in accounts.items()}
        password_file.put(file, password_file.lines(file) | new)


def hashed(password: str) -> str:
    """Mosquitto's `$7$` form: PBKDF2 with SHA-512, iterations, salt, hash."""
    salt = secrets.token_bytes(SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${b64encode(salt).decode()}${b64encode(key).decode()}"


def must_fit(user: str) -> None:
    """The file has one account a line, and its name ends at the first colon; the ACL refuses wildcards in names."""
    wrong = re.search(r"[:+#\x00-\x1f\x7f]", user)
    if not user or user.startswith(" ") or wrong:
        what = f"contains {wrong[0]!r}" if wrong else "is empty or begins with a space"
        raise StackError(f"MQTT user {user!r} {what}: the broker's password file cannot hold it")


def _wait_until_accepted(folder: Path, user: str, password: str) -> None:
    port = _port(folder)
    deadline = time.monotonic() + REREAD_SECONDS
    while connect_code(port, user, password) != 0:
        if time.monotonic() > deadline:
            raise StackError(f"the broker on port {port} does not accept the new account {user}")
        time.sleep(0.05)


def _port(folder: Path) -> int:
    found = re.search(r"^listener (\d+)", (folder / "mosquitto.conf").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise StackError(f"{folder / 'mosquitto.conf'} has no listener")
    return int(found[1])
