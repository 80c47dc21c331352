"""Asks an HTTP server one question: does it answer 200 here?"""

import httpx


async def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether GET `url` is answered with 200 within `timeout` seconds."""
    try:
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
