"""Analysis of files of every kind, valid and hostile: results, errors, and isolation of the decoder process."""

import gc
import io
import struct
import subprocess
import sys
import tempfile
from contextlib import closing

import cv2
import numpy as np
import pillow_heif
import psutil
import pytest
import skimage.data
from PIL import Image

from app import app
from moodmirror.emotions import EMOTIONS
from moodmirror.media import decoder_worker
from moodmirror.media.decoder_client import AudioChunk, FileHeader, GrayFrame, decode_file
from moodmirror.media.errors import MediaError, TooLargeError, WrongKindError
from moodmirror.media.file_analysis import analyze, run_to_completion
from moodmirror.media.formats import KINDS
from moodmirror.media.frame_sampler import CLIP_SIDE
from moodmirror.recognition.audio import SAMPLE_RATE
from moodmirror.services import EXTENSION
from tests.clips import RATE, animation, clip, encode_picture, recording
from tests.conftest import ROOT, own_memory, running, wav

pytestmark = pytest.mark.services

# Unambiguous faces of LFW: a broad smile; brows drawn up and together, the mouth pressed and drawn down.
SMILING, SORROWFUL = 74, 8
SMALL = (320, 240)  # pixels: enough for a face, and fast to encode


@pytest.fixture(scope="module")
def smile(scene) -> np.ndarray:
    """A happy face in a picture of 320×240 pixels."""
    return cv2.resize(scene(scale=1.6), SMALL, interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def empty_picture() -> np.ndarray:
    return np.full((SMALL[1], SMALL[0], 3), 90, np.uint8)


def lfw_picture(number: int) -> np.ndarray:
    """A face of LFW (Huang et al., 2007) from scikit-image's subset, large in a picture of 320×240 pixels."""
    face = (255 * skimage.data.lfw_subset()[number]).astype(np.uint8)
    picture = np.full((SMALL[1], SMALL[0]), int(np.median(face)), np.uint8)
    picture[50:194, 88:232] = cv2.resize(face, (144, 144), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)


def read(content: bytes, accepted=KINDS):
    return run_to_completion(analyze(io.BytesIO(content), app.extensions[EXTENSION], accepted))


def labels(analysis) -> list[str | None]:
    return [None if moment.vector is None else EMOTIONS[moment.vector.argmax()] for moment in analysis.segments]


def rotated_jpeg(picture: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode_picture(picture, "JPEG", quality=92, exif=exif)


def heic(picture: np.ndarray) -> bytes:
    pillow_heif.register_heif_opener()
    return encode_picture(picture, "HEIF", quality=90)


class TestPictures:
    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "HEIC"])
    def test_every_format_gives_the_same_face_and_position(self, portrait, file_format):
        picture = read(heic(portrait) if file_format == "HEIC" else encode_picture(portrait, file_format))
        assert (picture.kind, picture.label, picture.width, picture.height) == ("image", "happy", 512, 512)
        [face] = picture.faces
        x, y, width, height = face.box
        assert abs(x + width / 2 - 224) < 25
        assert abs(y + height / 2 - 115) < 25

    @pytest.mark.parametrize(
        ("orientation", "turn"),
        [(3, cv2.ROTATE_180), (6, cv2.ROTATE_90_COUNTERCLOCKWISE), (8, cv2.ROTATE_90_CLOCKWISE)],
    )
    def test_a_photo_is_rotated_by_its_exif_orientation(self, portrait, orientation, turn):
        upright = portrait[:400]
        picture = read(rotated_jpeg(cv2.rotate(upright, turn), orientation))
        assert (picture.label, picture.width, picture.height) == ("happy", 512, 400)

    def test_boxes_are_in_pixels_of_the_original_photo(self, portrait):
        picture = read(encode_picture(cv2.resize(portrait, (3000, 3000)), "JPEG"))
        [face] = picture.faces
        assert (picture.width, picture.height) == (3000, 3000)
        assert abs(face.box[0] + face.box[2] / 2 - 224 * 3000 / 512) < 150

    def test_near_and_far_faces_are_all_recognized(self, portrait):
        group = np.full((700, 1400, 3), 120, np.uint8)
        group[100:612, 50:562] = portrait
        group[100:356, 700:956] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
        group[400:656, 1000:1256] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
        faces = read(encode_picture(group, "PNG")).faces
        assert [face.number for face in faces] == [1, 2, 3]
        assert [face.label for face in faces] == ["happy"] * 3
        centers = sorted(round((face.box[0] + face.box[2] / 2) / 10) for face in faces)
        assert centers == pytest.approx([27, 81, 111], abs=3)

    def test_sixteen_bits_per_pixel_are_read_like_eight(self, portrait):
        gray = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257
        file = io.BytesIO()
        Image.fromarray(gray).save(file, "PNG")
        assert read(file.getvalue()).label == "happy"

    def test_a_picture_without_a_face_has_no_mood(self, empty_picture):
        picture = read(encode_picture(empty_picture, "PNG"))
        assert (picture.label, list(picture.faces), picture.leading_share) == (None, [], 0.0)


class TestClips:
    @pytest.mark.parametrize("container", ["mp4", "mov", "webm", "avi", "gif"])
    def test_a_face_that_leaves_gives_no_further_mood(self, smile, empty_picture, container):
        pictures = [smile] * (3 * RATE) + [empty_picture] * (3 * RATE)
        film = read(animation([smile, empty_picture], "GIF", 3000) if container == "gif" else clip(pictures, container))
        assert (film.kind, film.label, film.width, film.height) == ("video", "happy", *SMALL)
        assert film.seconds == pytest.approx(6.0, abs=0.25)
        timeline = dict(zip((moment.at for moment in film.segments), labels(film), strict=True))
        assert {timeline[at] for at in (0.0, 1.0, 2.0, 2.5)} == {"happy"}
        assert {timeline[at] for at in timeline if at > 5.1} == {None}
        [face] = film.faces
        assert face.label == "happy"

    def test_moods_are_returned_in_the_order_of_the_clip(self):
        moods = [lfw_picture(SMILING), lfw_picture(SORROWFUL)]
        film = read(clip([picture for picture in moods for _ in range(3 * RATE)], "avi"))
        timeline = dict(zip((moment.at for moment in film.segments), labels(film), strict=True))
        assert {timeline[at] for at in (0.0, 0.5, 1.0, 1.5, 2.0)} == {"happy"}
        assert {timeline[at] for at in (4.0, 4.5, 5.0, 5.5)} == {"sad"}
        assert 0.4 <= film.leading_share <= 0.6

    def test_face_and_voice_share_one_timeline(self, smile, empty_picture, voice):
        silence = np.zeros(4 * SAMPLE_RATE, np.float32)
        sound = np.concatenate([silence, voice[: 4 * SAMPLE_RATE]])
        film = read(clip([smile] * (4 * RATE) + [empty_picture] * (4 * RATE), "mp4", sound))
        sources = {moment.at: set(moment.sources) for moment in film.segments}
        assert sources[0.5] == {"face"}
        assert "speech" in sources[6.5]
        assert "face" not in sources[8.0 if 8.0 in sources else max(sources)]
        assert set(film.sources) == {"face", "speech"}
        assert sum(film.sources.values()) == pytest.approx(1)

    def test_a_clip_is_rotated_by_its_track_matrix(self, smile):
        film = bytearray(clip([cv2.rotate(smile, cv2.ROTATE_90_COUNTERCLOCKWISE)] * RATE, "mp4"))
        # The matrix in the track's header (ISO 14496-12, 8.3.2): a quarter turn clockwise.
        matrix = film.index(b"tkhd") + 44
        film[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, SMALL[0] << 16, 0, 1 << 30)
        rotated = read(bytes(film))
        assert (rotated.label, rotated.width, rotated.height) == ("happy", *SMALL)

    def test_frames_are_sampled_and_scaled_down(self, scene):
        large = cv2.resize(scene(), (1280, 960))
        parts = list(decode_file(io.BytesIO(clip([large] * (2 * RATE), "avi"))))
        frames = [part for part in parts if isinstance(part, GrayFrame)]
        assert parts[0] == FileHeader("video", 1280, 960, 2.0)
        assert [round(frame.at, 2) for frame in frames] == [round(0.2 * number, 2) for number in range(10)]
        assert {frame.gray.shape for frame in frames} == {(CLIP_SIDE * 3 // 4, CLIP_SIDE)}

    def test_a_long_frame_is_sampled_for_its_whole_duration(self, smile, empty_picture):
        frames = [
            part
            for part in decode_file(io.BytesIO(animation([smile, empty_picture], "GIF", 2000)))
            if isinstance(part, GrayFrame)
        ]
        assert [round(frame.at, 2) for frame in frames] == [round(0.2 * number, 2) for number in range(20)]
        assert np.array_equal(frames[9].gray, frames[0].gray)
        assert np.array_equal(frames[19].gray, frames[10].gray)

    def test_progress_rises_from_0_to_nearly_1(self, smile):
        values: list[float] = []
        work = analyze(io.BytesIO(clip([smile] * (2 * RATE), "avi")), app.extensions[EXTENSION])
        run_to_completion(work, lambda progress: values.append(-1.0 if progress is None else progress))
        assert values[0] == 0.0
        assert values == sorted(values)
        assert 0.8 <= values[-1] <= 1.0


class TestRecordings:
    @pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("wav", None)])
    def test_speech_is_recognized_in_every_container(self, voice, container, codec):
        note = read(wav(voice) if codec is None else recording(voice, container, codec))
        assert note.kind == "audio"
        assert note.seconds == pytest.approx(7.0, abs=0.15)
        assert note.label is not None
        assert set(note.sources) == {"speech"}

    def test_decoded_samples_equal_the_original(self, voice):
        parts = decode_file(io.BytesIO(recording(voice, "mov", "pcm_f32le")))
        samples = np.concatenate([part.samples for part in parts if isinstance(part, AudioChunk)])
        assert samples == pytest.approx(voice, abs=1e-6)


def test_a_text_file_is_analyzed_as_text():
    text = read("I am so happy today! 😀".encode())
    assert (text.kind, text.label) == ("text", "happy")


def hostile(smile, voice) -> dict[str, tuple[bytes, type[MediaError]]]:
    """Invalid files by their fault, and the error that each must raise."""
    long_film = clip([smile] * 3, "mp4", times=[0, 18_000, 36_000])
    bomb = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(bomb, "PNG")
    gif_bomb = animation([smile, smile[::-1]], "GIF", 100)
    wide = clip([np.zeros((2400, 4400, 3), np.uint8)], "avi")
    noise = np.random.default_rng(0).bytes(100_000)
    picture = encode_picture(smile, "PNG")
    return {
        "zero-length": (b"", MediaError),
        "random": (noise, MediaError),
        "a photo's header": (encode_picture(smile, "JPEG")[:300], MediaError),
        "a PNG's header": (picture[:40], MediaError),
        "a GIF's header": (gif_bomb[:50], MediaError),
        "an AVI's header": (clip([smile] * RATE, "avi", voice[:SAMPLE_RATE])[:4000], MediaError),
        "an MP4 without its index": (clip([smile] * RATE, "mp4")[:5000], MediaError),
        "a WebM's header": (clip([smile] * (2 * RATE), "webm")[:300], MediaError),
        "a WAV's header": (wav(voice)[:44], MediaError),
        "100 megapixels": (bomb.getvalue(), TooLargeError),
        "a GIF whose header states 4000 megapixels": (gif_bomb[:6] + b"\xff\xff\xff\xff" + gif_bomb[10:], TooLargeError),
        "a clip of more than 4K": (wide, TooLargeError),
        "10 hours": (long_film, TooLargeError),
        "a GIF of 10 hours": (
            animation([np.full((8, 8, 3), n, np.uint8) for n in range(60)], "GIF", 600_000),
            TooLargeError,
        ),
        "random after the start of an MP4": (b"\0\0\0\x20ftypisom" + noise, MediaError),
        "random after the start of a WebM": (b"\x1a\x45\xdf\xa3" + noise, MediaError),
        "random after the start of a JPEG": (b"\xff\xd8\xff\xe0" + noise, MediaError),
        "random after the start of a HEIC": (b"\0\0\0\x20ftypheic" + noise, MediaError),
        "random after the start of an MP3": (b"ID3" + noise, MediaError),
    }


def test_hostile_files_raise_one_clear_error_and_leave_nothing_in_memory_or_on_disk(
    smile, voice, monkeypatch, tmp_path, subtests
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = hostile(smile, voice)
    own = psutil.Process()
    read(encode_picture(smile, "PNG"))  # models are loaded now
    gc.collect()
    before = own_memory(own)
    for name, (content, expected) in files.items():
        with subtests.test(name):
            with pytest.raises(MediaError) as raised:
                read(content)
            assert type(raised.value) is expected
            assert 20 < len(str(raised.value)) < 300
            assert running(decoder_worker) == []
    gc.collect()
    assert own_memory(own) - before < 20_000_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("accepted_kind", KINDS)
def test_the_content_determines_the_kind_and_only_accepted_kinds_are_read(smile, voice, accepted_kind):
    files = {
        "image": encode_picture(smile, "JPEG"),
        "audio": wav(voice[:SAMPLE_RATE]),
        "video": animation([smile, smile[::-1]], "GIF", 100),
        "text": b"Hello",
    }
    for kind, content in files.items():
        if kind == accepted_kind or (kind, accepted_kind) == ("video", "image"):
            assert read(content, [accepted_kind]).kind == accepted_kind  # the first picture of a GIF counts as an image
            continue
        with pytest.raises(WrongKindError, match=r"this is a .+, not a "):
            read(content, [accepted_kind])


def test_a_decoder_that_exceeds_the_timeout_is_ended(smile):
    with pytest.raises(TooLargeError, match="more time or memory"):
        list(decode_file(io.BytesIO(encode_picture(smile, "PNG")), timeout_seconds=0.01))
    assert running(decoder_worker) == []


def test_closing_the_analysis_ends_the_decoder(smile):
    with closing(analyze(io.BytesIO(clip([smile] * (4 * RATE), "avi")), app.extensions[EXTENSION])) as work:
        next(work)
        assert len(running(decoder_worker)) == 1
    assert running(decoder_worker) == []


def test_a_decoder_has_limited_memory_and_cpu_time_and_can_write_no_file(tmp_path):
    program = """
import resource
import sys
from moodmirror.media.decoder_worker import CPU_SECONDS, MEMORY_BYTES, NICENESS
from moodmirror.platforms import isolate
isolate(MEMORY_BYTES, CPU_SECONDS, NICENESS)
try:
    bytearray(4_000_000_000)
except MemoryError:
    print("no memory")
try:
    with open(sys.argv[1], "wb", buffering=0) as file:
        file.write(b"x")
except OSError:
    print("no file")
print(resource.getrlimit(resource.RLIMIT_CPU)[0])
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == ["no memory", "no file", str(decoder_worker.CPU_SECONDS)]
