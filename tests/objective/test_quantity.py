import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import BudgetError, ObjectiveError
from archwright.objective import (
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("50k", 50_000),
        ("1.5M", 1_500_000),
        ("2_000", 2000),
        ("2,000,000", 2_000_000),
        ("1e6", 10**6),
        ("3B", 3 * 10**9),
        ("3g", 3 * 10**9),
        ("0.5k", 500),
        (" 7 ", 7),
        (12, 12),
        (12.0, 12),
        ("0.3k", 300),
        ("+5", 5),
        (".5M", 500_000),
    ],
)
def test_counts_are_read_as_people_write_them(text, count):
    assert parse_count(text) == count
    assert isinstance(parse_count(text), int)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2m", 120),
        ("10 min", 600),
        ("1h30m", 5400),
        ("1 h 30 min", 5400),
        ("90s", 90),
        ("5ms", 0.005),
        ("90", 90),
        ("250us", 250e-6),
        ("1.5h", 5400),
        ("1d2h", 93600),
        (0.25, 0.25),
        ("2 Minutes", 120),
        ("1m30s500ms", 90.5),
    ],
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("200KB", 200_000), ("64k", 64_000), ("1.5MiB", 1_572_864), ("2 GiB", 2**31), ("512B", 512), ("3Mi", 3 * 2**20)],
)
def test_sizes_tell_powers_of_1000_from_powers_of_1024(text, size):
    assert parse_bytes(text) == size


GARBAGE = ["", "  ", "k", "fifty", "5x", "1.2.3", "5 5", "1_00", "0", "-3", "-3k", "nan", "inf", None, [], True, 0, -1]
GARBAGE += [math.nan, math.inf]


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize(
    ("parse", "error", "example"),
    [
        (parse_count, ObjectiveError, "50k"),
        (parse_bytes, ObjectiveError, "200KB"),
        (parse_seconds, BudgetError, "10 min"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_came_and_an_example(parse, error, example, value):
    with pytest.raises(error) as caught:
        parse(value, where="--limit")
    message = str(caught.value)
    assert "--limit" in message
    assert repr(value) in message
    assert example in message


@pytest.mark.parametrize("text", ["30m 1h", "1h 30", "1m1m", "2h,30m"])
def test_durations_whose_parts_do_not_descend_are_refused(text):
    with pytest.raises(BudgetError):
        parse_seconds(text)


def test_a_fraction_of_a_parameter_is_no_count():
    with pytest.raises(ObjectiveError, match="whole"):
        parse_count("1.5")


def test_the_caller_chooses_the_kind_of_error():
    with pytest.raises(BudgetError):
        parse_count("many", error=BudgetError)


@given(st.integers(1, 10**14))
def test_a_count_survives_formatting_to_three_digits(number):
    assert parse_count(format_count(number)) == pytest.approx(number, rel=0.005)
    assert len(format_count(number)) <= 5


@given(st.integers(1, 10**14))
def test_a_size_survives_formatting_to_three_digits(number):
    assert parse_bytes(format_bytes(number)) == pytest.approx(number, rel=0.005)


@given(st.floats(1e-8, 1e7))
def test_a_duration_survives_formatting(seconds):
    assert parse_seconds(format_seconds(seconds)) == pytest.approx(seconds, rel=0.025)


@given(st.integers(1, 999), st.sampled_from(["", "k", "M", "G", "T"]))
def test_short_counts_are_written_exactly_as_read(digits, unit):
    assert format_count(parse_count(f"{digits}{unit}")) == f"{digits}{unit}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59.96, "1m"),
        (119.6, "2m"),
        (3599.7, "1h"),
        (86399, "1d"),
        (93600, "1d2h"),
        (0.0012345, "1.23ms"),
        (0.9999, "1s"),
        (-90, "-1m30s"),
        (61, "1m1s"),
    ],
)
def test_durations_are_rounded_across_units(seconds, text):
    assert format_seconds(seconds) == text


def test_counts_are_rounded_across_units():
    assert [format_count(n) for n in (0, 999_999, 1000, 999, 0.5)] == ["0", "1M", "1k", "999", "0.5"]
