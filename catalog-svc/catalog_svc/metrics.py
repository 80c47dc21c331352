"""Prometheus series of catalog-svc."""

from prometheus_client import Counter

ASKED = Counter(
    "pulse_firmware_addresses_asked",
    "Addresses of firmware files that were asked, by what was found (found, or the warning's code)",
    ["result"],
)
