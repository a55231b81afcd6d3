"""Detect a text's language, and whether it is a supported one."""

from typing import TYPE_CHECKING, Final

from moodmirror.recognition.model_files import cached_loader
from moodmirror.recognition.text_tokenizer import TextTokenizer

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LANGUAGES: Final = ("en",)  # ISO 639 codes of the supported languages
# Share of common English words from which a text counts as English; other texts go to the language identifier.
MIN_COMMON_WORD_SHARE: Final = 0.75
MIN_FOREIGN_ODDS: Final = 8.0  # how many times likelier than English another language must be


class LanguageDetector:
    """Detects the language of a text.

    A text of which three words in four are common English words is English. Other texts go to py3langid (Lui and Baldwin,
    "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012). It is loaded when it is first needed, because
    loading takes a second and 100 MB.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._identifier = cached_loader(_load_identifier)

    def detect(self, text: str) -> str:
        """Return the ISO 639 code of a text's language; that of a supported one where nothing speaks clearly against it.

        A text without words counts as English.
        """
        if self._tokenizer.common_word_share(text) >= MIN_COMMON_WORD_SHARE:
            return LANGUAGES[0]
        probabilities: dict[str, float] = dict(self._identifier().rank(self._tokenizer.normalize(text)))
        likeliest = max(probabilities, key=lambda language: probabilities[language])
        supported = max(LANGUAGES, key=lambda language: probabilities[language])
        return supported if probabilities[likeliest] < MIN_FOREIGN_ODDS * probabilities[supported] else likeliest


def _load_identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  # importing takes a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_name(code: str) -> str:
    """Return the English name of a language by its ISO 639 code, such as "German"; the code itself if it has none."""
    from babel import Locale  # noqa: PLC0415  # only texts in other languages need it

    return str(Locale("en").languages.get(code, code))
