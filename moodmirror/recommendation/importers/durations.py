"""Durations as people and programs write them: ``PT1H30M``, ``1 1/2 hours``, ``1h30``, ``1:30``, ``45-60 minutes``."""

import re
import unicodedata
from datetime import timedelta
from fractions import Fraction
from typing import Final

from pydantic import TypeAdapter, ValidationError

_ISO_DURATION: Final = TypeAdapter(timedelta)

# Names of units by their minutes, in the languages of the recipe sites that are read most.
_UNIT_NAMES: Final = {
    7 * 24 * 60.0: "w wk wks week weeks woche wochen semana semanas semaine semaines",
    24 * 60.0: "d day days tag tage tagen jour jours dia dias giorno giorni dag dagen",
    60.0: "h hr hrs hour hours std stdn stunde stunden heure heures hora horas ora ore uur uren godz timmar timer",
    1.0: "m min mins mn minute minutes minuten minuto minutos minuti minuut minuter minut '",
    1 / 60: "s sec secs second seconds sek sekunde sekunden seconde secondes segundos secondi",
}
_UNITS: Final = {name: minutes for minutes, names in _UNIT_NAMES.items() for name in names.split()}
_NUMBER_WORDS: Final = {
    "one and a half": "1 1/2", "two and a half": "2 1/2", "three and a half": "3 1/2",
    "half an": "1/2", "half a": "1/2", "half": "1/2", "halbe": "1/2", "media": "1/2", "quarter of an": "1/4",
    "a quarter of an": "1/4", "three quarters of an": "3/4", "a couple of": "2", "a": "1", "an": "1", "one": "1",
    "eine": "1", "une": "1", "una": "1", "two": "2", "zwei": "2", "deux": "2", "dos": "2", "due": "2", "three": "3",
    "drei": "3", "four": "4",
    "five": "5", "six": "6", "eight": "8", "ten": "10", "twelve": "12", "fifteen": "15", "twenty": "20",
    "thirty": "30", "forty": "40", "forty five": "45", "forty-five": "45", "fifty": "50", "sixty": "60", "ninety": "90",
}  # fmt: skip
_UNIT: Final = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_WORDS: Final = re.compile(
    rf"\b({'|'.join(sorted(_NUMBER_WORDS, key=len, reverse=True))})\s+(?=(?:{_UNIT})\b)", re.IGNORECASE
)
_AND_A_HALF: Final = re.compile(rf"(\d+)?\s*((?:{_UNIT}))\s+and\s+a\s+(half|quarter)\b")
_NUMBER: Final = r"(?:\d+[ -]\d+/\d+|\d+/\d+|\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:[.,]\d+)?|(?<![\w.,])\.\d+)"
_RANGE: Final = r"\s*(?:-|to|or|bis|oder|a|à|ou|o|tot)\s*"
# A quantity, or a range of which the longer end counts; a unit between them as in "30 min to 1 hour".
_QUANTITY: Final = re.compile(
    rf"(?:(?!\d+-\d+/\d){_NUMBER}\s*(?:(?:{_UNIT})\b\.?)?{_RANGE})?({_NUMBER})\s*\+?\s*-?((?:{_UNIT})(?![a-z]))\.?"
)
_REST_MINUTES: Final = re.compile(r"\s*(\d{1,2})(?!\s*[\d/.,:])\b")  # 1h30
_CLOCK: Final = re.compile(
    r"(?:(\d+)\s*days?,?\s*)?(\d{1,3}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?:\s*(?:h|hrs?|hours?|std)\.?)?"
)
MAX_CHARACTERS: Final = 200  # of a duration; a longer cell is a text
CLOCK_MAX_HOURS: Final = 24  # 45:00 are minutes and seconds
MAX_MINUTES: Final = 2880  # two days: a weekend


def minutes_of(cell: str) -> int | None:
    """Return the minutes that a cell states, rounded; 0 for none, None if it can't be read or is longer than two days.

    A number without a unit is minutes. Of a range the longer end counts, so that a filter by time keeps its promise.
    Several durations are added up.
    """
    if len(cell) > MAX_CHARACTERS:
        return None
    text = _plain(cell)
    if not text:
        return 0
    if text.startswith("-"):
        return None
    if iso := re.match(r"[+]?p[\dtymwdhs.,]+(?=$|\s)", text):  # a duration in words may follow, which says the same
        minutes = _iso_minutes(iso[0])
    elif re.fullmatch(_NUMBER, text):
        minutes = _number(text)
    elif clock := _CLOCK.fullmatch(text):
        minutes = _clock_minutes(clock)
    else:
        minutes = _sum_of_quantities(text)
    if minutes is None or minutes > MAX_MINUTES:
        return None
    return max(1, int(minutes + 0.5)) if minutes > 0 else 0


def _plain(cell: str) -> str:
    """Return the text in lower case, with fractions, dashes, quotes and number words in one form."""
    text = re.sub(r"(?<=\d)(?=[¼½¾⅐-⅞])", " ", cell.strip())
    text = unicodedata.normalize("NFKD", text.casefold()).replace("⁄", "/")
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = re.sub("[‐-―−~]", "-", text).replace("’", "'").replace("′", "'")
    text = " ".join(text.split())
    text = _WORDS.sub(lambda match: _NUMBER_WORDS[match[1].lower()] + " ", text)
    text = re.sub(r"\b(\d+) (h(?:ou)?rs?) and 1/2\b", r"\1 1/2 \2", text)
    return _AND_A_HALF.sub(lambda match: f"{match[1] or 1} {'1/2' if match[3] == 'half' else '1/4'} {match[2]}", text)


def _iso_minutes(text: str) -> float | None:
    try:
        return _ISO_DURATION.validate_python(text.upper()).total_seconds() / 60
    except (ValidationError, OverflowError):
        return None


def _clock_minutes(clock: re.Match[str]) -> float:
    days, first, second, third = (int(part or 0) for part in clock.groups())
    if clock[4] is None and first >= CLOCK_MAX_HOURS:
        return first + second / 60
    return days * 24 * 60 + first * 60 + second + third / 60


def _sum_of_quantities(text: str) -> float | None:
    total, found, position = 0.0, False, 0
    while match := _QUANTITY.search(text, position):
        position = match.end()
        minutes = _number(match[1])
        if minutes is None:
            return None
        total, found = total + minutes * _UNITS[match[2]], True
        if (
            _UNITS[match[2]] == 60
            and (rest := _REST_MINUTES.match(text, position))
            and not _QUANTITY.match(text, rest.start() + len(rest[0]) - len(rest[1]))
        ):
            total += int(rest[1])
            position = rest.end()
    return total if found else None


def _number(text: str) -> float | None:
    if re.fullmatch(r"\d{1,3}(,\d{3})+", text):
        return float(text.replace(",", ""))
    try:
        return float(sum(Fraction(part) for part in re.split("[ -]", text.replace(",", "."))))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
