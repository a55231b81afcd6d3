"""What the arguments of `flask analyze` name: files, folders of files, or texts."""

import mimetypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from moodmirror.media.formats import is_photo

MEDIA_TYPES: Final = ("image/", "audio/", "video/")
MAX_MAGIC_BYTES: Final = 4096
# Of media that some systems do not know as such.
MEDIA_SUFFIXES: Final = {
    ".heic", ".heif", ".avif", ".webp", ".jxl",
    ".aac", ".aif", ".aiff", ".amr", ".ape", ".caf", ".flac", ".m4a", ".mka", ".opus", ".tta", ".w64", ".wma", ".wv",
    ".3gp", ".asf", ".flv", ".m2ts", ".mkv", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv",
}  # fmt: skip
DOCUMENT_SUFFIXES: Final = {".txt", ".md", ".csv", ".json", ".pdf", ".doc", ".docx", ".odt", ".rtf", ".html", ".zip"}
TEXT_SUFFIXES: Final = {".txt", ".md", ""}  # of texts that are read in a folder, beside pictures, recordings and clips
# What systems and tools leave in folders.
LEFTOVERS: Final = {"__MACOSX", "Thumbs.db", "desktop.ini"}
# A path by its beginning: /home/me/a, ./a, ../a, ~/a, C:\\a, \\\\server\\a.
_PATH_START: Final = re.compile(r"(?:\.{0,2}/|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\)\S")


@dataclass(frozen=True)
class FileInput:
    """A file, by the name that the user gave or that it has in a folder."""

    name: str
    path: Path


@dataclass(frozen=True)
class TextInput:
    """A text that was given as such."""

    name: str


@dataclass
class FoundInputs:
    """The inputs in their order; `errors` are sentences for the user, and `skipped` counts other files of folders."""

    inputs: list[FileInput | TextInput] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def find_inputs(arguments: Sequence[str]) -> FoundInputs:
    """Return what the arguments name: a file, the files of a folder and its subfolders, or else a text.

    What looks like a path and does not exist is an error rather than a text.
    """
    found = FoundInputs()
    for argument in arguments:
        path = Path(argument)
        try:
            if not argument.strip():  # Path("") is the current folder
                found.inputs.append(TextInput(argument))
            elif path.is_dir():
                _walk(path, found)
            elif path.exists():
                found.inputs.append(FileInput(argument, path))
            elif looks_like_path(argument):
                found.errors.append(f"{argument}: there is no such file or folder. To read it as a text, use --text.")
            else:
                found.inputs.append(TextInput(argument))
        except OSError as error:
            if looks_like_path(argument):
                found.errors.append(f"{argument}: it can't be opened: {error.strerror}.")
            else:  # a text may be longer than any file name
                found.inputs.append(TextInput(argument))
        except ValueError:  # a text may contain what no path can
            found.inputs.append(TextInput(argument))
    return found


def looks_like_path(text: str) -> bool:
    """Return whether a text that names nothing that exists was meant as a path.

    A path begins like one, ends like a file, or is one word with a separator in it.
    """
    if "\n" in text:
        return False
    is_word = not any(character.isspace() for character in text)
    if _PATH_START.match(text) and (is_word or _has_file_suffix(text) or "/" in text[1:].strip("/")):
        return True
    return _has_file_suffix(text) or (is_word and ("/" in text or "\\" in text))


def _has_file_suffix(text: str) -> bool:
    suffix = Path(text.replace("\\", "/")).suffix.lower()
    if not suffix or any(character.isspace() for character in suffix):
        return False
    media_type = mimetypes.guess_type(f"file{suffix}")[0] or ""
    return media_type.startswith(MEDIA_TYPES) or suffix in MEDIA_SUFFIXES | DOCUMENT_SUFFIXES


def _walk(folder: Path, found: FoundInputs) -> None:
    """Add the files of a folder and its subfolders that may be pictures, recordings, clips or texts, sorted by path."""
    before = len(found.inputs)
    for path in _files(folder, found):
        suffix = path.suffix.lower()
        if suffix in TEXT_SUFFIXES or _is_media(path):
            found.inputs.append(FileInput(str(path), path))
        else:
            found.skipped[suffix] += 1
    if len(found.inputs) == before:
        found.errors.append(f"{folder}: the folder has no pictures, recordings, clips or texts.")


def _is_media(path: Path) -> bool:
    """Return whether a file is a picture, a recording or a clip by its name, or a picture by its first bytes."""
    if (mimetypes.guess_type(path.name)[0] or "").startswith(MEDIA_TYPES) or path.suffix.lower() in MEDIA_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return is_photo(file.read(MAX_MAGIC_BYTES))
    except OSError:
        return True  # it is reported when it is read


def _files(folder: Path, found: FoundInputs) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        found.errors.append(f"{folder}: it can't be opened: {error.strerror}.")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in LEFTOVERS:
            continue
        if entry.is_dir():
            if not entry.is_symlink():  # which may lead in circles
                yield from _files(entry, found)
        elif entry.is_file():
            yield entry
