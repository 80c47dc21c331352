"""Writes each REST service's OpenAPI beside this file, and both in one for the page at `/docs`: `make openapi`.

A test fails where they differ.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import campaign_svc.main
import catalog_svc.main

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "frontend" / "docs" / "public" / "openapi.json"
"""What the gateway serves as `/docs/openapi.json`."""
MANNERS = """\
Firmware campaigns for fleets of MQTT devices: firmware versions, devices, groups, campaigns.

- **Paths.** Each path is also there without `/api/v1`.
- **Tokens.** `Authorization: Bearer <JWT>` with the claims `sub`, `exp`, `aud`, `tenant_id` and `roles`. What belongs \
to another tenant is not there: 404. An operation names its roles; one of them is enough.
- **Errors** are `application/problem+json` (RFC 9457). `code` is stable, `errors` names the fields.
- **A repeated request.** With an `Idempotency-Key` a POST or PATCH that is repeated within 24 hours is done once, and \
is answered the same, with the header `Idempotency-Replayed: true`.
- **Lists.** Give `next` of one page as `after` for the next one.
- **Rate limits.** `RateLimit` and `RateLimit-Policy` say where the tenant and the token stand; 429 has `Retry-After`.
- **Times** are RFC 3339 in UTC with six fractional digits. A time in a request names its offset.
"""
TAGS = {
    "firmware": "Versions: registered once, never changed, only withdrawn.",
    "devices": "What is updated.",
    "device groups": "Named lists of devices; a campaign aims at one.",
    "campaigns": "One firmware version to one group, at a rate, in stages, with a rule that stops it.",
    "overview": "The tenant at one glance.",
    "events": "Server-sent events: what changes, while it does.",
}


def documents() -> dict[str, dict[str, Any]]:
    """The OpenAPI of each service, by its name."""
    return {
        "catalog-svc": catalog_svc.main.build(None, None).openapi(),
        "campaign-svc": campaign_svc.main.build(None, None, None, {}).openapi(),
    }


def merged(parts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """All of them in one. Raises ValueError where two say different things under one name."""
    kinds = sorted({kind for part in parts.values() for kind in part["components"]})
    return {
        "openapi": next(iter(parts.values()))["openapi"],
        "info": {"title": "Pulse OTA", "version": "1", "description": MANNERS},
        "servers": [{"url": "/api/v1"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _union(part["paths"] for part in parts.values()),
        "components": {kind: _union(part["components"].get(kind, {}) for part in parts.values()) for kind in kinds},
    }


def _union(parts: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in parts:
        for name, said in part.items():
            if whole.setdefault(name, said) != said:
                raise ValueError(f"{name} means two things; rename one of them")
    return whole


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    written = documents()
    for name, document in written.items():
        (FOLDER / f"{name}.json").write_text(text(document), encoding="utf-8")
    PAGE.write_text(text(merged(written)), encoding="utf-8")
