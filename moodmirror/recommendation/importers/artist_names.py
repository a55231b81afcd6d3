"""Split cells with several artists, whose names may contain the separator: "Tyler, The Creator", "10,000 Maniacs"."""

import ast
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# Artists with a comma in their name, for files that give no other evidence; longer names before their beginnings.
NAMES_WITH_COMMAS: Final = (
    "Crosby, Stills, Nash & Young",
    "Crosby, Stills & Nash",
    "Dave Dee, Dozy, Beaky, Mick & Tich",
    "Earth, Wind & Fire",
    "Emerson, Lake & Palmer",
    "Blood, Sweat & Tears",
    "Peter, Paul & Mary",
    "Medeski, Martin & Wood",
    "Lambert, Hendricks & Ross",
    "Beck, Bogert & Appice",
    "Dino, Desi & Billy",
    "Hamilton, Joe Frank & Reynolds",
    "Tyler, The Creator",
    "Now, Now",
    "Oh, Sleeper",
    "Hey, Ocean!",
)
UNAMBIGUOUS_SEPARATORS: Final = (r";", r"\|")  # patterns; names do not contain them
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")  # 10,000 is one number
_ESCAPED: Final = "\\,"
_KEPT_COMMA: Final = "\0"  # stands for a comma that belongs to a name, while a cell is split


@dataclass(frozen=True)
class ArtistSplitter:
    """Splits the artist cells of one file: `separator` is a regular expression; `names` are known names with commas."""

    separator: str
    names: tuple[str, ...] = NAMES_WITH_COMMAS

    @classmethod
    def of_cells(cls, cells: Collection[tuple[str, int | None]]) -> "ArtistSplitter":
        """Decide by all artist cells of a file, each with the number of its artists where the file states it.

        A file that separates with semicolons does so everywhere, and one that has commas without a blank behind them does
        not separate with ", ".
        """
        texts = [_THOUSANDS.sub(_KEPT_COMMA, cell) for cell, _ in cells if not cell.startswith("[")]
        for separator in UNAMBIGUOUS_SEPARATORS:
            if any(re.search(separator, text) for text in texts):
                return cls(separator)
        single = tuple(cell for cell, count in cells if count == 1 and "," in cell)
        names = (*sorted(set(single), key=len, reverse=True), *NAMES_WITH_COMMAS)
        if any(_ESCAPED in text for text in texts):
            return cls(r"(?<!\\),", names)
        return cls(r",(?!\s)" if any(re.search(r",(?!\s|$)", text) for text in texts) else r",", names)

    def split(self, cell: str, count: int | None = None) -> list[str]:
        """Return the names in a cell; `count` is their number, if the file states it.

        Raises ValueError for a cell that begins like a Python list but is none.
        """
        if cell.startswith("["):
            return _parse_list(cell)
        if not re.search(r"[,;|]", cell):
            return [cell]
        text = _THOUSANDS.sub(_KEPT_COMMA, cell)
        for name in self.names:
            if name.partition(",")[0].lower() not in text.lower():
                continue
            pattern = re.escape(name).replace(r"\&", "(?:&|and)")
            text = re.sub(rf"(?<![^\s,]){pattern}(?=\s*,|$)", _keep_commas, text, flags=re.IGNORECASE)
        parts = [part.strip() for part in re.split(self.separator, text) if part.strip()]
        if count is not None and len(parts) > count:
            parts = _joined(parts, count)
        return [_unescaped(part.replace(_KEPT_COMMA, ",")) for part in parts]


def _keep_commas(match: re.Match[str]) -> str:
    return match[0].replace(",", _KEPT_COMMA)


def _unescaped(name: str) -> str:
    return name.replace(_ESCAPED, ",").strip()


def _joined(parts: Sequence[str], count: int) -> list[str]:
    """Join parts to `count` names: first those that seldom begin a name of their own, then the first ones."""
    joined = list(parts)
    while len(joined) > count:
        at = next((i for i in range(1, len(joined)) if re.match(r"(the|and|&)\s", joined[i], re.IGNORECASE)), 1)
        joined[at - 1 : at + 1] = [f"{joined[at - 1]}, {joined[at]}"]
    return joined


def _parse_list(cell: str) -> list[str]:
    try:
        names = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("the artists are not a list") from None
    return [str(name) for name in names] if isinstance(names, Iterable) else [str(names)]
