"""What may be a name, a version and a title: only what every format behind them can hold."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pulse.contracts.mqtt import report_topic, reporter
from pulse.contracts.names import MAX_LENGTH, Name, in_address, is_name, is_version
from pulse.runtime.rest import Page, Title, Version, listed

ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""All at which `str.splitlines` splits."""
names = st.text(min_size=1, max_size=MAX_LENGTH).filter(is_name)
longest = st.sampled_from('Ж漢🛰é"\\~').map(lambda letter: letter * MAX_LENGTH)


def takes(kind: Any, text: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [Name, Version, Title])
def test_what_ends_a_line_is_in_no_name_no_version_and_no_title(kind: object, end: str) -> None:
    for text in (f"a{end}b", f"{end}a", f"a{end}"):
        assert not takes(kind, text)
        assert not is_name(text)
        assert not is_version(text)


@given(st.text(max_size=12))
def test_a_name_and_a_version_are_one_line_and_both_doors_judge_alike(text: str) -> None:
    assert takes(Name, text) == is_name(text)
    assert takes(Version, text) == is_version(text)
    if is_name(text) or is_version(text) or takes(Title, text):
        assert text.splitlines() == [text]


@pytest.mark.parametrize("dots", [".", "..", "...", "." * MAX_LENGTH])
def test_dots_alone_are_no_name(dots: str) -> None:
    assert not is_name(dots)
    assert not takes(Name, dots)


@pytest.mark.parametrize("text", [".a", "..a", "a.", "a..b", ". a", "1.2", "...a..."])
def test_dots_beside_other_characters_are_good(text: str) -> None:
    assert is_name(text)
    assert takes(Name, text)


@pytest.mark.parametrize("text", ["5.0 ", " 5.0", "5.0\u00a0", "\u30005.0", "5.0\t", " ", ""])
def test_a_version_has_no_blank_at_either_end(text: str) -> None:
    assert not is_version(text)
    assert not takes(Version, text)


@pytest.mark.parametrize("text", ["2.1.0", "2.1.0 beta 2", "v", "x" * 100, "версия 2"])
def test_any_other_line_is_a_good_version(text: str) -> None:
    assert is_version(text)
    assert takes(Version, text)


@given(names | longest)
@example("🛰" * MAX_LENGTH)
def test_every_next_is_taken_as_after_whatever_the_name(name: str) -> None:
    page = Page(limit=1)
    following = listed([name, name], page, 2, lambda row: [row])["next"]
    assert Page.model_validate({"after": following}).key(str) == [name]
    assert following == in_address(following)


@given(names)
def test_every_name_is_one_level_of_a_topic_and_one_segment_of_an_address(name: str) -> None:
    assert reporter(report_topic("acme", name)) == ("acme", name)
    assert not set(in_address(name)) & set("/?#+ ")
    assert in_address(name).strip(".")
