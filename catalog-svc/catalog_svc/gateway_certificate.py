"""Looks each hour at the certificate that clients of the API meet, so that an alert can say when it is about to end."""

import asyncio
import ssl
from urllib.parse import urlsplit

import structlog
from cryptography import x509

from pulse.contracts.addresses import SecureAddress
from pulse.runtime import certificates

LOOK_SECONDS = 3600.0
RETRY_SECONDS = 60.0
CONNECT_SECONDS = 5.0
log = structlog.get_logger()


async def watch(url: SecureAddress | None) -> None:
    """Looks until cancelled; at nothing without an address. What was seen last counts while nobody answers."""
    while url is not None:
        try:
            await look(url)
        except (OSError, ValueError) as error:  # nobody answers in time, or not with TLS; not a certificate
            log.warning("gateway_certificate_unseen", url=url, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await asyncio.sleep(LOOK_SECONDS)


async def look(url: SecureAddress) -> None:
    """Notes when the certificate ends. Raises OSError, ValueError."""
    host, port = urlsplit(url).hostname, urlsplit(url).port or 443
    async with asyncio.timeout(CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=_curious(), server_hostname=host)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    certificates.shown("gateway", x509.load_der_x509_certificate(shown).not_valid_after_utc)


def _curious() -> ssl.SSLContext:
    """Takes every certificate, one that has ended, too: its date is read, and nothing else is said or believed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
