"""The console is built when its sources have changed, and only then; without Node.js the rest goes on."""

from pathlib import Path

import pytest

from local_stack import console


@pytest.fixture
def frontend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A frontend of two files whose npm notes what it is asked for."""
    for name, text in {"src/main.ts": "go()", "package.json": "{}", "package-lock.json": "{}"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(console, "FRONTEND", tmp_path)
    monkeypatch.setattr(console, "DIST", tmp_path / "dist")
    monkeypatch.setattr(console, "SOURCES", ("src", "package.json", "package-lock.json"))
    return tmp_path


def program(file: Path, script: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def npm(frontend: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Node.js on the PATH; what its npm was asked for stands in the file returned."""
    folder, asked = frontend / "node", frontend / "asked"
    program(folder / "node", "echo v22.1.0")
    made = f"mkdir -p {frontend}/node_modules {frontend}/dist"
    program(folder / "npm", f'for word; do last="$word"; done; echo "$last" >> {asked}; {made}')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


async def test_a_console_is_built_once_and_again_only_when_a_source_has_changed(frontend: Path, npm: Path) -> None:
    assert await console.build(print)
    assert await console.build(print)
    assert npm.read_text().split() == ["ci", "build"]
    (frontend / "src" / "main.ts").write_text("go(2)")
    assert await console.build(print)
    assert npm.read_text().split() == ["ci", "build", "build"]


async def test_packages_are_fetched_again_when_the_lock_has_changed(frontend: Path, npm: Path) -> None:
    await console.build(print)
    (frontend / "package-lock.json").write_text('{"changed": true}')
    await console.build(print)
    assert npm.read_text().split() == ["ci", "build", "ci", "build"]


async def test_a_build_that_fails_is_told_and_stops_nothing(frontend: Path, npm: Path) -> None:
    program(frontend / "node" / "npm", "echo broken; exit 1")
    said: list[str] = []
    assert not await console.build(said.append)
    assert "everything else works without it" in said[-1]
    assert "broken" in said[-1]


async def test_a_node_that_is_too_old_is_not_taken(frontend: Path, npm: Path) -> None:
    program(frontend / "node" / "node", "echo v18.20.0")
    found = await console.find_node()
    assert found is None or found.folder != frontend / "node"
