"""Lines of histories for tests of the checker: of tenant `t`, campaign 1 and device `d`, unless said otherwise."""

from typing import Any, Literal

import msgspec

from tests.chaos.history import (
    Asked,
    CampaignRow,
    Device,
    Fault,
    Line,
    Looked,
    Made,
    Recovered,
    Requested,
    Row,
    Written,
)

SECOND = "2026-01-01T12:00:{:02}.000000Z"


def command(*, campaign: int = 1, attempt: int = 1, issued: int = 0, version: str = "2") -> str:
    """A command's text, issued so many seconds after noon."""
    fields = {
        "type": "ota_update",
        "campaign_id": campaign,
        "attempt": attempt,
        "version": version,
        "firmware_url": "http://x",
        "size": 1,
        "checksum": "aa",
        "issued_at": SECOND.format(issued),
        "expires_at": "2026-01-01T13:00:00.000000Z",
    }
    return msgspec.json.encode(fields).decode()


def made(*, devices: int = 1, rate: float = 10.0) -> Made:
    return Made(at=0, tenant="t", campaign=1, devices=devices, rate=rate)


def asked(change: Any, at: float, *, status: int = 200, answered: float | None = None) -> Asked:
    done = at if answered is None else answered
    return Asked(at=at, tenant="t", campaign=1, change=change, answered=done, status=status)


def written(at: float, text: str | None = None, *, device: str = "d", tenant: str = "t", late: float = 0) -> Written:
    """`late`: for so many seconds before `at` nobody had looked."""
    return Written(
        at=at, by="dispatcher-svc-1", earliest=at - late, tenant=tenant, device=device, payload=text or command()
    )


def requested(text: str | None = None, *, campaign: int = 1, attempt: int = 1) -> Requested:
    return Requested(
        at=0,
        tenant="t",
        device="d",
        campaign=campaign,
        attempt=attempt,
        epoch=1,
        bucket="1:0",
        command=text or command(campaign=campaign, attempt=attempt),
    )


Did = Literal["connected", "disconnected", "received", "began", "ended", "sent", "lost"]


def did(what: Did, payload: str = "", *, at: float = 0, reason_code: int = 0) -> Device:
    return Device(at=at, tenant="t", device="d", did=what, payload=payload, reason_code=reason_code)


def update(what: Literal["began", "ended"], *, campaign: int = 1, attempt: int = 1, at: float = 0) -> Device:
    fields = {"campaign_id": campaign, "attempt": attempt, "version": "2"}
    return did(what, msgspec.json.encode(fields).decode(), at=at)


def said(status: str, *, attempt: int = 1, at: float = 0, reason_code: int = 0) -> Device:
    fields = {"campaign_id": 1, "status": status, "attempt": attempt}
    return did("sent", msgspec.json.encode(fields).decode(), at=at, reason_code=reason_code)


def row(status: str, **fields: Any) -> Row:
    values: dict[str, Any] = {"tenant": "t", "campaign": 1, "device": "d", "attempt": 1, "failures": 0, **fields}
    return Row(at=1000, status=status, **values)


def campaign(
    status: str = "COMPLETED", *, epoch: int = 0, completed_at: float | None = 900, tenant: str = "t"
) -> CampaignRow:
    return CampaignRow(at=1000, tenant=tenant, campaign=1, status=status, epoch=epoch, completed_at=completed_at)


def looked() -> Line:
    return Looked(at=1)


def fault(number: int = 1) -> Fault:
    return Fault(at=5, number=number, kind="kill", target="kafka", lifted=6)


def recovered(seconds: float | None) -> Recovered:
    return Recovered(at=9, fault=1, kind="kill", target="kafka", aspect="commands", seconds=seconds, alone=True)
