"""Files as users have them: pictures, clips, recordings and texts in every format, whole, incomplete, and refused."""

import io
import json
import struct
import zipfile
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from moodmirror.media.decoder_client import AudioChunk, FileHeader, GrayFrame, decode_file
from moodmirror.media.errors import MediaError, TooLargeError, WrongKindError
from moodmirror.recognition.audio import SAMPLE_RATE, read_sound
from moodmirror.recognition.channels import mix_channels
from tests.clips import CODECS, RATE, RECORDING_CODECS, animation, clip, encode_picture, recording
from tests.conftest import wav
from tests.test_media import heic, read

pytestmark = pytest.mark.services

SIZE = (320, 240)  # pixels: enough for a face, and fast to encode
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")


@pytest.fixture(scope="module")
def smile(scene) -> np.ndarray:
    """A happy face in the middle of a picture of 320×240 pixels."""
    return cv2.resize(scene(scale=1.6), SIZE, interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def empty() -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)


@pytest.fixture(scope="module")
def spoken(voice) -> np.ndarray:
    """Four seconds of a voice."""
    return voice[: 4 * SAMPLE_RATE]


def header(content: bytes) -> FileHeader:
    [found] = [part for part in decode_file(io.BytesIO(content)) if isinstance(part, FileHeader)]
    return found


def samples_of(content: bytes) -> np.ndarray:
    return np.concatenate([part.samples for part in decode_file(io.BytesIO(content)) if isinstance(part, AudioChunk)])


def similarity(sound: np.ndarray, other: np.ndarray) -> float:
    """Return the highest correlation, 0…1, of two sounds, the second of which a codec may have shifted."""
    size = 2 * max(len(sound), len(other))
    products = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(other, size)))
    return float(np.abs(products).max() / (np.linalg.norm(sound) * np.linalg.norm(other)))


class TestPictures:
    @pytest.mark.parametrize("file_format", ["AVIF", "BMP", "TIFF", "JPEG2000", "QOI", "PPM"])
    def test_every_format_gives_the_same_face(self, smile, file_format):
        expected = read(encode_picture(smile, "PNG"))
        picture = read(encode_picture(smile, file_format))
        assert (picture.kind, picture.label, picture.width, picture.height) == ("image", "happy", *SIZE)
        assert picture.notices == ()
        assert picture.faces[0].box == pytest.approx(expected.faces[0].box, abs=6)

    def test_an_icon_is_read(self, smile):
        assert read(encode_picture(cv2.resize(smile[:, 40:280], (256, 256)), "ICO", sizes=[(256, 256)])).label == "happy"

    def test_an_avif_photo_of_12_megapixels_is_read(self, portrait):
        photo = read(encode_picture(cv2.resize(portrait[:384], (4000, 3000)), "AVIF", speed=10))
        assert (photo.label, photo.width, photo.height) == ("happy", 4000, 3000)

    @pytest.mark.parametrize("bits", [12, 16])
    def test_gray_of_more_than_eight_bits_is_not_clipped(self, smile, bits):
        gray = cv2.cvtColor(smile, cv2.COLOR_BGR2GRAY).astype(np.uint16) << bits - 8
        file = io.BytesIO()
        Image.fromarray(gray).save(file, "TIFF")
        assert read(file.getvalue()).label == "happy"

    def test_colors_of_sixteen_bits_are_read(self, smile):
        for name in (".tiff", ".png"):
            content = cv2.imencode(name, smile.astype(np.uint16) * 257)[1].tobytes()
            assert read(content).label == "happy"

    def test_floating_point_pixels_are_read(self, smile):
        file = io.BytesIO()
        Image.fromarray(cv2.cvtColor(smile, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255).save(file, "TIFF")
        assert read(file.getvalue()).label == "happy"

    def test_the_first_page_of_a_document_is_read_and_said(self, smile, empty):
        file = io.BytesIO()
        pages = [Image.fromarray(page[..., ::-1]) for page in (smile, empty, empty)]
        pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
        document = read(file.getvalue())
        assert (document.kind, document.label) == ("image", "happy")
        assert document.notices == ("The file has 3 pages; the first one was read.",)

    @pytest.mark.parametrize("file_format", ["TIFF", "PNG", "WEBP", "AVIF"])
    def test_the_orientation_of_other_formats_than_jpeg_is_honored(self, smile, file_format):
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = cv2.rotate(smile, cv2.ROTATE_90_COUNTERCLOCKWISE)
        picture = read(encode_picture(turned, file_format, exif=exif))
        assert (picture.label, picture.width, picture.height) == ("happy", *SIZE)

    def test_a_mirrored_photo_is_mirrored_back(self, smile):
        exif = Image.Exif()
        exif[0x0112] = 2
        shifted = np.roll(smile, 60, axis=1)
        expected = read(encode_picture(shifted, "PNG")).faces[0].box
        mirrored = read(encode_picture(shifted[:, ::-1], "JPEG", quality=95, exif=exif)).faces[0].box
        assert mirrored == pytest.approx(expected, abs=6)

    @pytest.mark.parametrize("missing", [0.0, 0.25])
    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "HEIC"])
    def test_the_part_of_an_incomplete_picture_that_is_there_is_read_and_said(self, smile, empty, file_format, missing):
        picture = np.concatenate([smile, empty])
        content = heic(picture) if file_format == "HEIC" else encode_picture(picture, file_format)
        end = round(len(content) * (1 - missing)) - 30
        result = read(content[:end])
        assert (result.label, result.width, result.height) == ("happy", SIZE[0], 2 * SIZE[1])
        # The last 30 bytes of a PNG may hold nothing but its checksum and its end mark.
        assert any("incomplete" in sentence for sentence in result.notices) or (file_format == "PNG" and not missing)


class TestWideAndTallPictures:
    @pytest.mark.parametrize("size", [(10_000, 1500), (1080, 12_000), (1080, 2400), (6000, 900)])
    def test_every_face_is_found_at_its_place(self, portrait, size):
        width, height = size
        picture = np.full((height, width, 3), 120, np.uint8)
        long, face_side = max(size), 450
        places = [0.02, 0.5, 0.98 - face_side / long]
        centers = []
        for place in places:
            left, top = (round(place * long), 300) if width > height else (300, round(place * long))
            picture[top : top + face_side, left : left + face_side] = cv2.resize(portrait, (face_side, face_side))
            centers.append((left + 224 / 512 * face_side, top + 115 / 512 * face_side))
        result = read(encode_picture(picture, "JPEG", quality=90))
        assert (result.label, result.width, result.height) == ("happy", width, height)
        found = [(x + w / 2, y + h / 2) for x, y, w, h in (face.box for face in result.faces)]
        assert len(found) == len(centers)
        assert sorted(found, key=sum) == [pytest.approx(center, abs=40) for center in centers]

    def test_a_face_as_high_as_the_panorama_is_found_once_wherever_it_is(self, portrait):
        face = portrait[10:266, 80:370]
        for left in (0, 500, 830, 1400):
            picture = np.full((256, 1800, 3), 120, np.uint8)
            picture[:, left : left + 290] = face
            [found] = read(encode_picture(picture, "PNG")).faces
            assert abs(found.box[0] + found.box[2] / 2 - (left + 144)) < 30

    def test_the_most_extreme_sides_are_read(self):
        for size in [(50_000, 900), (20, 60_000), (1, 60_000)]:
            picture = np.random.default_rng(0).integers(0, 255, size[::-1], dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG", compress_level=1)
            result = read(file.getvalue())
            assert (result.width, result.height) == size

    def test_wide_clips_are_searched_in_tiles_too(self, smile, empty):
        small = cv2.resize(smile[:, 40:280], (150, 150), interpolation=cv2.INTER_AREA)
        picture = np.full((200, 1200, 3), 90, np.uint8)
        picture[20:170, 1000:1150] = small
        film = read(animation([picture, picture[:, ::-1]], "WEBP", 1000))
        assert film.label == "happy"


class TestAnimations:
    @pytest.mark.parametrize("file_format", ANIMATED)
    def test_every_picture_is_read_at_its_time(self, smile, empty, file_format):
        film = read(animation([empty, smile], file_format, 3000))
        assert (film.kind, film.label, film.width, film.height) == ("video", "happy", *SIZE)
        assert film.seconds == pytest.approx(6.0, abs=0.3)
        timeline = {moment.at: moment.vector is not None for moment in film.segments}
        assert not timeline[0.0]
        assert timeline[3.5]
        assert timeline[5.0]

    @pytest.mark.parametrize("file_format", ANIMATED)
    def test_the_first_picture_counts_where_only_a_picture_is_accepted(self, smile, empty, file_format):
        picture = read(animation([smile, empty], file_format, 500), ["image"])
        assert (picture.kind, picture.label) == ("image", "happy")

    @pytest.mark.parametrize("file_format", ["GIF", "PNG"])
    def test_the_beginning_of_an_incomplete_animation_is_read_and_said(self, smile, empty, file_format):
        content = animation([smile, smile[:, ::-1], empty, empty + 40, smile // 2], file_format, 500)
        film = read(content[: len(content) * 8 // 10])
        assert (film.kind, film.label) == ("video", "happy")
        assert "incomplete" in film.notices[0]

    def test_a_gif_without_control_blocks_shows_each_picture_for_a_tenth_of_a_second(self, smile):
        content = animation([smile, smile[:, ::-1]] * 5, "GIF", 500)
        blocks = content.split(b"\x21\xf9\x04")  # graphic control extensions: eight bytes each
        stripped = blocks[0] + b"".join(block[5:] for block in blocks[1:])
        film = read(stripped)
        assert (film.kind, film.label) == ("video", "happy")
        assert film.seconds == pytest.approx(1.0, abs=0.2)

    def test_the_picture_of_a_png_for_other_programs_is_no_part_of_its_animation(self, smile, empty):
        file = io.BytesIO()
        first, *others = (Image.fromarray(picture[..., ::-1]) for picture in (empty, smile, smile[:, ::-1]))
        first.save(file, "PNG", save_all=True, append_images=others, duration=1000, default_image=True)
        film = read(file.getvalue())
        assert film.segments[0].vector is not None

    @pytest.mark.parametrize("file_format", ANIMATED)
    def test_an_animation_of_more_than_4k_is_refused(self, file_format):
        pictures = [np.full((2400, 4400, 3), value, np.uint8) for value in (0, 90)]
        with pytest.raises(TooLargeError, match="4400×2400"):
            read(animation(pictures, file_format, 100))


class TestClips:
    @pytest.mark.parametrize("container", [name for name in CODECS if name not in ("mp4", "mov", "webm", "avi")])
    def test_every_container_gives_the_same_mood_and_times(self, smile, spoken, container):
        film = read(clip([smile] * (4 * RATE), container, spoken))
        assert (film.kind, film.label, film.width, film.height) == ("video", "happy", *SIZE)
        assert film.seconds == pytest.approx(4.0, abs=0.3)
        assert set(film.sources) == {"face", "speech"}
        assert film.notices == ()

    @pytest.mark.parametrize(
        ("container", "pixel_aspect"),
        [
            ("mp4", Fraction(2)),
            ("mov", Fraction(1, 2)),
            ("mpegts", Fraction(64, 45)),
            ("matroska", Fraction(8, 9)),
            ("mpeg", Fraction(16, 11)),
        ],
    )
    def test_pixels_that_are_not_square_are_stretched(self, smile, container, pixel_aspect):
        stored_width = round(SIZE[0] / pixel_aspect / 2) * 2
        film = read(clip([cv2.resize(smile, (stored_width, SIZE[1]))] * RATE, container, pixel_aspect=pixel_aspect))
        assert film.width == pytest.approx(SIZE[0], abs=3)
        assert (film.label, film.height) == ("happy", SIZE[1])
        expected = read(clip([smile] * RATE, "avi")).faces[0].box
        assert film.faces[0].box == pytest.approx(expected, abs=12)

    def test_pixels_that_are_not_square_are_stretched_before_the_clip_is_rotated(self, smile):
        turned = cv2.rotate(smile, cv2.ROTATE_90_COUNTERCLOCKWISE)
        film = bytearray(clip([cv2.resize(turned, (120, 320))] * RATE, "mp4", pixel_aspect=Fraction(2)))
        matrix = film.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2: a quarter turn clockwise
        film[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, SIZE[0] << 16, 0, 1 << 30)
        rotated = read(bytes(film))
        assert (rotated.label, rotated.width, rotated.height) == ("happy", *SIZE)

    @pytest.mark.parametrize("container", ["avi", "webm", "flv", "h264"])
    def test_the_part_of_an_incomplete_clip_that_is_there_is_read_and_said(self, smile, container):
        noise = np.random.default_rng(0).integers(0, 8, (8 * RATE, *smile.shape), dtype=np.uint8)
        pictures = [cv2.add(smile, part) for part in noise]
        options = {"movflags": "frag_keyframe+empty_moov"} if container == "h264" else None
        content = clip(pictures, container, container_options=options)
        film = read(content[: len(content) * 2 // 3])
        assert (film.kind, film.label) == ("video", "happy")
        if container != "h264":  # a fragmented clip states no length
            assert "incomplete" in film.notices[0]

    def test_a_clip_whose_index_is_missing_is_refused_by_that_reason(self, smile):
        content = clip([smile] * RATE, "mp4")
        with pytest.raises(MediaError, match="index"):
            read(content[:-100].replace(b"moov", b"mooo"))

    def test_the_second_track_is_read_where_the_first_is_silent(self, spoken):
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as output:
            tracks = [output.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="mono") for _ in range(2)]
            for track, sound in zip(tracks, (np.zeros_like(spoken), spoken), strict=True):
                part = av.AudioFrame.from_ndarray(sound[np.newaxis], format="flt", layout="mono")
                part.rate, part.pts = SAMPLE_RATE, 0
                output.mux(track.encode(part))
        assert samples_of(file.getvalue()) == pytest.approx(spoken, abs=1e-6)


class TestRecordings:
    @pytest.mark.parametrize(("container", "codec"), RECORDING_CODECS)
    def test_every_container_and_codec_gives_the_same_sound_and_mood(self, spoken, container, codec):
        content = recording(spoken, container, codec)
        least = 0.7 if container == "amr" else 0.9  # a telephone's codec
        assert similarity(samples_of(content), spoken) > least
        assert similarity(read_sound(content), spoken) > least
        note, expected = read(content), read(wav(spoken))
        assert (note.kind, note.notices) == ("audio", ())
        assert note.seconds == pytest.approx(4.0, abs=0.2)
        assert note.vector == pytest.approx(expected.vector, abs=0.25)

    @pytest.mark.parametrize("stated", [0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF])
    def test_a_wav_whose_header_leaves_its_end_open_is_read_to_its_end(self, spoken, stated):
        for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM"):
            content = bytearray(wav(spoken, subtype=subtype))
            expected = read_sound(bytes(content))
            struct.pack_into("<I", content, 4, stated)
            struct.pack_into("<I", content, content.index(b"data") + 4, stated)
            assert np.array_equal(read_sound(bytes(content)), expected)
            note = read(bytes(content))
            assert note.notices == ()
            assert note.seconds == pytest.approx(4.0, abs=0.1)

    @pytest.mark.parametrize("stated", [0, 0xFFFFFFFF])
    def test_an_open_ended_wav_with_other_parts_before_its_sound_is_read(self, spoken, stated):
        content = wav(spoken)
        tags = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 13) + b"Lavf62.12.102\0"
        start = content.index(b"data")
        piped = content[:start] + tags + b"data" + struct.pack("<I", stated) + content[start + 8 :]
        assert np.array_equal(samples_of(piped), samples_of(content))

    def test_wav_files_of_more_than_4_gb_have_other_headers_that_are_read(self, spoken):
        for form in ("RF64", "BW64"):
            plain = wav(spoken)
            start = plain.index(b"data")
            lengths = struct.pack("<QQQI", len(plain) + 28, len(plain) - start - 8, len(spoken), 0)
            long = b"ds64" + struct.pack("<I", len(lengths)) + lengths
            content = (
                form.encode() + b"\xff" * 4 + b"WAVE" + long + plain[12:start] + b"data" + b"\xff" * 4 + plain[start + 8 :]
            )
            assert np.array_equal(samples_of(content), samples_of(plain))

    @pytest.mark.parametrize(
        ("container", "codec"), [("wav", None), ("aiff", "pcm_s16be"), ("flac", "flac"), ("mp3", "mp3")]
    )
    def test_the_part_of_an_incomplete_recording_that_is_there_is_read_and_said(self, spoken, container, codec):
        content = wav(spoken) if codec is None else recording(spoken, container, codec)
        note = read(content[: len(content) // 2])
        assert note.label is not None
        assert "incomplete" in note.notices[0]
        assert "4.0 s" in note.notices[0]

    @pytest.mark.parametrize("garbage", [bytes(5000), b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" * 20])
    def test_bytes_before_an_mp3_are_left_out_and_said(self, spoken, garbage):
        note = read(garbage + recording(np.tile(spoken, 3), "mp3", "mp3"))
        assert note.seconds == pytest.approx(12.0, abs=0.5)
        assert "at the beginning" in note.notices[0]

    def test_a_recording_may_be_twice_as_long_as_a_clip(self):
        tone = 0.1 * np.sin(np.arange(400 * SAMPLE_RATE, dtype=np.float32))
        assert header(recording(tone, "mp4", "aac")).seconds == pytest.approx(400, abs=1)


class TestChannels:
    """Channels are mixed in one function, which clips and recordings, programs and training use."""

    @pytest.fixture
    def noise(self, spoken):
        return np.random.default_rng(3).normal(scale=0.3, size=len(spoken)).astype(np.float32)

    def test_channels_of_opposite_phase_do_not_cancel_each_other(self, spoken):
        for factor in (-1.0, -0.8):
            stereo = np.stack([spoken, np.float32(factor) * spoken], axis=1)
            assert similarity(mix_channels(stereo), spoken) > 0.999
            assert np.abs(mix_channels(stereo)).max() == pytest.approx(np.abs(spoken).max(), rel=0.01)

    @pytest.mark.parametrize("place", [0, 1])
    def test_a_silent_channel_does_not_halve_the_voice(self, spoken, place):
        stereo = np.zeros((len(spoken), 2), np.float32)
        stereo[:, place] = spoken
        assert np.array_equal(mix_channels(stereo), spoken)

    @pytest.mark.parametrize("place", [0, 1])
    def test_a_channel_of_noise_does_not_cover_the_voice(self, spoken, noise, place):
        stereo = np.stack([noise, noise], axis=1)
        stereo[:, place] = spoken
        assert np.array_equal(mix_channels(stereo), spoken)

    def test_only_the_center_of_six_speaks(self, spoken):
        surround = np.zeros((len(spoken), 6), np.float32)
        surround[:, 2] = spoken
        assert np.array_equal(mix_channels(surround), spoken)

    def test_the_same_voice_in_two_noisy_channels_is_averaged(self, spoken):
        random = np.random.default_rng(4).normal(scale=0.05, size=(len(spoken), 2)).astype(np.float32)
        stereo = spoken[:, np.newaxis] + random
        assert mix_channels(stereo) == pytest.approx(stereo.mean(axis=1), abs=1e-6)

    def test_a_sound_without_a_voice_has_its_loudest_channel(self):
        tone = np.sin(np.arange(SAMPLE_RATE, dtype=np.float32))
        assert np.abs(mix_channels(np.stack([tone, -tone], axis=1))).max() > 0.9

    @pytest.mark.parametrize(
        ("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("mp4", "aac"), ("ogg", "libopus")]
    )
    @pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1"])
    def test_recordings_in_every_codec_are_mixed_like_that(self, spoken, container, codec, layout):
        count = {"stereo": 2, "5.1": 6, "7.1": 8}[layout]
        channels = np.zeros((len(spoken), count), np.float32)
        channels[:, 0] = spoken
        channels[:, 1] = -spoken
        content = recording(channels, container, codec, layout)
        for decoded in (samples_of(content), read_sound(content)):
            assert similarity(decoded, spoken) > 0.9
            assert np.abs(decoded).max() > 0.6 * np.abs(spoken).max()

    def test_the_sound_of_a_clip_is_mixed_like_that(self, spoken, smile):
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as output:
            video = output.add_stream("mjpeg", rate=RATE)
            video.width, video.height, video.pix_fmt = *SIZE, "yuvj420p"
            audio = output.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="stereo")
            for number in range(RATE):
                frame = av.VideoFrame.from_ndarray(smile, format="bgr24")
                frame.pts = number
                output.mux(video.encode(frame))
            stereo = np.stack([spoken, -spoken], axis=1).reshape(1, -1)
            part = av.AudioFrame.from_ndarray(stereo, format="flt", layout="stereo")
            part.rate, part.pts = SAMPLE_RATE, 0
            output.mux(audio.encode(part))
        assert similarity(samples_of(file.getvalue()), spoken) > 0.999


class TestTexts:
    TEXT = "I am so happy today! Übermütig, naïve – it’s great."

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
    @pytest.mark.parametrize("marked", [False, True])
    def test_every_encoding_gives_the_same_mood(self, encoding, marked):
        mark = "\ufeff" if marked and encoding.endswith(("le", "be")) else ""
        text = read((mark + self.TEXT).encode(encoding))
        assert (text.kind, text.label) == ("text", "happy")
        assert text.segments[-1].end == len(self.TEXT)
        assert bool(text.notices) == (encoding == "cp1252")

    def test_a_text_in_another_old_encoding_is_told_apart(self):
        for sentence, encoding in [
            ("Сегодня был прекрасный день, и я очень рад тебя видеть. Погода хорошая, все смеются и поют песни.", "cp1251"),
            ("今日はとても楽しい一日でした。友達と一緒に公園で遊んで、美味しいご飯を食べました。", "shift_jis"),
        ]:
            text = read(sentence.encode(encoding))
            assert (text.kind, text.language_known) == ("text", False)
            assert text.segments[-1].end == pytest.approx(len(sentence), abs=4)

    def test_the_last_character_may_be_incomplete(self):
        assert read("I am so happy today! 😀".encode()[:-2]).label == "happy"
        assert read("I am so happy today!".encode("utf-16")[:-1]).label == "happy"

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b'<svg xmlns="http://www.w3.org/2000/svg"><text>happy</text></svg>', "an SVG drawing"),
            (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg><text>happy</text></svg>', "an SVG drawing"),
            ('<?xml version="1.0" encoding="utf-16"?><svg/>'.encode("utf-16"), "an SVG drawing"),
            (b"\xef\xbb\xbf  <!DOCTYPE html><html><body>happy</body></html>", "an HTML page"),
            (b'<?xml version="1.0"?><feed>happy</feed>', "an XML document"),
            (b"{\\rtf1\\ansi I am happy}", "an RTF document"),
            (json.dumps({"mood": "happy"}).encode(), "JSON data"),
            (json.dumps(["happy", "sad"]).encode(), "JSON data"),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
            (b"%!PS-Adobe-3.0\n", "a PostScript document"),
            (b"#EXTM3U\nhttp://example.org/a.mp3\n", "a playlist"),
            (b"WEBVTT\n\n00:01.000 --> 00:02.000\nI am happy\n", "a file of subtitles"),
            (b"1\r\n00:00:01,000 --> 00:00:02,000\r\nI am happy\r\n", "a file of subtitles"),
            (b"\xff\x0a" + bytes(50), "a JPEG XL picture"),
            (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "a JPEG XL picture"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "an old Office document"),
            (b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk", "a MIDI file"),
            (b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
            (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "a camera's raw picture"),
        ],
    )
    def test_what_is_not_read_is_refused_by_its_name(self, content, name):
        with pytest.raises(MediaError, match=f"^this is {name}") as raised:
            read(content)
        assert not isinstance(raised.value, WrongKindError)

    @pytest.mark.parametrize(("path", "name"), [("word/document.xml", "a Word document"), ("notes.txt", "a ZIP archive")])
    def test_archives_are_told_apart_by_what_they_hold(self, path, name):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(path, "I am happy")
        with pytest.raises(MediaError, match=name):
            read(file.getvalue())

    def test_texts_that_only_begin_like_other_formats_are_texts(self):
        for text in ("[1] I am so happy!", "{sigh} I am so happy!", "<3 I am so happy!", "BM told me: I am so happy today!"):
            assert read(text.encode()).label == "happy"

    def test_a_long_text_is_refused_as_too_long(self):
        with pytest.raises(TooLargeError, match="20,000 characters"):
            read(b"I am happy. " * 30_000)


@pytest.mark.parametrize("file_format", ["AVIF", "BMP", "TIFF", "JPEG2000", "WEBP"])
def test_pictures_of_too_many_pixels_are_refused_by_their_header(file_format):
    file = io.BytesIO()
    Image.new("L", (8000, 8000)).save(file, file_format, **({"speed": 10} if file_format == "AVIF" else {}))
    with pytest.raises(TooLargeError, match="8000×8000"):
        read(file.getvalue())


def test_a_picture_inside_an_icon_is_limited_as_the_icon_is():
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    large = file.getvalue()
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(large), 22) + large
    with pytest.raises(MediaError):
        read(icon)


def test_frames_are_never_larger_than_what_the_analysis_takes():
    frames = [
        part
        for part in decode_file(io.BytesIO(encode_picture(np.zeros((700, 60_000, 3), np.uint8), "JPEG")))
        if isinstance(part, GrayFrame)
    ]
    assert frames[0].gray.shape[1] <= 32_000
