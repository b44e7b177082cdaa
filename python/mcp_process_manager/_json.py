"""JSON as JavaScript takes it."""

import json
import math
import os
import reprlib
from typing import Any, Callable, Mapping, Optional, Tuple

from ._errors import InvalidArgumentError


def _path(value: Any) -> str:
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_path).encode
# What a child is told is not guessed at.
_encode_plain = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

# As the encoder has it, without the way to there.
_quote: Callable[[str], str] = getattr(json.encoder, "encode_basestring_ascii")

decode: Callable[[str], "tuple[Any, int]"] = json.JSONDecoder().raw_decode

# JSON has no infinity; JavaScript reads one from a number beyond its largest.
_BEYOND = 10**309


def encode(value: Any) -> str:
    """The JSON text of a value. Raises InvalidArgumentError where there is none."""
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        cause = error
    try:
        return _encode(_finite(value))
    except (TypeError, ValueError, RecursionError):
        problem = _problem(value, "") or f"This has no form in JSON: {cause}"
        raise InvalidArgumentError(problem, "ERR_INVALID_ARG_VALUE") from cause


def encode_all(values: Tuple[Any, ...]) -> str:
    """The same for many, with commas between them."""
    return ",".join([_quote(value) if type(value) is str else encode(value) for value in values])


def check_text(value: Any, place: str) -> None:
    """Raises InvalidArgumentError for text that has no form in UTF-8, as what Python makes of a file name that is none."""
    try:
        _check_text(value, place)
    except RecursionError:
        pass  # Nor can it be encoded.


def _check_text(value: Any, place: str) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_text(name, f"the name {reprlib.repr(name)} in {place}")
            _check_text(item, f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            _check_text(item, f"{place}[{i}]")
    elif isinstance(value, os.PathLike):
        _check_text(os.fsdecode(value), place)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            # What is given in a variable may be a secret.
            got = "" if ".env." in place else f"; got {reprlib.repr(value)}"
            raise InvalidArgumentError(f"{place} must be UTF-8{got}", "ERR_INVALID_ARG_VALUE") from None


def encode_message(value: Any) -> str:
    """The same for a message to a child, whose JSON has no infinity either."""
    try:
        return _encode_plain(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"message has no form in JSON: {error}", "ERR_INVALID_MESSAGE") from error


def _problem(value: Any, place: str) -> Optional[str]:
    """Which part of a value cannot be encoded, and what it is."""
    try:
        if isinstance(value, dict):
            parts = [(f"{place}.{key}" if place else f"{key}", item) for key, item in value.items()]
        elif isinstance(value, (list, tuple)):
            parts = [(f"{place}[{i}]", item) for i, item in enumerate(value)]
        else:
            _encode(_finite(value))
            return None
        return next(filter(None, (_problem(item, where) for where, item in parts)), None)
    except RecursionError:
        return None
    except (TypeError, ValueError):
        got = "nan" if isinstance(value, float) else f"a value of type {type(value).__name__}"
        return f"{place or 'This'} has no form in JSON: got {got}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return _BEYOND if value > 0 else -_BEYOND
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: _finite(value[key]) for key in value.keys()}
    return value
