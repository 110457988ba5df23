"""A model file and the data that a command gives to it, read as the model needs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli import options, screen

if TYPE_CHECKING:
    from ostinato.data.sequences import SequenceSet
    from ostinato.model_file import Model


def opened(model: str | Path, data: str | None, *, mix: bool | None, **reading: Any) -> tuple[Model, SequenceSet]:
    """Return a model and the data for it.

    Args:
        model: The model file.
        data: The data; None for the data that the model was fitted to.
        mix: Whether the channels of sound are mixed. False keeps what the model was fitted to.
        **reading: The other options of the reading; None keeps those of the fit.

    Raises:
        ConfigError: No data are given, and the model file does not name its training data.
        DataError: The data cannot be read, or the model gives no probability to a value.
        ModelFileError: The file is not a model, or the data do not suit it.
    """
    from ostinato.forecasting.inputs import as_sequences
    from ostinato.model_file import load_model

    screen.doing(f"reading {model}")
    fitted = load_model(model)
    source = options.source(fitted, data)
    screen.doing(f"reading {source}")
    return fitted, as_sequences(fitted, source, mix=mix or None, **reading)
