"""The certificate at PUBLIC_URL, shown by a real TLS server, and what the metric says of it."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from catalog_svc.gateway_certificate import look
from catalog_svc.main import main
from catalog_svc.settings import CatalogSettings
from local_stack.ports import free_ports
from pulse.runtime import settings
from pulse.runtime.certificates import NOT_AFTER
from pulse.runtime.errors import StartRefused
from tests.real_parts import Database

NOW = datetime.now(UTC).replace(microsecond=0)


def made(folder: Path, ends: datetime) -> ssl.SSLContext:
    """A server's certificate that nobody has a reason to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere.example.com")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=90))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


@asynccontextmanager
async def serving(port: int, tls: ssl.SSLContext) -> AsyncIterator[None]:
    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(wait_for_the_end, "127.0.0.1", port, ssl=tls)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def noted() -> datetime:
    [metric] = NOT_AFTER.collect()
    [ends] = [s.value for s in metric.samples if s.labels == {"role": "peer", "whose": "gateway"}]
    return datetime.fromtimestamp(ends, UTC)


async def test_the_end_of_the_certificate_at_the_public_address_is_noted_also_when_it_is_past(tmp_path: Path) -> None:
    [port] = free_ports(1)
    url = f"https://localhost:{port}"
    for ends in (NOW + timedelta(days=10), NOW - timedelta(days=1)):
        async with serving(port, made(tmp_path, ends)):
            await look(url)
        assert noted() == ends


async def test_what_was_seen_last_stays_while_nobody_answers(tmp_path: Path) -> None:
    [port] = free_ports(1)
    url, ends = f"https://localhost:{port}", NOW + timedelta(days=30)
    async with serving(port, made(tmp_path, ends)):
        await look(url)
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await look(url)
    assert noted() == ends


async def test_the_service_exports_it_as_long_as_it_runs(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, public = free_ports(2)
    ends = NOW + timedelta(days=60)
    monkeypatch.setenv("POSTGRES_DSN", postgres.dsn_of("catalog_svc"))
    monkeypatch.setenv("AUTH_JWKS_URL", "https://id.example.com/jwks")
    monkeypatch.setenv("AUTH_ISSUER", "https://id.example.com")
    monkeypatch.setenv("PUBLIC_URL", f"https://localhost:{public}")
    monkeypatch.setenv("HTTP_PORT", str(port))
    stop = asyncio.Event()
    async with serving(public, made(tmp_path, ends)), asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(main(settings.load(CatalogSettings), stop))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as prometheus:
            while await exported(prometheus) != ends.timestamp():
                await asyncio.sleep(0.05)
        stop.set()


async def exported(prometheus: httpx.AsyncClient) -> float | None:
    """The end of the gateway's certificate in the service's metrics; None as long as it does not answer."""
    try:
        metrics = (await prometheus.get("/metrics")).text
    except httpx.TransportError:
        return None
    found = re.search(r'^pulse_tls\w+\{role="peer",whose="gateway"\} (\S+)$', metrics, re.MULTILINE)
    return float(found[1]) if found else None


@pytest.mark.parametrize(
    "wrong", ["ota.example.com", "http://ota.example.com", "https://ota.example.com:99999", "https://"]
)
def test_an_address_without_tls_is_refused_at_the_start(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_DSN", "postgresql://localhost/any")
    monkeypatch.setenv("AUTH_JWKS_URL", "https://id.example.com/jwks")
    monkeypatch.setenv("AUTH_ISSUER", "https://id.example.com")
    monkeypatch.setenv("PUBLIC_URL", wrong)
    with pytest.raises(StartRefused, match="PUBLIC_URL"):
        settings.load(CatalogSettings)
