"""Help lines for people in a crisis, by country, and the country that a browser's or a terminal's locale implies.

The table data/help_lines.csv holds facts only: each row names the service's own page as its source, and the day on which it
was last compared with public listings.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from moodmirror.paths import DATA_DIR

HELP_LINES_FILE: Final = DATA_DIR / "help_lines.csv"
DIRECTORY_URL: Final = "https://findahelpline.com/"  # help lines of most countries, for people from the others
DIRECTORY_NAME: Final = "Find a Helpline"
# Languages that imply a country where the locale names none. English, Spanish, Portuguese, French, German, Dutch, Chinese
# and Arabic are spoken in several countries with different numbers.
COUNTRY_OF_LANGUAGE: Final = {
    "it": "IT", "pl": "PL", "sv": "SE", "da": "DK", "nb": "NO", "nn": "NO", "no": "NO", "fi": "FI", "is": "IS", "cs": "CZ",
    "sl": "SI", "hu": "HU", "el": "GR", "uk": "UA", "he": "IL", "hi": "IN", "ja": "JP", "ko": "KR", "th": "TH", "fil": "PH",
}  # fmt: skip
_LOCALE: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z]{4})?(?:[-_]([A-Za-z]{2}))?(?![A-Za-z0-9])")
COUNTRY_NAMES: Final = {
    "AR": "Argentina", "AT": "Austria", "AU": "Australia", "BE": "Belgium", "BR": "Brazil", "CA": "Canada",
    "CH": "Switzerland", "CL": "Chile", "CZ": "Czechia", "DE": "Germany", "DK": "Denmark", "ES": "Spain", "FI": "Finland",
    "FR": "France", "GB": "United Kingdom", "GR": "Greece", "HU": "Hungary", "IE": "Ireland", "IL": "Israel", "IN": "India",
    "IS": "Iceland", "IT": "Italy", "JP": "Japan", "KR": "South Korea", "MX": "Mexico", "MY": "Malaysia",
    "NL": "Netherlands", "NO": "Norway", "NZ": "New Zealand", "PH": "Philippines", "PL": "Poland", "PT": "Portugal",
    "SE": "Sweden", "SG": "Singapore", "SI": "Slovenia", "TH": "Thailand", "TW": "Taiwan", "UA": "Ukraine",
    "US": "United States", "ZA": "South Africa",
}  # fmt: skip


@dataclass(frozen=True)
class HelpLine:
    """One help line of a country, an ISO 3166 code: a phone number, or a number to text with the word to send, or both."""

    country: str
    name: str
    phone: str
    text: str
    url: str
    hours: str
    emergency: str
    source: str
    checked: str

    @property
    def phone_link(self) -> str:
        """The link that dials the number; empty without one."""
        return f"tel:{re.sub(r'[^0-9*#+]', '', self.phone)}" if self.phone else ""

    @property
    def text_number(self) -> str:
        """The number to text, without the word to send."""
        return re.sub(r"[A-Z]+$", "", self.text).strip()

    @property
    def text_word(self) -> str:
        """The word to send to the number; empty where any message will do."""
        return self.text[len(self.text_number) :].strip()

    @property
    def text_link(self) -> str:
        """The link that opens a message to the number; empty without one."""
        return f"sms:{self.text_number.replace(' ', '')}" if self.text else ""


@cache
def help_lines() -> dict[str, tuple[HelpLine, ...]]:
    """Return the help lines by country, in the order of the table; countries by their English names."""
    with HELP_LINES_FILE.open(encoding="utf-8", newline="") as file:
        lines = [HelpLine(**row) for row in csv.DictReader(file)]
    countries = sorted({line.country for line in lines}, key=COUNTRY_NAMES.__getitem__)
    return {country: tuple(line for line in lines if line.country == country) for country in countries}


def country_of_locale(locales: str) -> str | None:
    """Return the first country with help lines in a list of locales; None if none names or implies one.

    `locales` is an Accept-Language header, as "de-AT,de;q=0.9", or the value of LANG, as "de_AT.UTF-8".
    """
    for locale in locales.split(","):
        match = _LOCALE.match(locale.strip())
        if match is None:
            continue
        language, region = match[1].lower(), (match[2] or "").upper()
        country = region or COUNTRY_OF_LANGUAGE.get(language, "")
        if country in help_lines():
            return country
        if region:
            return None  # a country without help lines in the table: another country's numbers would not work there
    return None


def help_notice(country: str | None) -> str:
    """Return the notice as plain text, for a terminal."""
    parts = ["You don't have to go through this alone. If you are thinking of ending your life or hurting yourself, talk to"]
    parts.append("someone now. These people listen, for free and in confidence:")
    lines = help_lines().get(country or "", ())
    for line in lines:
        ways = [f"call {line.phone}" if line.phone else "", _text_way(line)]
        hours = f", {line.hours}" if line.hours else ""
        parts.append(f"  {line.name}: {' or '.join(filter(None, ways))}{hours} ({line.url})")
    parts.append(f"  {DIRECTORY_NAME}, for {'other' if lines else 'most'} countries: {DIRECTORY_URL}")
    number = lines[0].emergency if lines else "your emergency number"
    parts.append(f"In danger right now, call {number}. Nobody was told what you wrote.")
    return "\n".join(parts)


def _text_way(line: HelpLine) -> str:
    if not line.text:
        return ""
    return f"text {line.text_word} to {line.text_number}" if line.text_word else f"text {line.text_number}"
