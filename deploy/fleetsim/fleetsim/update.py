"""One update on a simulated device: a download, real or only waited for, an installation, and what may go wrong."""

import asyncio
from collections.abc import Callable

from fleetsim.device import Broke, Downloaded, FellSilent, Installed, Progressed, RolledBack, Work
from fleetsim.download import DownloadError, Wanted, fetch
from fleetsim.nature import Failure, Fate
from fleetsim.tally import SUCCESS
from fleetsim.wire import Command
from fleetsim.world import World


async def perform(command: Command, fate: Fate, world: World, take: Callable[[Work], None]) -> str:
    """Do what the command says and tell `take` how it goes, to the end. Returns `success` or the kind of failure."""
    campaign_id = command.campaign_id

    def progress(percent: int) -> None:
        take(Progressed(campaign_id, percent))

    try:
        async with world.downloads if fate.is_fetched else world.unlimited:
            await (_fetch if fate.is_fetched else _pretend)(command, fate, world, progress)
    except DownloadError as error:
        take(Broke(campaign_id, error.code, str(error)))
        return fate.failure or Failure.DOWNLOAD
    world.tally.downloaded_bytes += fate.size
    take(Downloaded(campaign_id))
    await asyncio.sleep(fate.install)
    take(_outcome(campaign_id, fate.failure))
    return fate.failure or SUCCESS


async def _fetch(command: Command, fate: Fate, world: World, progress: Callable[[int], None]) -> None:
    """The file of the command. A failure to come is a real one: a file that is not there, or one that is damaged."""
    url = f"{command.firmware_url}.missing" if fate.failure is Failure.DOWNLOAD else command.firmware_url
    damaged = fate.failure is Failure.CHECKSUM
    wanted = Wanted(
        url, command.size, command.checksum, fate.download, world.behaviour.progress_percent, damaged=damaged
    )
    await fetch(world.http, wanted, progress)


async def _pretend(command: Command, fate: Fate, world: World, progress: Callable[[int], None]) -> None:
    """A download that only takes its time. Raises DownloadError as a real one would."""
    if fate.failure is Failure.DOWNLOAD:
        raise DownloadError("download_failed", "the file is not there")
    done, step = 0, world.behaviour.progress_percent
    while done + step < 100:
        await asyncio.sleep(fate.download * step / 100)
        done += step
        progress(done)
    await asyncio.sleep(fate.download * (100 - done) / 100)
    if fate.failure is Failure.CHECKSUM:
        raise DownloadError("bad_checksum", f"SHA-256 is not {command.checksum}")


def _outcome(campaign_id: int, failure: Failure | None) -> Work:
    if failure is Failure.SILENCE:
        return FellSilent(campaign_id)
    if failure is Failure.ROLLBACK:
        return RolledBack(campaign_id)
    if failure is Failure.INSTALL:
        return Broke(campaign_id, "install_failed", "the new firmware does not start; the old one runs again")
    return Installed(campaign_id)
