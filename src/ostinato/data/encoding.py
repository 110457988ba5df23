"""Which encoding suits which kind of sequence."""

from __future__ import annotations

from typing import Any

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.encoded import Encoding
from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ModelFileError


def fit_encoding(data: SequenceSet, *, by_id: bool) -> Encoding:
    """The encoding of data's kind, fitted to data (the training part only, or what is held out is no surprise)."""
    if data.kind == "text":
        return Alphabet.fit(data)
    if data.kind == "sound":
        return Amplitude.fit(data)
    return Scaling.fit(data, by_id=by_id)


def encoding_from_json(document: dict[str, Any]) -> Encoding:
    """The inverse of Encoding.to_json."""
    match document.get("name"):
        case "alphabet":
            return Alphabet.from_json(document)
        case "amplitude":
            return Amplitude.from_json(document)
        case "scaling":
            return Scaling.from_json(document)
        case other:
            raise ModelFileError(f"the model file has an encoding unknown here: {other!r}", fix="update ostinato")
