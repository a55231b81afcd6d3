"""Tests of the help lines and of the country that a locale implies."""

import datetime
import re

import pytest

from moodmirror.help_lines import COUNTRY_NAMES, COUNTRY_OF_LANGUAGE, country_of_locale, help_lines, help_notice

pytestmark = pytest.mark.unit


def test_every_row_has_a_way_to_reach_someone_and_a_source():
    lines = [line for country in help_lines().values() for line in country]
    assert len(lines) >= 40
    for line in lines:
        assert line.phone or line.text, line
        assert line.source.startswith("https://"), line
        assert line.url.startswith("https://"), line
        assert re.fullmatch(r"\d{3,4}", line.emergency), line
        assert re.fullmatch(r"(tel:[\d*#+]{3,14})?", line.phone_link), line
        assert re.fullmatch(r"(sms:\d{3,12})?", line.text_link), line
        assert datetime.date.fromisoformat(line.checked) >= datetime.date(2026, 1, 1)
    assert set(help_lines()) == set(COUNTRY_NAMES)
    assert set(COUNTRY_OF_LANGUAGE.values()) <= set(COUNTRY_NAMES)


@pytest.mark.parametrize(
    ("country", "numbers"),
    [
        ("US", {"988", "741741 HOME"}),
        ("GB", {"116 123", "85258 SHOUT"}),
        ("DE", {"0800 111 0 111", "116 123"}),
        ("FR", {"3114"}),
        ("ES", {"024"}),
        ("AU", {"13 11 14", "0477 13 11 14"}),
        ("IN", {"14416"}),
        ("BR", {"188"}),
    ],
)
def test_known_numbers(country, numbers):
    lines = help_lines()[country]
    assert {number for line in lines for number in (line.phone, line.text) if number} == numbers


@pytest.mark.parametrize(
    ("locales", "country"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "AT"),
        ("en-US,en;q=0.5", "US"),
        ("en_GB.UTF-8", "GB"),
        ("ja", "JP"),
        ("zh-Hant-TW", "TW"),
        ("fr, en-CA;q=0.5", "CA"),
        ("en", None),
        ("es", None),
        ("de-LI,de", None),
        ("C.UTF-8", None),
        ("*", None),
        ("", None),
        ("x" * 5000, None),
    ],
)
def test_the_country_of_a_locale(locales, country):
    """A language that several countries speak implies none, and neither does a country that the table lacks."""
    assert country_of_locale(locales) == country


def test_the_notice_in_a_terminal_names_the_numbers_and_a_directory_for_other_countries():
    assert "call 988 or text 988" in help_notice("US")
    assert "text HOME to 741741" in help_notice("US")
    assert "In danger right now, call 911" in help_notice("US")
    for country in (None, "US", "XX"):
        assert "https://findahelpline.com/" in help_notice(country)
