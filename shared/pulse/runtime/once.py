"""`Idempotency-Key`: a POST that is repeated with the same key is done once, and answered the same.

The use case claims the key and keeps its answer in the transaction that does the work:

    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        …
        await once.keep(conn, answer)

So a process killed at any point has done all of it or nothing, and a refusal keeps nothing.
"""

from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from pulse.runtime.db import Connection
from pulse.runtime.errors import Conflict, Replay

KEPT_HOURS = 24
"""For how long a repeat is answered the same."""
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
        description="A name for the request, 1 to 200 characters: a repeat with it within 24 hours is not done again.",
    ),
]


class IdempotencyMismatch(Conflict):
    """The Idempotency-Key was used for another request within the last 24 hours."""

    code = "idempotency_mismatch"


class Once:
    """A request's idempotency key; without one every request is done.

    `usual` is the status of the route's answer, `fingerprint` tells requests apart that came with the same key.
    """

    def __init__(self, key: str | None, fingerprint: str, usual: int) -> None:
        self._key = key
        self._fingerprint = fingerprint
        self._usual = usual
        self._tenant = ""

    async def claim(self, conn: Connection, tenant: str) -> None:
        """Comes first in the transaction; waits for a twin that is at work.

        Raises Replay when the request was done before, IdempotencyMismatch when the key was another request's.
        """
        self._tenant = tenant
        if self._key is None:
            return
        claimed = await conn.fetchval(
            """INSERT INTO idempotency_keys (tenant_id, key, fingerprint) VALUES ($1, $2, $3)
               ON CONFLICT DO NOTHING RETURNING true""",
            tenant,
            self._key,
            self._fingerprint,
        )
        if not claimed:
            await self._refuse(conn)

    async def _refuse(self, conn: Connection) -> None:
        kept = await conn.fetchrow(
            "SELECT fingerprint, status, answer FROM idempotency_keys WHERE tenant_id = $1 AND key = $2",
            self._tenant,
            self._key,
        )
        if kept is None:  # it was a day old, and went at this moment
            await self.claim(conn, self._tenant)
        elif kept["fingerprint"] != self._fingerprint:
            raise IdempotencyMismatch("this Idempotency-Key was used for another request", field="idempotency-key")
        else:
            raise Replay(kept["status"], kept["answer"])

    async def keep(self, conn: Connection, answer: BaseModel, status: int | None = None) -> None:
        """Keeps the answer for repeats, or a later one in its place. `status`: if it is not the usual one."""
        if self._key is None:
            return
        await conn.execute(
            "UPDATE idempotency_keys SET status = $3, answer = $4 WHERE tenant_id = $1 AND key = $2",
            self._tenant,
            self._key,
            status or self._usual,
            answer.model_dump_json(),
        )


def once(request: Request, key: str | None, body_sha256: str) -> Once:
    """For a body that was read elsewhere; `body_sha256` in hexadecimal digits."""
    seen = f"{request.method} {request.url.path}?{request.url.query} {body_sha256}"
    usual: int = request.scope["route"].status_code or 200
    return Once(key, sha256(seen.encode()).hexdigest(), usual)


async def _once(request: Request, idempotency_key: IdempotencyKey = None) -> Once:
    return once(request, idempotency_key, sha256(await request.body()).hexdigest())


OnlyOnce = Annotated[Once, Depends(_once)]
"""The endpoint's Once, for bodies that fit into memory."""
