"""What `make bench` refuses, and what it takes."""

from pathlib import Path

import pytest

from tests.bench.options import DEFAULT_PARTS, PARTS, Refused, read


def test_nothing_said_means_all_but_the_long_ones_three_times() -> None:
    options = read({})
    assert (options.parts, options.runs, options.out) == (DEFAULT_PARTS, 3, Path(".run/bench"))


def test_parts_run_in_their_own_order_whatever_order_they_are_asked_for() -> None:
    assert read({"PARTS": " ingest, dispatcher"}).parts == ("dispatcher", "ingest")
    assert read({"PARTS": "all"}).parts == PARTS


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PARTS": "ingest,nothing"}, "nothing"),
        ({"PARTS": "ingest,ingest"}, "twice"),
        ({"PARTS": "all,ingest"}, "not both"),
        ({"RUNS": "0"}, "RUNS=0"),
        ({"RUNS": "21"}, "from 1 to 20"),
        ({"RUNS": "-3"}, "RUNS=-3"),
        ({"RUNS": "many"}, "RUNS=many"),
        ({"OUT": __file__}, "is a file"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(environment: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        read(environment)
    assert "\n" not in str(refused.value)
