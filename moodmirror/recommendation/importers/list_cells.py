"""Cells that contain a list of names: JSON, Python and R syntax, and names with separators."""

import ast
import json
import re
import warnings
from typing import Any, Final

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|' + r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_R_VECTOR: Final = re.compile(r"(?:c|list)\((.*)\)", re.DOTALL)
_R_EMPTY: Final = re.compile(r"(?:character|logical|list|c)\(0?\)|NULL")
_NUMPY_STRINGS: Final = re.compile(r"\[\s*(?:\"[^\"]*\"|'[^']*')(?:\s+(?:\"[^\"]*\"|'[^']*'))+\s*\]")  # no commas between
_WORDS: Final = frozenset({"null", "true", "false", "None", "True", "False", "NaN", "Infinity"})  # that are literals
_SEPARATORS: Final = re.compile(r"[|,;\n]")
MAX_DEPTH: Final = 3  # of lists in lists; deeper ones are no lists of names


def parse_names(cell: str) -> tuple[list[str], bool]:
    """Return the names in a cell, and whether all that it contains could be read.

    An object stands for its ``name``, an object without one for its values, and a list of lists for all their names.
    """
    text = cell.strip()
    if not text or _R_EMPTY.fullmatch(text):
        return [], True
    if vector := _R_VECTOR.fullmatch(text):
        return _parse_r_vector(vector[1])
    if _NUMPY_STRINGS.fullmatch(text):
        return _quoted_strings(text), True
    if text[0].isalpha() and text not in _WORDS and not text.startswith(("c(", "list(")):
        return _split(text), True  # no literal begins so; trying would take most of the time of an import
    try:
        value = _parse_literal(text)
    except ValueError:
        if text.startswith(("[", "{", "c(", "list(")):
            return [], False
        return _split(text), True
    if value is None or value == "":
        return [], True
    return (_split(value), True) if isinstance(value, str) else _collect(value)


def _parse_literal(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings(action="ignore"):  # a backslash in a title is no error
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("neither JSON nor a Python literal") from None


def _collect(value: Any, depth: int = 0) -> tuple[list[str], bool]:
    """Return the names in a value of a literal, and whether all of it are names."""
    if isinstance(value, str):
        return [value], True
    if isinstance(value, dict):
        parts = [value["name"]] if "name" in value else list(value.values())
        if "name" not in value and not all(isinstance(part, str) for part in parts):
            return [], False
    elif isinstance(value, list | tuple | set):
        parts = list(value)
    else:
        return [], value is None
    if depth >= MAX_DEPTH:
        return [], False
    found = [_collect(part, depth + 1) for part in parts]
    return [name for names, _ in found for name in names], all(complete for _, complete in found)


def _parse_r_vector(content: str) -> tuple[list[str], bool]:
    rest = re.findall(r"[^\s,]+", _QUOTED.sub("", content))
    return _quoted_strings(content), all(word in ("NA", "NULL", "NA_character_") for word in rest)


def _quoted_strings(text: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", first or second) for first, second in _QUOTED.findall(text)]


def _split(text: str) -> list[str]:
    return [name.strip() for name in _SEPARATORS.split(text) if name.strip()]
