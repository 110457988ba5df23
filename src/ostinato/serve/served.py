"""A model as its streams use it: how it steps, how values are read, and how a state and an event are laid out."""

from __future__ import annotations

from typing import final

import numpy as np

from ostinato.inference.alarm_rule import AlarmRule
from ostinato.inference.clock import Clock
from ostinato.inference.live.rows import Rows
from ostinato.model import SequenceModel
from ostinato.serve.form import StreamForm
from ostinato.serve.form_numbers import NumberForm
from ostinato.serve.form_text import TextForm
from ostinato.serve.snapshot import Layout, history_dtype, model_digest
from ostinato.shapes import Array


@final
class Served:
    """A model that is served.

    Args:
        model: The model.
        rule: What gives an alarm; None for no alarms.
        adapt: Whether a new stream of an adaptive model goes on learning, for itself alone; None lets it.

    Attributes:
        rows: The steps of the model, whose own model is the one that is stepped.
        digest: The SHA-256 of the model.
        form: How the values of an event are read and shown.
        clock: A clock that has seen nothing.
        layout: Where the parts of a state are in its bytes.
        start: The state of a new stream, (W,) bytes.
        event: The type of an event of the history.

    Raises:
        ConfigError: The model cannot be served.
    """

    def __init__(self, model: SequenceModel, rule: AlarmRule | None, *, adapt: bool | None = None) -> None:
        self.rows = Rows(model.likelihood("serve streams"), adapt=adapt)
        self.model, self.rule = self.rows.model, rule
        self.digest = model_digest(model)
        numeric = model.description.traits.numeric
        self.form: StreamForm = NumberForm(self.rows) if numeric else TextForm(self.rows)
        self.clock = Clock(model.description.source)
        self.event = history_dtype(model.channels)
        state = [s.numpy() for s in self.rows.start(1)]
        last: Array = np.full((1, 2, model.channels if self.rows.carries_price else 0), np.nan)
        memory = np.zeros((1, 0)) if rule is None else rule.start()[None]
        parts = [(f"state_{i}", s.dtype, s.shape[1:]) for i, s in enumerate(state)]
        parts += [("last", np.dtype("<f8"), last.shape[1:]), ("alarm", np.dtype("<f8"), memory.shape[1:])]
        self.layout = Layout(parts)
        self.start = self.layout.pack([*state, last, memory])[0]
