"""Batches: full ones at once, others after the linger, in the order of arrival."""

import asyncio

from status_ingest_svc.inbox import Inbox


async def test_a_full_batch_does_not_wait() -> None:
    inbox: Inbox[int] = Inbox(size=3, linger=60)
    for item in range(7):
        inbox.put(item)
    async with asyncio.timeout(5):
        assert await inbox.batch() == [0, 1, 2]
        assert await inbox.batch() == [3, 4, 5]
    assert len(inbox) == 1


async def test_a_single_message_waits_for_company_no_longer_than_the_linger() -> None:
    inbox: Inbox[int] = Inbox(size=1_000, linger=0.05)
    inbox.put(1)
    began = asyncio.get_running_loop().time()
    assert await inbox.batch() == [1]
    assert 0.04 < asyncio.get_running_loop().time() - began < 1


async def test_what_is_cleared_is_never_given() -> None:
    inbox: Inbox[int] = Inbox(size=2, linger=0.01)
    inbox.put(1)
    async with asyncio.TaskGroup() as group:
        batch = group.create_task(inbox.batch())
        await asyncio.sleep(0)
        inbox.clear()
        await asyncio.sleep(0.05)
        assert not batch.done()
        inbox.put(2)
    assert batch.result() == [2]
