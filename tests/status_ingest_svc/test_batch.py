"""How a batch is taken apart, and what is left of it once it is written."""

from datetime import UTC, datetime

import pytest

from pulse.contracts.status import REPORTS, Event, Heard, Status, merge
from status_ingest_svc.batch import Batch, Part, ignored, left, sort
from status_ingest_svc.reading import Campaign, Message, Presence, Refused
from status_ingest_svc.store import Applied, Sighting

D1, D2 = ("acme", "d1"), ("acme", "d2")
CAMPAIGNS = {7: Campaign("acme", "2.0", 3), 8: Campaign("globex", "9.0", 3)}


def report(
    event: Event, attempt: int | None = 1, campaign: int = 7, device: str = "d1", version: str | None = None
) -> Message:
    return Message("mqtt:t", b"", Heard("acme", campaign, device, attempt, event, version=version))


def presence(version: str, device: tuple[str, str] = D1) -> Message:
    return Message("mqtt:t", b"", Presence(device, version))


def batch(*messages: Message) -> Batch:
    return sort(messages, CAMPAIGNS)


def applied(message: Message, was: Status | None, becomes: Status | None = None, attempt: int = 1) -> Applied:
    assert isinstance(message.said, Heard)
    return Applied(message.said, was, becomes, attempt, 0, 0, None, datetime.now(UTC))


def test_reports_without_an_attempt_are_written_apart() -> None:
    numbered, bare = report(Event.SUCCESS), report(Event.SUCCESS, attempt=None)
    sorted_ = batch(numbered, bare)
    assert [taken.message for taken in sorted_.numbered.taken] == [numbered]
    assert [taken.message for taken in sorted_.bare.taken] == [bare]


def test_a_device_is_heard_by_whatever_it_says() -> None:
    refused = Message("mqtt:t", b"", Refused("unknown_status", "status 'EXPLODED'", D2))
    unreadable = Message("mqtt:t", b"", Refused("unreadable", "not JSON", ("acme", "d3")))
    nobody = Message("mqtt:x", b"", Refused("unknown_device", "the topic does not name a device"))
    sorted_ = batch(presence("1.0"), refused, unreadable, report(Event.SUCCESS, campaign=99, device="d4"), nobody)
    assert sorted_.numbered.devices == {D1, D2, ("acme", "d3"), ("acme", "d4")}
    reasons = [aside.refused.reason for aside in sorted_.aside]
    assert reasons == ["unknown_status", "unreadable", "unknown_campaign", "unknown_device"]


def test_a_result_is_no_word_of_the_device() -> None:
    assert batch(report(Event.NO_SUBSCRIBER)).numbered.devices == set()


def test_another_tenants_campaign_is_unknown() -> None:
    [aside] = batch(report(Event.SUCCESS, campaign=8)).aside
    assert aside.refused.reason == "unknown_campaign"


def words(part: Part) -> list[Sighting]:
    return [word for words in part.words.values() for word in words]


def test_a_devices_words_on_its_version_keep_their_order_and_a_success_its_campaign() -> None:
    part = batch(presence("1.0"), report(Event.SUCCESS)).numbered
    assert part.sightings() == [Sighting(*D1, "1.0"), Sighting(*D1, "2.0", 7)]
    assert batch(report(Event.DOWNLOADING)).numbered.sightings() == [Sighting(*D1)]


def test_what_a_device_said_before_a_word_that_hangs_on_no_row_is_of_no_matter() -> None:
    part = batch(presence("1.0"), report(Event.SUCCESS), presence("1.1")).numbered
    assert part.sightings() == [Sighting(*D1, "1.1")]


def test_a_device_whose_only_word_hangs_on_its_row_was_heard_without_it() -> None:
    assert batch(report(Event.SUCCESS)).numbered.sightings() == [Sighting(*D1), Sighting(*D1, "2.0", 7)]


@pytest.mark.parametrize("event", sorted(REPORTS))
@pytest.mark.parametrize("attempt", [None, 1, 5])
@pytest.mark.parametrize("campaign", [7, 8, 99])
def test_a_version_in_any_report_is_what_the_device_runs(event: Event, attempt: int | None, campaign: int) -> None:
    sorted_ = batch(report(event, attempt, campaign, version="1.5"))
    assert [*words(sorted_.numbered), *words(sorted_.bare)] == [Sighting(*D1, "1.5")]


def test_a_version_in_a_report_that_is_put_aside_is_what_the_device_runs() -> None:
    refused = Message("mqtt:t", b"", Refused("unknown_status", "status 'EXPLODED'", D1, "1.5"))
    assert words(batch(refused, report(Event.SUCCESS)).numbered) == [Sighting(*D1, "1.5"), Sighting(*D1, "2.0", 7)]


@pytest.mark.parametrize("word", [presence("1.1"), report(Event.DOWNLOADING, version="1.1")])
def test_what_a_device_says_after_a_success_without_an_attempt_is_written_after_it(word: Message) -> None:
    sorted_ = batch(presence("1.0"), report(Event.SUCCESS, attempt=None), word)
    assert words(sorted_.numbered) == [Sighting(*D1, "1.0")]
    assert words(sorted_.bare) == [Sighting(*D1, "1.1")]


def test_what_a_device_says_before_its_success_is_written_before_it() -> None:
    sorted_ = batch(report(Event.DOWNLOADING, attempt=None, version="1.0"), report(Event.SUCCESS))
    assert words(sorted_.numbered) == [Sighting(*D1, "1.0"), Sighting(*D1, "2.0", 7)]
    assert words(sorted_.bare) == []


def test_all_messages_of_a_device_that_is_not_in_the_campaign_are_put_aside() -> None:
    first, second = report(Event.DOWNLOADING), report(Event.SUCCESS)
    part = batch(first, second, report(Event.SUCCESS, device="d2")).numbered
    aside, rest = left(part, [applied(second, None, attempt=0)])
    assert [(a.message, a.refused.reason) for a in aside] == [(first, "unknown_device"), (second, "unknown_device")]
    assert not rest


def test_what_an_impossible_attempt_hid_is_written_after_all() -> None:
    good, impossible = report(Event.SUCCESS, attempt=1), report(Event.DOWNLOADING, attempt=5)
    part = batch(good, impossible).numbered
    [merged] = merge(taken.heard for taken in part.taken)
    assert merged is impossible.said
    aside, rest = left(part, [applied(impossible, Status.DISPATCHED)])
    assert [(a.message, a.refused.reason) for a in aside] == [(impossible, "wrong_attempt")]
    assert [taken.message for taken in rest.taken] == [good]
    assert rest.sightings() == [Sighting(*D1), Sighting(*D1, "2.0", 7)]


def test_a_word_on_the_version_stays_the_last_when_a_success_is_written_after_all() -> None:
    good, impossible = report(Event.SUCCESS), report(Event.DOWNLOADING, attempt=5, version="1.1")
    part = batch(good, impossible, presence("9.9", D2)).numbered
    _, rest = left(part, [applied(impossible, Status.DISPATCHED)])
    assert [taken.message for taken in rest.taken] == [good]
    assert rest.sightings() == []


def test_nothing_is_left_of_a_part_that_met_its_rows() -> None:
    message = report(Event.SUCCESS)
    aside, rest = left(batch(message).numbered, [applied(message, Status.INSTALLING, Status.SUCCESS)])
    assert aside == []
    assert not rest


def test_what_changed_nothing_has_a_reason() -> None:
    assert ignored(applied(report(Event.FAILED), Status.SUCCESS)) == "finished"
    assert ignored(applied(report(Event.FAILED), Status.QUEUED, attempt=2)) == "older_attempt"
    assert ignored(applied(report(Event.DOWNLOADING), Status.INSTALLING)) == "out_of_order"
    assert ignored(applied(report(Event.FAILED, attempt=2), Status.QUEUED)) == "quarantined"
