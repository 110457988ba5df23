"""The encoding of each kind of data."""

from __future__ import annotations

from typing import Any

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.encoded import Encoding
from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ModelFileError


def fit_encoding(
    data: SequenceSet, *, by_id: bool, nonnegative: tuple[bool, ...] = (), upper_bounds: tuple[float, ...] = ()
) -> Encoding:
    """Return the encoding of the kind of data, fitted to data.

    Args:
        data: The training part only: values that are held out must not influence the encoding.
        by_id: Whether each series of a panel gets a location and scale of its own.
        nonnegative: Whether each channel is never below 0, (D,); empty if the values are real numbers, counts or sound.
        upper_bounds: The upper bound of each channel of shares, (D,), see ``upper_bound``; empty if none is bounded.
    """
    if not data.traits.numeric:
        return Alphabet.fit(data)
    if not data.traits.tabular:
        return Amplitude.fit(data)
    return Scaling.fit(data, by_id=by_id, nonnegative=nonnegative, upper_bounds=upper_bounds)


def encoding_from_json(document: dict[str, Any]) -> Encoding:
    """Return the encoding that ``Encoding.to_json`` wrote.

    Raises:
        ModelFileError: The encoding is unknown.
    """
    match document.get("name"):
        case "alphabet":
            return Alphabet.from_json(document)
        case "amplitude":
            return Amplitude.from_json(document)
        case "scaling":
            return Scaling.from_json(document)
        case other:
            raise ModelFileError(f"unknown encoding {other!r} in the model file", fix="update ostinato")
