"""Write groups of songs as playlists into a folder, in place of those of an earlier run and of nothing else.

A manifest in the folder holds the hash of each file that was written there. A file that it doesn't name, or that has
changed since, is the user's own: it is neither replaced nor deleted.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.playlist_clustering import Cluster
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

MANIFEST: Final = ".mood_mirror_playlists.json"
PICTURE: Final = "clusters.png"
CENTROIDS: Final = "centroids.csv"
PLAYLIST_COLUMNS: Final = ("title", "artist", "uri", "emotion")
ARTIST_SEPARATOR: Final = ";"  # a comma is part of many names
CREATOR: Final = "Mood Mirror"
CENTROID_COLUMNS: Final = (
    "group",
    "emotion",
    "songs",
    *(f"audio_{feature}" for feature in AUDIO_FEATURES),
    "mood_valence",
    "mood_arousal",
    *(f"share_{emotion}" for emotion in EMOTIONS),
)


class PlaylistFolderError(ValueError):
    """The playlists can't be written; the message names the file that is in the way, and the next step."""


def make_files(clusters: Sequence[Cluster]) -> dict[str, bytes]:
    """Return the files of groups by name: each group's playlist as M3U, CSV and JSPF (JSON XSPF), and all centroids."""
    files = {}
    for cluster in clusters:
        files[f"{cluster.name}.m3u"] = _m3u(cluster)
        files[f"{cluster.name}.csv"] = _csv(
            PLAYLIST_COLUMNS,
            [(song.title, ARTIST_SEPARATOR.join(song.artists), song.uri, cluster.emotion or "") for song in cluster.songs],
        )
        files[f"{cluster.name}.jspf"] = _jspf(cluster)
    files[CENTROIDS] = _csv(CENTROID_COLUMNS, [_centroid_row(cluster) for cluster in clusters])
    return files


def replace_files(folder: Path, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Write files into a folder, and delete those that an earlier run wrote and that are not among them.

    Returns the names of the deleted files, and of files that an earlier run wrote and that stay, as they were changed since.
    Raises PlaylistFolderError, and changes nothing, if a file of the user's has the name of one to write.
    """
    written = _written_files(folder)
    own = {name for name, digest in written.items() if digest in (None, _digest(folder / name))}
    for name, content in files.items():
        path = folder / name
        if path.exists() and name not in own and path.read_bytes() != content:
            whose = "has been changed since it was written" if name in written else "is not a file of an earlier run"
            raise PlaylistFolderError(f"{path} {whose}: it is kept. Move it, or choose another folder with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    obsolete = sorted(name for name in own - set(files) if (folder / name).exists())
    changed = sorted(name for name in set(written) - own - set(files) if (folder / name).exists())
    for name in obsolete:
        (folder / name).unlink()
    # The manifest is written before its files: after an interruption, the next run recognizes them.
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / MANIFEST).write_text(json.dumps({"creator": CREATOR, "files": digests}, indent=1) + "\n", encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return obsolete, changed


def _written_files(folder: Path) -> dict[str, str | None]:
    """Return the files in a folder that an earlier run wrote, by name, each with its hash."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in manifest["files"].items() if Path(name).name == name}
    except FileNotFoundError:
        return _unlisted_files(folder)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # not ours any more


def _unlisted_files(folder: Path) -> dict[str, str | None]:
    """Return the files of a version that wrote no manifest, with no hash: it left its mark in the JSPF files only."""
    files: dict[str, str | None] = {}
    for path in folder.glob("*.jspf"):
        try:
            playlist = json.loads(path.read_text(encoding="utf-8"))["playlist"]
            is_own = (playlist["creator"], playlist["title"]) == (CREATOR, path.stem)
        except (ValueError, KeyError, TypeError):
            continue
        if is_own and path.stem in EMOTIONS:
            files |= dict.fromkeys((f"{path.stem}.m3u", f"{path.stem}.csv", path.name, PICTURE))
    return files


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _m3u(cluster: Cluster) -> bytes:
    lines = ["#EXTM3U", f"#PLAYLIST:{cluster.name}"]
    for song in cluster.songs:
        lines += [f"#EXTINF:-1,{_one_line(song.artist)} - {_one_line(song.title)}", song.url]  # -1: length unknown
    return ("\n".join(lines) + "\n").encode()


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _jspf(cluster: Cluster) -> bytes:
    tracks: list[dict[str, Any]] = [
        {
            "title": song.title,
            "creator": song.artist,
            "location": [song.url],
            **({"identifier": [song.uri]} if song.uri else {}),
        }
        for song in cluster.songs
    ]
    playlist = {"playlist": {"title": cluster.name, "creator": CREATOR, "track": tracks}}
    return (json.dumps(playlist, ensure_ascii=False, indent=1) + "\n").encode()


def _centroid_row(cluster: Cluster) -> list[object]:
    numbers = (*cluster.centroid, *cluster.place, *cluster.mood)
    return [cluster.name, cluster.emotion or "", len(cluster.songs), *(f"{float(number):.4g}" for number in numbers)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
