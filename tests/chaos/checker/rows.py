"""Guarantees about rows: 1 none is forgotten, 2 counters are right, 6 one active update, 7 finished is finished."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from pulse.contracts.status import FINISHED
from tests.chaos.checker.breach import Breach
from tests.chaos.checker.story import Story
from tests.chaos.history import Asked, CampaignRow, Finished, Made, Miscounted, Row, TwiceActive, Unfinished

ENDED = frozenset({"COMPLETED", "ABORTED"})
UNFIT = frozenset({"already_on_version", "wrong_device_type"})


def forgotten(story: Story) -> Iterator[Breach]:
    """1: every device of a campaign that has ended is SUCCESS, FAILED or SKIPPED, and none has disappeared."""
    ended = {row.campaign: row for row in story.of(CampaignRow) if row.status in ENDED}
    found: Counter[int] = Counter()
    for row in story.of(Row):
        found[row.campaign] += 1
        if row.campaign in ended and row.status not in FINISHED:
            sentence = f"campaign {row.campaign} has ended, but {row.device} is {row.status}"
            yield Breach(sentence, (ended[row.campaign], row))
    for made in story.of(Made):
        if made.campaign in ended and found[made.campaign] != made.devices:
            sentence = f"campaign {made.campaign} had {made.devices} devices, and has {found[made.campaign]} rows"
            yield Breach(sentence, (made, ended[made.campaign]))


def miscounted(story: Story) -> Iterator[Breach]:
    """2: counters are what the rows are, in every snapshot."""
    for line in story.of(Miscounted):
        where = f"campaign {line.campaign}, stage {line.stage}"
        yield Breach(f"{where} counts {line.counted} {line.counter}, the rows are {line.rows}", (line,))


def twice_active(story: Story) -> Iterator[Breach]:
    """6, of the rows: no device is at work for two campaigns."""
    for line in story.of(TwiceActive):
        yield Breach(f"{line.device} is active in campaigns {line.campaigns}", (line,))


def reopened(story: Story) -> Iterator[Breach]:
    """7: a finished row never changes; one that FAILED may, once, after an operator's retry of its campaign, and one
    whose device did not fit when the campaign was made may, once, after its start."""
    lines: list[Finished | Unfinished] = [*story.of(Finished), *story.of(Unfinished)]
    before: dict[tuple[int, str], Finished] = {}
    spent: dict[tuple[int, str], int] = defaultdict(int)
    taken_in: set[tuple[int, str]] = set()
    for line in sorted(lines, key=lambda line: line.at):
        key = (line.campaign, line.device)
        old = before.get(key)
        if old is not None and (isinstance(line, Unfinished) or line.digest != old.digest):
            retries = _asked(story, "retry", line)
            if old.status == "FAILED" and len(retries) > spent[key]:
                spent[key] = len(retries)
            elif old.skip_reason in UNFIT and key not in taken_in and _asked(story, "start", line):
                taken_in.add(key)
            else:
                yield Breach(f"campaign {line.campaign}: {line.device} had finished, and changed", (old, line))
        if isinstance(line, Finished):
            before[key] = line
        else:
            before.pop(key, None)


def _asked(story: Story, change: str, before: Finished | Unfinished) -> list[Asked]:
    return [a for a in story.asked_of(before.campaign) if a.change == change and a.at < before.at]
