"""File kinds: formats that are read and their names, size limits, and detection of a file's format by its content."""

import json
import re
from collections.abc import Collection
from typing import Final, Literal, get_args

from moodmirror.media.errors import MediaError, TooLargeError, WrongKindError
from moodmirror.recognition.text_input import CONTROLS, MAX_CHARACTERS, TextError, decode_bytes

Kind = Literal["image", "audio", "video", "text"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

MAX_BYTES: Final = 100_000_000  # two minutes of a phone's video
MAX_TEXT_BYTES: Final = 250_000  # the longest accepted text, with each character escaped in JSON
MAX_PHOTO_PIXELS: Final = 50_000_000  # more than phones produce; decoded it takes 50 to 200 MB
MAX_CLIP_PIXELS: Final = 4096 * 2304  # 4K
MAX_CLIP_SECONDS: Final = 300.0
MAX_CLIP_FRAMES: Final = 40_000  # five minutes of slow motion, 120 frames per second

# Of each kind, what people have; docs/file_formats.md has all. Help texts, messages and the API's description name these.
FORMAT_NAMES: Final[dict[Kind, str]] = {
    "image": "JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF",
    "audio": "WAV, FLAC, OGG, Opus, MP3, M4A, AAC, AIFF, WMA, AMR or WebM",
    "video": "MP4, WebM, MOV, MKV, AVI, MPEG, WMV, OGV or an animated GIF, WebP, PNG or AVIF",
    "text": "plain text",
}
_KIND_NAMES: Final[dict[Kind, str]] = {
    "image": "a picture",
    "audio": "a recording",
    "video": "a clip",
    "text": "a text",
}

# Pillow's names; HEIF is pillow-heif's.
PHOTO_FORMATS: Final = (
    *("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "TIFF", "JPEG2000", "ICO", "PSD", "QOI", "PPM"),
)
_PHOTO_STARTS: Final = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF and BigTIFF
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),  # JPEG 2000: a file, and a codestream
    b"8BPS",  # Photoshop
    b"qoif",
)
# Windows bitmap: two reserved zeros, then the offset of the pixels and the length of a known header. Icon: one to 255
# pictures. Portable graymap or pixmap, of face databases.
_PHOTO_PATTERNS: Final = (
    re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    re.compile(rb"\0\0[\x01\x02]\0[^\0]\0", re.DOTALL),
    re.compile(rb"P[56]\s(?:#[^\n]{0,200}\n|\s)*\d{1,6}\s+\d{1,6}\s"),
)
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")

_TO_JPEG: Final = "export it as a JPEG or PNG"
_TO_TEXT: Final = "copy its words, or save it as plain text"
# What people send and nothing here reads, by the first bytes: its name, and what to do.
_UNSUPPORTED_STARTS: Final = (
    (b"%PDF", "a PDF document", _TO_TEXT),
    (b"%!PS", "a PostScript document", _TO_TEXT),
    (b"{\\rtf", "an RTF document", _TO_TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (DOC, XLS, PPT or MSG)", _TO_TEXT),
    (b"\xff\x0a", "a JPEG XL picture", _TO_JPEG),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", _TO_JPEG),
    (b"FUJIFILMCCD-RAW", "a camera's raw picture", _TO_JPEG),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture", _TO_JPEG),
    (b"#?RADIANCE", "a Radiance HDR picture", _TO_JPEG),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it first"),
    (b"MThd", "a MIDI file, which holds notes and no sound", "export it as MP3 or WAV"),
    (b"#EXTM3U", "a playlist, which holds no sound", "send the recording itself"),
    (b"[playlist]", "a playlist, which holds no sound", "send the recording itself"),
    (b"SQLite format 3\0", "an SQLite database", _TO_TEXT),
    (b"\x7fELF", "a program", "send a picture, clip, recording or text"),
    (b"MZ\x90\0", "a program", "send a picture, clip, recording or text"),
)
_ZIP_CONTENTS: Final = (
    (b"word/", "a Word document (DOCX)"),
    (b"xl/", "an Excel workbook (XLSX)"),
    (b"ppt/", "a PowerPoint presentation (PPTX)"),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file (ODT, ODS or ODP)"),
    (b"application/epub", "an e-book (EPUB)"),
    (b"Index/", "an Apple iWork document (Pages, Numbers or Keynote)"),
)
# What looks like a text and is none, by its beginning without white space and comments.
_MARKUP: Final = (
    (
        re.compile(r"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<(?:svg:)?svg\b", re.I | re.S),
        "an SVG drawing",
        _TO_JPEG,
    ),
    (
        re.compile(r"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S),
        "an HTML page",
        _TO_TEXT,
    ),
    (re.compile(r"<\?xml\b", re.I), "an XML document", _TO_TEXT),
    (re.compile(r"(?:WEBVTT\b|(?:\d+\s+)?\d\d:\d\d:\d\d,\d{3} --> )"), "a file of subtitles", _TO_TEXT),
)
_CAMERA_RAW_MARKS: Final = (b"CR\x02\0", b"HEAPCCDR", b"CanonCR")
_QUICKTIME_CAMERA_RAW: Final = b"crx "
_SAMPLE_BYTES: Final = 4096  # of a file, in which markup and the names in an archive are looked for


def detect_container(content: bytes) -> Literal["image", "text", "clip"]:
    """Return ``image`` for a picture that Pillow reads, ``text``, or ``clip`` for anything that FFmpeg may read.

    The content decides, not the file's name. Raises MediaError that names the format for one that is known and not read, and
    TooLargeError for too long a text. `content` must not be empty.
    """
    _refuse_known(content)
    if is_photo(content):
        return "image"
    if not _is_text(content):
        return "clip"
    if len(content) > MAX_TEXT_BYTES:
        raise TooLargeError(f"a text may have {MAX_CHARACTERS:,} characters at most: send a part of it")
    text = decode_bytes(content[:MAX_TEXT_BYTES])[0].lstrip()
    for pattern, name, advice in _MARKUP:
        if pattern.match(text):
            raise _unsupported(name, advice)
    if text.startswith(("{", "[")) and _is_json(text):
        raise _unsupported("JSON data", _TO_TEXT)
    return "text"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_photo(content: bytes) -> bool:
    """Return whether a file begins as a picture that Pillow reads."""
    if content.startswith(_PHOTO_STARTS) or (content[:4] == b"RIFF" and content[8:12] == b"WEBP"):
        return True
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        return True
    return any(pattern.match(content, 0, _SAMPLE_BYTES) for pattern in _PHOTO_PATTERNS)


def may_be_text(content: bytes) -> bool:
    """Return whether a file begins as a text that is not in Unicode, by a quick look."""
    return not CONTROLS.search(content[:_SAMPLE_BYTES])


def is_utf_8(content: bytes) -> bool:
    """Return whether a file is valid UTF-8 without zeros, and so a text."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _is_text(content: bytes) -> bool:
    try:
        decode_bytes(content[:MAX_TEXT_BYTES])
    except TextError:
        return False
    return True


def _refuse_known(content: bytes) -> None:
    """Raise MediaError for a format that is known by name and not read."""
    for start, name, advice in _UNSUPPORTED_STARTS:
        if content.startswith(start):
            raise _unsupported(name, advice)
    if content.startswith((b"PK\3\4", b"PK\5\6")):
        found = next(
            (name for mark, name in _ZIP_CONTENTS if mark in content[:_SAMPLE_BYTES] or mark in content[-65_536:]), None
        )
        raise _unsupported(found, _TO_TEXT) if found else _unsupported("a ZIP archive", "unpack it first")
    is_raw = content[:2] in (b"II", b"MM") and any(mark in content[6:16] for mark in _CAMERA_RAW_MARKS)
    if is_raw or (content[4:8] == b"ftyp" and content[8:12] == _QUICKTIME_CAMERA_RAW):
        raise _unsupported("a camera's raw picture", _TO_JPEG)


def _unsupported(name: str, advice: str) -> MediaError:
    return MediaError(f"this is {name}, which is not read: {advice}")


def require_kind(kind: Kind, accepted: Collection[Kind]) -> None:
    """Raise WrongKindError if `kind` is not among the `accepted` ones."""
    if kind not in accepted:
        names = " or ".join(_KIND_NAMES[name] for name in KINDS if name in accepted)
        raise WrongKindError(f"this is {_KIND_NAMES[kind]}, not {names}")


def accepted_formats(accepted: Collection[Kind]) -> str:
    """Return the `accepted` kinds, or the formats of a single one, for an error message."""
    kinds = [kind for kind in KINDS if kind in accepted]
    if len(kinds) == 1:
        return f"{_KIND_NAMES[kinds[0]]}: {FORMAT_NAMES[kinds[0]]}"
    return " or ".join(_KIND_NAMES[kind] for kind in kinds) + " in a common format, such as JPEG, MP4, MP3 or plain text"
