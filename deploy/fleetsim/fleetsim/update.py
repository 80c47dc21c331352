"""One update on a simulated device: a real download, an installation that takes its time, and what may go wrong."""

import asyncio
from collections.abc import Callable

from fleetsim.device import Broke, Downloaded, FellSilent, Installed, Progressed, Work
from fleetsim.download import DownloadError, Wanted, fetch
from fleetsim.nature import Failure, Nature
from fleetsim.wire import Command
from fleetsim.world import World


async def perform(command: Command, nature: Nature, world: World, take: Callable[[Work], None]) -> None:
    """Do what the command says and tell `take` how it goes, to the end."""
    failure, campaign_id = nature.failure(command.attempt), command.campaign_id
    times = nature.times(failure)
    try:
        async with world.downloads:
            wanted = _wanted(command, failure, times.download)
            await fetch(world.http, wanted, lambda percent: take(Progressed(campaign_id, percent)))
    except DownloadError as error:
        world.tally.failed += 1
        take(Broke(campaign_id, error.code, str(error)))
        return
    take(Downloaded(campaign_id))
    await asyncio.sleep(times.install)
    take(_outcome(campaign_id, failure, world))


def _wanted(command: Command, failure: Failure | None, seconds: float) -> Wanted:
    """The file of the command. A failure to come is a real one: a file that is not there, or one that is damaged."""
    url = f"{command.firmware_url}.missing" if failure is Failure.DOWNLOAD else command.firmware_url
    return Wanted(url, command.size, command.checksum, seconds, damaged=failure is Failure.CHECKSUM)


def _outcome(campaign_id: int, failure: Failure | None, world: World) -> Work:
    if failure is Failure.SILENCE:
        world.tally.silent += 1
        return FellSilent(campaign_id)
    if failure is Failure.INSTALL:
        world.tally.failed += 1
        return Broke(campaign_id, "install_failed", "the new firmware does not start; the old one runs again")
    world.tally.succeeded += 1
    return Installed(campaign_id)
