"""Tests of the detector of crisis statements, on the lines that it was developed on, and on lines written before it."""

from pathlib import Path

import pytest

from moodmirror.recognition.crisis_statements import is_crisis_statement

pytestmark = pytest.mark.unit

TESTS = Path(__file__).parent
MIN_RECALL = 0.97  # of explicit statements
MAX_FALSE_ALARMS = 0.03  # share of idioms, film talk and the like


def read_cases(name):
    """Return (expected, group, text) of each line of a table."""
    rows = (TESTS / name).read_text(encoding="utf-8").splitlines()[1:]
    cases = [tuple(row.split("\t")) for row in rows]
    assert {expected for expected, _, _ in cases} == {"yes", "no"}
    return cases


@pytest.mark.parametrize("name", ["crisis_cases.tsv", "crisis_held_out.tsv"])
def test_explicit_statements_are_found_and_idioms_and_film_talk_are_not(name):
    cases = read_cases(name)
    assert len(cases) >= 150
    missed = [text for expected, _, text in cases if expected == "yes" and not is_crisis_statement(text)]
    false_alarms = [text for expected, _, text in cases if expected == "no" and is_crisis_statement(text)]
    count = sum(expected == "yes" for expected, _, _ in cases)
    assert 1 - len(missed) / count >= MIN_RECALL, missed
    assert len(false_alarms) / (len(cases) - count) <= MAX_FALSE_ALARMS, false_alarms


@pytest.mark.parametrize(
    "written",
    [
        "I WANT TO KILL MYSELF",
        "i want to kill myself",
        "I want to k1ll mys3lf",
        "I want to kill\u200b my\u200bself",
        "i  want\nto kill myself",
        "I want to kill myself!!! 😭😭",
        "ＩＷＡＮＴ it over. I want to kill myself",
        "i want to killlll myselfff",
        "i want to kil myslef",
        "k i l l  m y s e l f",
    ],
)
def test_spelling_does_not_hide_a_statement(written):
    assert is_crisis_statement(written)


@pytest.mark.parametrize("kind", ["don't", "don’t", "dont", "do not", "don t", "DON`T"])
def test_each_way_to_write_a_short_form_is_read(kind):
    assert is_crisis_statement(f"I {kind} want to live anymore")
    assert not is_crisis_statement(f"I {kind} want to die")


def test_a_statement_is_found_anywhere_in_a_long_text():
    filler = "Today I went to the market and bought bread. The sun was out, and we met our neighbors. " * 40
    assert not is_crisis_statement(filler)
    assert is_crisis_statement(f"{filler}I want to die. {filler}")


@pytest.mark.timeout(20)  # seconds: a pattern that backtracks without end takes hours for the first of these
@pytest.mark.parametrize(
    "part", ["i ", "i want to ", "a", "k i l l ", '"', "never ", "i, ", "ich will nicht ", "死", "the people "]
)
def test_every_text_of_the_longest_length_is_searched_to_its_end(part):
    assert not is_crisis_statement((part * 20_000)[:20_000])
    assert not is_crisis_statement("")
