"""Ids and comparison keys of items: the same song or film has one key, however a file writes its names.

An item keeps the id under which it was first stored, because visitors' likes refer to it. Whether two items are the same is
decided by :func:`item_key`, computed from their names.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

MAX_ID_CHARACTERS: Final = 160  # the database stores 200
# Letters that Unicode does not decompose into an ASCII letter and an accent.
_LETTERS: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n",
     "ĸ": "k", "ƒ": "f", "ə": "e"}
)  # fmt: skip
_APOSTROPHES: Final = re.compile("['’‘‛`´ʻʼʹ′＇]")
_AND: Final = re.compile(r"&|\s\+\s")
_VULGAR_FRACTION: Final = re.compile("(?=[¼½¾⅐-⅞])")  # 8½ is written 8 1/2, too
_DOLLAR_S: Final = re.compile(r"(?<=[a-z])\$|\$(?=[a-z])")
_EXCLAMATION_I: Final = re.compile(r"(?<=[a-z])!(?=[a-z])")

# What names a version or a guest of one recording: "… - 2011 Remaster", "… (feat. somebody)", "… - Radio Edit".
_VERSION: Final = (
    r"[^()\[\]]*\bremaster(ed)?\b[^()\[\]]*|(single|album|original|mono|stereo|radio) (version|edit|mix)"
    r"|mono|stereo|bonus track|from [\"“«'‘].*|(feat\.?|ft\.?|featuring|with)\s[^)\]]*"
)
_VERSION_SUFFIX: Final = re.compile(rf"\s+(-|–)\s+({_VERSION})$|\s+[(\[]({_VERSION})[)\]]", re.IGNORECASE)
_GUESTS: Final = re.compile(r"\s+[(\[]?(feat\.|ft\.|featuring)\s.*$", re.IGNORECASE)
_ARTICLE: Final = re.compile(r"^the\s+(?=\S)", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)  # a listening history names the same songs again and again
def slug(*names: str) -> str:
    """Return an id of lower-case letters, digits and hyphens, with a hash where a name in another script would be lost.

    Accents, punctuation and the width of letters don't count, and ``&`` reads "and".
    """
    plain = _APOSTROPHES.sub("", " ".join(names)).casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", _VULGAR_FRACTION.sub(" ", plain)).translate(_LETTERS)
        plain = "".join(character for character in plain if not unicodedata.combining(character))
    plain = _EXCLAMATION_I.sub("i", _DOLLAR_S.sub("s", _AND.sub(" and ", plain)))
    words = re.findall(r"[a-z0-9]+", plain)
    foreign = [character for character in plain if character.isalnum() and not character.isascii()]
    if not words or len(foreign) > sum(map(len, words)):
        letters = "".join(character for character in plain if character.isalnum()) or plain
        words.append(hashlib.sha256(letters.encode()).hexdigest()[:10])
    identity = "-".join(words)
    if len(identity) > MAX_ID_CHARACTERS:
        identity = f"{identity[: MAX_ID_CHARACTERS - 11].rstrip('-')}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"
    return identity


def main_artist(artists: str) -> str:
    """Return the first of the artists, separated by ``|``, without guests."""
    first = artists.partition("|")[0].strip()
    return _GUESTS.sub("", first) or first


def song_title(title: str) -> str:
    """Return a song's title without the mark of a version of the recording, and without guests."""
    return _GUESTS.sub("", _VERSION_SUFFIX.sub("", title)).strip() or title


def item_id(kind: str, title: str, facts: Mapping[str, str]) -> str:
    """Return the id of a new item from its title and its other cells; it is the same for versions of one recording."""
    if kind == "songs":
        return slug(main_artist(facts["artist"]), song_title(title))
    return slug(title, facts["year"]) if kind == "movies" else slug(title)


def item_key(kind: str, title: str, facts: Mapping[str, str]) -> str:
    """Return the key by which an item is compared with others of its kind: that of an id, without a leading article."""
    if kind == "songs":
        facts = {"artist": _ARTICLE.sub("", main_artist(facts["artist"]))}
    elif kind == "movies":
        title = _ARTICLE.sub("", title)
    return item_id(kind, title, facts)
