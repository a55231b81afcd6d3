"""File kinds: accepted formats, size limits, and detection of a file's format by its first bytes."""

from collections.abc import Collection
from typing import Final, Literal, get_args

from moodmirror.media.errors import WrongKindError

Kind = Literal["image", "audio", "video", "text"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

MAX_BYTES: Final = 100_000_000  # two minutes of a phone's video
MAX_TEXT_BYTES: Final = 250_000  # the longest accepted text, with each character escaped in JSON
MAX_PHOTO_PIXELS: Final = 50_000_000  # more than phones produce; decoded it takes 50 to 200 MB
MAX_CLIP_PIXELS: Final = 4096 * 2304  # 4K
MAX_CLIP_SECONDS: Final = 300.0
MAX_CLIP_FRAMES: Final = 40_000  # five minutes of slow motion, 120 frames per second

PHOTO_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "HEIF")  # Pillow's names
_KIND_NAMES: Final[dict[Kind, str]] = {
    "image": "a picture",
    "audio": "a recording",
    "video": "a clip",
    "text": "a text",
}
_KINDS_WITH_FORMATS: Final[dict[Kind, str]] = {
    "image": "a picture (JPEG, PNG, WebP, GIF or HEIC)",
    "audio": "a recording (WAV, FLAC, OGG, Opus, MP3, M4A or WebM)",
    "video": "a clip (MP4, WebM, MOV, AVI or an animated GIF)",
    "text": "a text in UTF-8",
}
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_QUICKTIME_ATOMS: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def detect_container(content: bytes) -> str | None:
    """Return ``image``, ``audio``, or the name of FFmpeg's demuxer for a clip; None for any other content.

    The first bytes decide, not the file's name. `content` must not be empty.
    """
    magic, brand = content[:4], content[8:12]
    if magic == b"RIFF":
        return {b"WAVE": "audio", b"AVI ": "avi", b"WEBP": "image"}.get(brand)
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")) or (
        content[4:8] == b"ftyp" and brand in _HEIF_BRANDS
    ):
        return "image"
    if content[4:8] in _QUICKTIME_ATOMS:
        return "mov"
    if magic == b"\x1a\x45\xdf\xa3":
        return "matroska"
    # MP3 begins with an ID3 tag, or with the eleven set bits of a frame.
    if magic in (b"RF64", b"fLaC", b"OggS") or magic[:3] == b"ID3" or (magic[0] == 0xFF and magic[1:2] >= b"\xe0"):
        return "audio"
    return None


def is_text(content: bytes) -> bool:
    """Return whether `content` is UTF-8 text within the size limit."""
    if len(content) > MAX_TEXT_BYTES or b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def require_kind(kind: Kind, accepted: Collection[Kind]) -> None:
    """Raise WrongKindError if `kind` is not among the `accepted` ones."""
    if kind not in accepted:
        names = " or ".join(_KIND_NAMES[name] for name in KINDS if name in accepted)
        raise WrongKindError(f"this is {_KIND_NAMES[kind]}, not {names}")


def accepted_formats(accepted: Collection[Kind]) -> str:
    """Return the `accepted` kinds with their formats, for an error message."""
    return ", ".join(_KINDS_WITH_FORMATS[kind] for kind in KINDS if kind in accepted)
