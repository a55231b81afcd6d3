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
# Of media that some systems do not know as such; a few are refused by name when they are read.
MEDIA_SUFFIXES: Final = {
    ".heic", ".heif", ".avif", ".webp", ".jxl", ".qoi", ".psd", ".exr", ".hdr",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
    ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".bw64", ".caf", ".flac", ".m4a", ".mka", ".oga", ".opus",
    ".qta", ".sph", ".spx", ".tta", ".w64", ".wma", ".wv",
    ".3gp", ".asf", ".dv", ".flv", ".insv", ".m2ts", ".mkv", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
}  # fmt: skip
DOCUMENT_SUFFIXES: Final = {
    ".txt", ".md", ".log", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".html", ".htm", ".srt", ".vtt",
    ".pdf", ".doc", ".docx", ".odt", ".rtf", ".tex", ".epub", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".odp", ".eml",
    ".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".m3u", ".m3u8", ".npz", ".npy", ".parquet", ".ipynb",
}  # fmt: skip
TEXT_SUFFIXES: Final = {".txt", ".md", ""}  # of texts that are read in a folder, beside pictures, recordings and clips
# What systems and tools leave in folders.
LEFTOVERS: Final = {"__MACOSX", "Thumbs.db", "desktop.ini"}
# A path by its beginning, even if its names have blanks: ./a, ../a, ~/a, C:\a, \\server\a.
_PATH_START: Final = re.compile(r"(?:\.{1,2}/|~[\w.-]*/|[A-Za-z]:\\|\\\\)\w")
# One only if more of it looks like a path, since texts begin like this as well: /shrug, D:/
_WEAK_PATH_START: Final = re.compile(r"(?:/|[A-Za-z]:/)\S")
_FOLDER_END: Final = re.compile(r"\w[/\\]$")  # not :/
_PATTERN: Final = re.compile(r"[/\\]\S*\*|^\*\.\w+$")  # of names that matched nothing: photos/*, *.xyz
# One word with a separator that is no path: 9/10, and what people write.
_WORD_WITH_SLASH: Final = re.compile(
    r"\d{1,2}/\d{1,3}|\W+|and/or|either/or|yes/no|n/a|w/o|he/she|she/he|s/he|he/him|she/her|they/them|24/7|/s|km/h",
    re.IGNORECASE,
)


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

    A path begins like one, ends like a file or a folder, leads into a folder that exists, is a pattern of names, or is one
    word with a separator in it.
    """
    if "\n" in text.strip():
        return False
    text = text.strip()
    is_word = not any(character.isspace() for character in text)
    if is_word and _WORD_WITH_SLASH.fullmatch(text):
        return False
    if _PATH_START.match(text) or _PATTERN.search(text) or _FOLDER_END.search(text) or _has_file_suffix(text):
        return True
    if _WEAK_PATH_START.match(text) and (is_word or "/" in text[3:].strip("/")):
        return True
    return (is_word and ("/" in text or "\\" in text)) or _is_in_a_folder(text)


def _has_file_suffix(text: str) -> bool:
    path = Path(text.replace("\\", "/"))
    suffix = path.suffix.lower()
    if not suffix or any(character.isspace() for character in (path.stem[-1], *suffix)):
        return False
    media_type = mimetypes.guess_type(f"file{suffix}")[0] or ""
    return media_type.startswith(MEDIA_TYPES) or suffix in MEDIA_SUFFIXES | DOCUMENT_SUFFIXES


def _is_in_a_folder(text: str) -> bool:
    """Return whether all but the last part of a text with separators is an existing folder."""
    folder = Path(text).parent
    try:
        return folder != Path() and folder.is_dir() and folder != Path("/")
    except (OSError, ValueError):
        return False


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
