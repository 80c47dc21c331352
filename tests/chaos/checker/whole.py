"""Guarantee 10: after any kill, and any other fault, everything goes on and comes to its end."""

from collections.abc import Iterator

from tests.chaos.checker.breach import Breach
from tests.chaos.checker.story import Story
from tests.chaos.history import Announced, CampaignRow, Fault, Over, Recovered


def unannounced(story: Story) -> Iterator[Breach]:
    """The control topic's last word on a campaign is what its row says."""
    told = {line.campaign: line for line in story.of(Announced)}
    for row in story.of(CampaignRow):
        last = told.get(row.campaign)
        if row.epoch > 0 and (last is None or (last.epoch, last.status) != (row.epoch, row.status)):
            sentence = f"campaign {row.campaign} is {row.status} in epoch {row.epoch}, dispatchers were told otherwise"
            yield Breach(sentence, (row,) if last is None else (last, row))


def not_recovered(story: Story) -> Iterator[Breach]:
    """Whatever a fault hit worked again."""
    faults = {line.number: line for line in story.of(Fault)}
    for line in story.of(Recovered):
        if line.seconds is None:
            yield Breach(
                f"{line.aspect} did not come back after {line.kind} of {line.target}", (faults[line.fault], line)
            )


def unended(story: Story) -> Iterator[Breach]:
    """Where the run waited for it, every campaign has come to its end."""
    for row in story.of(CampaignRow) if story.of(Over) else ():
        if row.status in {"RUNNING", "PAUSED"} or (row.status == "ABORTED" and row.completed_at is None):
            yield Breach(f"campaign {row.campaign} is still {row.status}", (row,))
