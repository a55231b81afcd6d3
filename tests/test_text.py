"""Text recognition with the served network."""

import json
import shutil
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from moodmirror.emotions import EMOTIONS
from moodmirror.paths import DATA_DIR, MODELS_DIR
from moodmirror.recognition.model_files import MANIFEST, ModelError
from moodmirror.recognition.text import MAX_SENTENCES, MIN_WEIGHT, TextEmotionRecognizer, TextEncoder
from moodmirror.recognition.text_input import MAX_CHARACTERS, TextError, decode_text, sentence_spans
from moodmirror.recognition.text_language import LANGUAGES, LanguageDetector
from moodmirror.recognition.text_network import MAX_TOKENS, TEXT_FILES, TOKENIZER_FILE, padded_length
from moodmirror.recognition.text_tokenizer import TextTokenizer
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, read_table
from moodmirror.recommendation.sentence_vectors import CatalogueVectors, item_text
from moodmirror.training import catalogue_vectors
from moodmirror.training.text_evaluation import read_cases, wrong_cases

pytestmark = pytest.mark.unit

MIN_ACCURACY = 0.9  # on the case table


@pytest.fixture(scope="module")
def recognizer():
    return TextEmotionRecognizer.load()


@pytest.fixture(scope="module")
def encoder(recognizer):
    return TextEncoder(recognizer.network)


@pytest.fixture(scope="module")
def cases():
    """Return the rows of the case table."""
    return read_cases()


@pytest.fixture(scope="module")
def moods(recognizer, cases):
    """Return the mood vectors of the case table, predicted in one batch: float32 [cases, 7]."""
    return recognizer.predict_proba([case.text for case in cases])


class TestCases:
    def test_the_table_is_large_and_has_valid_emotions(self, cases):
        assert len(cases) >= 150
        assert set().union(*(case.expected for case in cases)) == set(EMOTIONS)
        assert len({case.text for case in cases}) == len(cases)

    def test_most_cases_are_classified_correctly(self, recognizer, cases):
        wrong = wrong_cases(cases, recognizer)
        assert len(wrong) <= (1 - MIN_ACCURACY) * len(cases), "\n".join(wrong)

    def test_no_group_of_cases_is_mostly_misclassified(self, moods, cases):
        read = [EMOTIONS[index] for index in moods.argmax(axis=1)]
        right: dict[str, list[bool]] = {}
        for case, label in zip(cases, read, strict=True):
            right.setdefault(case.group, []).append(label in case.expected)
        assert {group: np.mean(answers) for group, answers in right.items() if np.mean(answers) < 0.5} == {}

    def test_an_unsupported_language_is_detected_and_nearly_neutral(self, recognizer, cases):
        foreign = [case.text for case in cases if case.group == "unknown language"]
        assert len(foreign) >= 8
        readings = [recognizer.read(text) for text in foreign]
        assert np.mean([not reading.language_known for reading in readings]) >= 0.9
        for reading in readings:
            if not reading.language_known:
                assert reading.label == "neutral"
                assert reading.confidence >= 0.9
                assert reading.weight == MIN_WEIGHT

    def test_english_is_detected(self, recognizer, cases):
        english = [case.text for case in cases if case.group != "unknown language"]
        detector = LanguageDetector(recognizer.network.tokenizer)
        unknown = [text for text in english if detector.detect(text) not in LANGUAGES]
        assert len(unknown) <= 0.02 * len(english), unknown


class TestRecognizer:
    def test_each_text_gets_a_mood_vector(self, recognizer):
        texts = ["What a wonderful day!", "I hate it.", "The shop opens at nine."]
        probabilities = recognizer.predict_proba(texts)
        assert (probabilities.shape, probabilities.dtype) == ((3, 7), np.float32)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert (probabilities >= 0).all()
        assert recognizer.classes_ == EMOTIONS
        assert recognizer.predict(texts)[0] == "happy"

    def test_probabilities_have_the_names_of_their_emotions(self, recognizer):
        [by_name] = recognizer.predict_proba_by_name(["What a wonderful day!"])
        assert tuple(by_name) == EMOTIONS
        assert max(by_name, key=by_name.__getitem__) == "happy"

    def test_a_text_of_thousands_of_sentences_is_read_as_a_whole_and_its_first_ones_one_by_one(self, recognizer):
        text = " ".join(f"Day {number} was awful." for number in range(900))
        reading = recognizer.read(text)
        assert (reading.sentence_count, len(reading.sentences)) == (900, MAX_SENTENCES)
        assert reading.label == recognizer.predict([text])[0]
        assert all(end <= reading.sentences[-1].end for _, end, _ in recognizer.explain(text, reading))

    def test_repeated_texts_have_one_result(self, recognizer):
        texts = ["I am happy.", "I am sad.", "I am happy."]
        moods = recognizer.predict_proba(texts)
        np.testing.assert_array_equal(moods[0], moods[2])
        np.testing.assert_allclose(moods[1], recognizer.predict_proba(["I am sad."])[0], atol=1e-5)

    def test_an_empty_list_gives_an_empty_result(self, recognizer, encoder):
        assert recognizer.predict_proba([]).shape == (0, 7)
        assert recognizer.predict([]) == []
        assert encoder.encode([]).shape == (0, 384)

    def test_the_batch_does_not_change_a_prediction(self, recognizer, moods, cases):
        texts, together = [case.text for case in cases], moods
        order = np.random.default_rng(1).permutation(len(texts))
        shuffled = recognizer.predict_proba([texts[index] for index in order])
        np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
        alone = np.concatenate([recognizer.predict_proba([text]) for text in texts[::7]])
        np.testing.assert_allclose(alone, together[::7], atol=1e-5)

    def test_two_threads_give_the_same_predictions_as_one(self, moods, cases):
        two = TextEmotionRecognizer.load(threads=2)
        np.testing.assert_allclose(two.predict_proba([case.text for case in cases[:40]]), moods[:40], atol=1e-5)

    def test_case_and_quotation_marks_do_not_change_a_prediction(self, recognizer):
        plain = recognizer.predict_proba(["I can't wait, it's great"])
        np.testing.assert_array_equal(recognizer.predict_proba(["I CAN’T WAIT, IT’S GREAT"]), plain)

    def test_invisible_characters_do_not_change_a_prediction(self, recognizer):
        plain = recognizer.predict_proba(["I am so happy"])
        hidden = "\u202eI\u200b am\x00 so\u2066 ha\u200dppy\ufeff\ud800"
        np.testing.assert_array_equal(recognizer.predict_proba([hidden]), plain)

    def test_a_long_text_is_read_to_its_end(self, recognizer):
        text = "The bus came at nine and I sat down. " * 40 + "I hate you, I hate you all, you make me furious! " * 60
        assert recognizer.predict([text]) == ["angry"]


class TestReading:
    def test_each_sentence_has_a_mood_vector(self, recognizer):
        text = "  We won the first prize, I am so happy! But then my grandmother died.\nI cry all day... "
        reading = recognizer.read(text)
        assert [text[start:end] for start, end, _ in reading.sentences] == [
            "We won the first prize, I am so happy!",
            "But then my grandmother died.",
            "I cry all day...",
        ]
        labels = [EMOTIONS[int(vector.argmax())] for _, _, vector in reading.sentences]
        assert labels == ["happy", "sad", "sad"]
        assert reading.language_known
        np.testing.assert_allclose([vector.sum() for _, _, vector in reading.sentences], 1, atol=1e-5)

    def test_a_single_sentence_is_classified_once(self, recognizer):
        reading = recognizer.read("I am so happy")
        [(start, end, vector)] = reading.sentences
        assert (start, end) == (0, 13)
        np.testing.assert_array_equal(vector, reading.vector)

    def test_the_weight_increases_with_confidence(self, recognizer):
        readings = [
            recognizer.read(text) for text in ("I am so happy", "he said something", "hm", "well, it was odd I guess")
        ]
        assert all(0 < reading.weight <= 1 for reading in readings)
        by_confidence = sorted(readings, key=lambda reading: reading.confidence)
        assert by_confidence[0].weight < by_confidence[-1].weight

    def test_a_longer_text_has_more_weight_than_one_word_of_the_same_emotion(self, recognizer):
        word, longer = recognizer.read("happy"), recognizer.read("I am so happy today, this is wonderful")
        assert (word.label, longer.label, word.word_count, longer.word_count) == ("happy", "happy", 1, 8)
        assert word.weight <= 0.5 < longer.weight

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("One. Two! Three?", ["One.", "Two!", "Three?"]),
            (
                "Mr. Meng and Dr. Lee met in the U.S. last May. Fine.",
                ["Mr. Meng and Dr. Lee met in the U.S. last May.", "Fine."],
            ),
            ('He said "stop!" Then he left', ['He said "stop!"', "Then he left"]),
            ("first line\nsecond line\n\n", ["first line", "second line"]),
            ("It costs 3.50 today", ["It costs 3.50 today"]),
            ("wait... what", ["wait...", "what"]),
            ("😀", ["😀"]),
        ],
    )
    def test_a_text_is_split_into_sentences(self, text, expected):
        assert [text[start:end] for start, end in sentence_spans(text)] == expected


class TestWordImportance:
    def test_emotional_words_have_the_highest_importance(self, recognizer):
        text = "Yesterday I felt absolutely miserable about the whole trip"
        weights = {text[start:end]: weight for start, end, weight in recognizer.explain(text)}
        assert list(weights) == text.split()
        assert max(weights, key=weights.__getitem__) == "miserable"
        assert all(-1 <= weight <= 1 for weight in weights.values())

    def test_positions_refer_to_the_original_text(self, recognizer):
        text = " \u202eso 😀  haaappy!\n\nOh no... "
        places = [(start, end) for start, end, _ in recognizer.explain(text)]
        assert [text[start:end].strip("\u202e") for start, end in places] == ["so", "😀", "haaappy!", "Oh", "no..."]

    def test_a_long_text_has_word_importances(self, recognizer):
        text = "It was a long and quiet day at the office. " * 30
        places = recognizer.explain(text)
        assert [text[start:end] for start, end, _ in places] == text.split()

    def test_a_single_word_has_an_importance(self, recognizer):
        [(start, end, weight)] = recognizer.explain("horrible")
        assert (start, end) == (0, 8)
        assert weight > 0


class TestEncoder:
    def test_vectors_have_unit_length(self, encoder):
        vectors = encoder.encode(["a walk in the rain", "pizza", "so " * 500])
        assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_similar_meanings_have_similar_vectors(self, encoder):
        sea, beach, tax = encoder.encode(["a day at the sea", "an afternoon on the beach", "how to fill in a tax form"])
        assert sea @ beach > sea @ tax + 0.2

    def test_an_encoder_shares_a_network_or_opens_its_own(self, encoder):
        np.testing.assert_array_equal(TextEncoder.load().encode(["hello"]), encoder.encode(["hello"]))


class TestCatalogueVectors:
    @pytest.fixture(scope="class")
    @classmethod
    def tables(cls):
        return {kind: read_table(DATA_DIR / f"{kind}.csv", kind) for kind in KINDS}

    def test_the_shipped_vectors_are_up_to_date(self, capsys):
        assert catalogue_vectors.main(["--check"]) == 0, capsys.readouterr().out

    def test_each_item_has_the_vector_of_its_text(self, tables, encoder):
        stored = CatalogueVectors.load()
        for kind, items in tables.items():
            assert stored.ids[kind] == tuple(item.id for item in items)
            vectors = encoder.encode([item_text(item, kind) for item in items[:5]])
            likeness = vectors @ (stored.vectors[kind] / 127).T
            # Processors round the network's int8 products differently: the smallest similarity of the same text was 0.993.
            assert (likeness[np.arange(5), np.arange(5)] > 0.99).all()
            np.testing.assert_array_equal(likeness.argmax(axis=1), np.arange(5))

    def test_a_text_query_finds_matching_items(self, tables, encoder):
        [wish] = encoder.encode(["a spicy soup with noodles"])
        best = np.argsort(-CatalogueVectors.load().similarity(wish, "food"))[:10]
        content = " ".join(f"{tables['food'][index].title} {tables['food'][index].line}" for index in best).lower()
        assert "noodle" in content or "soup" in content

    def test_a_changed_row_makes_the_vectors_stale(self, tables):
        fewer = {**tables, "food": tables["food"][1:]}
        fault = CatalogueVectors.load().find_fault(fewer)
        assert fault is not None
        assert "python -m moodmirror.training.catalogue_vectors" in fault

    def test_missing_vectors_are_reported_with_the_command(self, tmp_path):
        with pytest.raises(CatalogueError, match="catalogue_vectors"):
            CatalogueVectors.load(tmp_path)


class TestInvalidInput:
    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "empty"),
            ("   \n\t ", "empty"),
            ("\u200b\u202e\x07", "empty"),
            ("a" * (MAX_CHARACTERS + 1), "too long"),
            ("x " * 500_000, "too long"),
        ],
    )
    def test_an_invalid_text_is_refused_without_repeating_it(self, recognizer, encoder, text, complaint):
        for refuse in (
            recognizer.read,
            recognizer.explain,
            lambda text: recognizer.predict_proba([text]),
            lambda text: encoder.encode([text]),
        ):
            with pytest.raises(TextError, match=complaint) as caught:
                refuse(text)
            assert len(str(caught.value)) < 200

    def test_the_invalid_text_of_several_is_named(self, recognizer):
        with pytest.raises(TextError, match="Text 2 of 3: The text is empty"):
            recognizer.predict_proba(["fine", " ", "good"])

    def test_one_text_instead_of_a_list_is_refused(self, recognizer):
        with pytest.raises(TextError, match="list"):
            recognizer.predict_proba("happy")

    def test_bytes_are_decoded(self):
        assert decode_text("\ufeffschön 😀".encode()) == "schön 😀"
        with pytest.raises(TextError, match="no text"):
            decode_text(b"caf\xe9\0\1 au lait")
        with pytest.raises(TextError, match="too long"):
            decode_text(b"a" * 1_000_000)

    def test_a_text_of_maximum_length_is_accepted(self, recognizer):
        assert recognizer.predict_proba(["a" * MAX_CHARACTERS]).shape == (1, 7)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(text=st.text(st.characters(codec=None), max_size=80))
    def test_any_unicode_text_gives_a_reading_or_a_text_error(self, recognizer, text):
        """Every text gives a mood vector and positions inside the text, or a TextError; nothing else."""
        try:
            reading = recognizer.read(text)
        except TextError:
            return
        assert reading.vector.sum() == pytest.approx(1, abs=1e-4)
        assert np.isfinite(reading.vector).all()
        ends = [0]
        for start, end, vector in reading.sentences:
            assert ends[-1] <= start < end <= len(text)
            assert vector.sum() == pytest.approx(1, abs=1e-4)
            ends.append(end)
        words = [text[start:end] for start, end, _ in recognizer.explain(text)]
        assert "".join(words).replace(" ", "") == "".join(words)

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (b"I love the caf\xe9", "I love the café"),
            (b"Voil\xe0", "Voilà"),
            ("I am happy café".encode("cp1252"), "I am happy café"),
            ("schön, schön 😀".encode()[:-1], "schön, schön "),  # cut within its last character
            ("I am happy 😀".encode()[:-1], "I am happy "),
        ],
    )
    def test_a_last_byte_is_an_accented_letter_of_windows_1252_or_part_of_a_cut_character(self, content, text):
        assert decode_text(content) == text


class TestTokenizer:
    @pytest.fixture(scope="class")
    @classmethod
    def tokenizer(cls, request):
        return request.getfixturevalue("recognizer").network.tokenizer

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Sooo HAAAPPY", "so happy"),
            ("goooood", "good"),
            ("so happy", "so happy"),
            ("𝓱𝓪𝓹𝓹𝔂", "happy"),
            ("it’s “fine”…", 'it\'s "fine"...'),
            ("no 😂😂😂!", "no  face with tears of joy !"),
            ("👍🏽", " thumbs up sign "),
            ("1000 © 2026", "1000 © 2026"),
        ],
    )
    def test_spellings_are_normalized(self, tokenizer, text, expected):
        assert tokenizer.normalize(text) == expected

    @settings(max_examples=50, deadline=None)
    @given(text=st.text(max_size=60))
    def test_normalization_is_idempotent(self, tokenizer, text):
        once = tokenizer.normalize(text)
        assert tokenizer.encode([once]) == tokenizer.encode([tokenizer.normalize(once)])

    def test_tokens_can_be_joined_to_the_original_words(self):
        tokenizer = Tokenizer.from_str((MODELS_DIR / TOKENIZER_FILE).read_text(encoding="utf-8"))
        for text in ("i am not happy at all, but why?", "the unbelievable earthquake of yesterday :)"):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            words = [tokenizer.id_to_token(number) or "" for number in ids]
            assert "".join(words).replace("##", "") == text.replace(" ", "")
            assert "[UNK]" not in words

    def test_characters_outside_of_english_become_unknown(self):
        tokenizer = Tokenizer.from_str((MODELS_DIR / TOKENIZER_FILE).read_text(encoding="utf-8"))
        assert all(unicodedata.normalize("NFKC", token).isascii() for token in tokenizer.get_vocab())

    @pytest.mark.parametrize("tokens", range(2, MAX_TOKENS + 1, 7))
    def test_padding_is_sufficient_and_small(self, tokens):
        assert tokens <= padded_length(tokens) <= min(tokens + 15, MAX_TOKENS)

    def test_token_counts_decide_the_spelling_of_a_stretched_word(self):
        tokenizer = Tokenizer.from_str((MODELS_DIR / TOKENIZER_FILE).read_text(encoding="utf-8"))
        counts = np.zeros(tokenizer.get_vocab_size(), np.uint32)
        counts[tokenizer.token_to_id("god")] = 2
        counts[tokenizer.token_to_id("good")] = 1
        assert TextTokenizer(tokenizer, counts).normalize("goooood") == "god"


class TestModelFiles:
    @pytest.fixture
    def models(self, tmp_path):
        for name in (*TEXT_FILES, MANIFEST):
            shutil.copy(MODELS_DIR / name, tmp_path)
        return tmp_path

    @pytest.mark.parametrize("name", TEXT_FILES)
    def test_one_changed_bit_raises_an_error(self, models, name):
        content = bytearray((models / name).read_bytes())
        content[len(content) // 2] ^= 1
        (models / name).write_bytes(content)
        with pytest.raises(ModelError, match="does not match the manifest"):
            TextEmotionRecognizer.load(models)

    @pytest.mark.parametrize("name", TEXT_FILES)
    def test_a_missing_file_names_the_command_that_makes_it(self, models, name):
        (models / name).unlink()
        with pytest.raises(ModelError, match=r"python train\.py text --data"):
            TextEncoder.load(models)

    def test_the_served_files_are_small(self):
        assert sum((MODELS_DIR / name).stat().st_size for name in TEXT_FILES) <= 25_000_000

    def test_the_metrics_of_the_served_files_reach_their_floors(self):
        """The metrics that training stored for the served files: a worse model must not be committed."""
        metrics = json.loads((MODELS_DIR / "text_emotion.json").read_text(encoding="utf-8"))
        assert metrics["keras_litert_agreement"] >= 0.99
        assert metrics["everyday"]["accuracy"] >= 0.75
        assert metrics["development"]["expected_calibration_error"] <= 0.03


@pytest.mark.parametrize(
    ("text", "emotions"),
    [
        ("I'm bored", {"sad", "neutral"}),
        ("I am so bored of this game", {"sad", "neutral"}),
        ("I could not be happier", {"happy"}),
        ("I couldn’t be more proud of you", {"happy"}),
        ("I have never been happier", {"happy"}),
        ("Things could not be better", {"happy"}),
        ("I couldn't be sadder", {"sad"}),
        ("it couldn't have gone worse", {"sad", "angry", "disgust"}),
        ("I've never felt worse", {"sad", "angry", "disgust"}),
        ("kill me lol", {"disgust", "angry", "sad", "neutral"}),
        ("another meeting, kill me now haha", {"disgust", "angry", "sad", "neutral"}),
    ],
)
def test_idioms_that_say_the_opposite_of_their_words_are_read_as_meant(text, emotions):
    recognizer = TextEmotionRecognizer.load()
    assert recognizer.predict([text])[0] in emotions
    assert EMOTIONS[int(recognizer.read(text).vector.argmax())] in emotions
