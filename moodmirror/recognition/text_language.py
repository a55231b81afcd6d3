"""Detect whether a text is in a supported language."""

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
    """Detects whether a text is in a supported language.

    A text of which three words in four are common English words is English. Other texts go to py3langid (Lui and Baldwin,
    "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012). It is loaded when it is first needed, because
    loading takes a second and 100 MB.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._identifier = cached_loader(_load_identifier)

    def is_supported(self, text: str) -> bool:
        """Return whether the text is in one of :data:`LANGUAGES`, or has no words at all."""
        if self._tokenizer.common_word_share(text) >= MIN_COMMON_WORD_SHARE:
            return True
        probabilities = dict(self._identifier().rank(self._tokenizer.normalize(text)))
        supported = max(probabilities[language] for language in LANGUAGES)
        return bool(max(probabilities.values()) < MIN_FOREIGN_ODDS * supported)


def _load_identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  # importing takes a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
