"""SequenceModel: P(x_1..x_T) = prod P(x_t | x_<t), made of a recurrence over the past and an emission."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.encoded import Encoding
from ostinato.data.sequences import SequenceSet
from ostinato.description import Description, ladder_facts, model_look, origin_facts
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.coupling import Coupling, StepCoupling
from ostinato.emissions.emission import Emission, Support
from ostinato.forecasting.inputs import check_possible
from ostinato.layers.adaptive import AdaptiveMemory
from ostinato.layers.build import SMOOTHED
from ostinato.layers.front import Ahead, Front, SymbolFront
from ostinato.layers.recurrence import Recurrence, chosen
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.shapes import State
from ostinato.storage import save_described

#: The prefix of the weights before the refit in the file of a model.
BEFORE = "before."


class StateParts(NamedTuple):
    """The state of a SequenceModel, cut into the states of its parts.

    Attributes:
        front: The pending tensors of the front, (B, ...) each.
        backbone: The state of the backbone, (B, ...) each; empty if the model has no backbone.
    """

    front: State
    backbone: State

    def joined(self) -> State:
        """Return the state as one flat tuple, the front first."""
        return (*self.front, *self.backbone)


class SequenceModel(Shown, nn.Module):
    """A sequence model with a likelihood: an encoding, a front with the closed form, a backbone and an emission.

    The model holds no state of a sequence: like a recurrence, it takes the state as an argument and returns the next
    one, a flat tuple of the front's tensors and then the backbone's. Without a backbone the model is the closed-form
    autoregression or Markov chain alone, with constant parameters of the emission.

    A session shows what the model is and what it was fitted to. ``torch.nn.Module.__repr__(model)`` is the tree of its
    modules, as torch shows it, and ``repr(model.backbone)`` that of the network.
    """

    max_horizon: None = None
    per_series: bool = False

    def __init__(
        self,
        encoding: Encoding,
        front: Front,
        backbone: Recurrence | None,
        emission: Emission,
        start: Tensor,
        description: Description,
        coupling: Coupling | None = None,
    ) -> None:
        """Build the model.

        Its head starts at 0 for numbers, so that an untrained model predicts the constant parameters. Text stands on
        no closed form, and a head at 0 would pass no gradient on: its head starts uniform within 1 / sqrt(H).

        Args:
            encoding: The map from raw values to model space.
            front: The inputs of the backbone and the closed-form prediction.
            backbone: The network over the past; None for the closed form alone.
            emission: The family of distributions.
            start: The parameters of the emission before training, (D, P).
            description: How the data were read and how the model was made.
            coupling: The dependence between the channels of one step, if there are several and they are continuous.
        """
        super().__init__()
        self.encoding, self.front, self.backbone, self.emission = encoding, front, backbone, emission
        self.description = description
        self.constant = nn.Parameter(start.clone())
        self.head: nn.Linear | None = None
        if backbone is not None and not backbone.gives_parameters:
            self.head = nn.Linear(backbone.output_size, start.numel(), bias=False)
            width = 1 / math.sqrt(backbone.output_size) if emission.symbolic else 0.0
            nn.init.uniform_(self.head.weight, -width, width)
        self.coupling = coupling
        #: Whether the products of a training on a GPU are computed in bfloat16; weights, states and loss are float32.
        self.bf16 = False
        if self.adaptive:
            self.constant.requires_grad_(False)  # the memory gives all parameters itself
        # in a tuple, because a module that is an attribute would add its weights to those of this model
        self._before: tuple[SequenceModel, ...] = ()

    def fitted_again(self, before: SequenceModel) -> SequenceModel:
        """Return this model, which was fitted again to all of the data, with the one that the held-out part judged.

        Args:
            before: The model that was not fitted to the held-out part.
        """
        self._before = (before,)
        return self

    def before_refit(self, data: SequenceSet) -> SequenceModel:
        """Return the model that the held-out part of data judged, if data are those of the fit; itself otherwise.

        Args:
            data: The sequences as read.
        """
        known = self._before and self.description.ladder_record.data == data.digest
        return self._before[0] if known else self

    @property
    def device(self) -> torch.device:
        """The device that the model computes on."""
        return self.constant.device

    @property
    def value_type(self) -> torch.dtype:
        """The type of the values in model space: whole numbers for symbols."""
        return self.constant.dtype if self.description.traits.numeric else torch.int64

    @property
    def filtered(self) -> bool:
        """Whether adaptive filters predict: they learn in each sequence, from its start on."""
        return self.front.adaptive

    @property
    def on_processor(self) -> bool:
        """Whether the model computes on the processor alone, because it counts, filters or smooths there."""
        return self.adaptive or self.front.on_processor

    @property
    def coupled(self) -> bool:
        """Whether a channel is predicted given the channels before it at the same step."""
        return self.coupling is not None or (self.front.adaptive and self.channels > 1)

    @property
    def channels(self) -> int:
        """The number D of channels of the data."""
        return int(self.constant.shape[0])

    @property
    def adaptive(self) -> bool:
        """Whether the model can go on learning while it is used."""
        return self.backbone is not None and self.backbone.adaptive

    def initial_state(self, batch: int, *, learns: bool = False) -> State:
        """Return the state before the first step, (B, ...) each.

        Args:
            batch: The number of rows, B.
            learns: Whether an adaptive model goes on learning from this state on. The state is then a copy of what the
                model has learned, which ``unroll`` may change in place.
        """
        backbone = () if self.backbone is None else self.backbone.initial_state(batch)
        if learns and isinstance(self.backbone, AdaptiveMemory):
            backbone = self.backbone.owned(backbone, learns=True)
        return StateParts(self.front.initial_state(batch), backbone).joined()

    def restarted(self, state: State, rows: Tensor) -> State:
        """Return the state with some rows at the start of a sequence; an adaptive model keeps what it has learned.

        Args:
            state: The state, (B, ...) each.
            rows: Which rows start anew, (B,), bool.
        """
        parts = self.parts(state)
        front = chosen(rows, self.front.initial_state(len(rows)), parts.front)
        backbone = parts.backbone if self.backbone is None else self.backbone.restarted(parts.backbone, rows)
        return StateParts(front, backbone).joined()

    def next_sequence(self, state: State) -> State:
        """Return the state at the start of the next sequence, for all rows.

        An adaptive model that learns has predicted the last value, and learns it now.

        Args:
            state: The state after the last step; an adaptive model may change it in place.
        """
        if isinstance(self.backbone, AdaptiveMemory):
            parts = self.parts(state)
            self.backbone.unroll_(self.front.pending(parts.front)[0][None], parts.backbone)
        return self.restarted(state, torch.ones(len(state[0]), dtype=torch.bool, device=self.device))

    def repeated(self, state: State, times: int) -> State:
        """Return every row of a state some times, the copies of a row next to each other: (B * times, ...) each.

        What an adaptive model has learned is shared by the copies of one row, and they learn nothing more.

        Args:
            state: The state of the B rows.
            times: The number of copies of each row.
        """
        parts = self.parts(state)
        front = tuple(s.repeat_interleave(times, dim=0) for s in parts.front)
        backbone = parts.backbone if self.backbone is None else self.backbone.repeated(parts.backbone, times)
        return StateParts(front, backbone).joined()

    def unroll(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None, *, in_place: bool = False
    ) -> tuple[Conditional, State]:
        """Return P(x_t | x_<t) of every step (T, B, ...), and the state after them.

        Args:
            x: The values in model space, (T, B, D).
            state: The state before the first step, (B, ...) each; None for the start of the sequences.
            lengths: The number of steps of each row, (B,); None if all rows have T steps.
            in_place: Whether an adaptive model may change what the state has learned, instead of a copy.
        """
        parts = self.parts(self.initial_state(x.shape[1]) if state is None else state)
        ahead, front = self.front.unroll(x, parts.front, lengths)
        if self.backbone is None:
            return self.conditional(None, ahead, x.shape[:2]), front
        if in_place and isinstance(self.backbone, AdaptiveMemory):
            backbone = parts.backbone
            h = self.backbone.unroll_(ahead.inputs, backbone, lengths)
        else:
            with self._products():
                h, backbone = self.backbone.unroll(ahead.inputs, parts.backbone, lengths)
            # the state is carried in the type of the weights, whatever the products were computed in
            backbone = tuple(s.to(i.dtype) for s, i in zip(backbone, parts.backbone, strict=True))
        return self.conditional(h, ahead, x.shape[:2]), StateParts(front, backbone).joined()

    @property
    def looks_up(self) -> bool:
        """Whether ``log_prob`` looks up the symbols that came, and computes no probability of another one."""
        chain = isinstance(self.front, SymbolFront) and self.front.markov is not None
        return self.backbone is None and chain and not bool(self.constant.any())

    def log_prob(self, x: Tensor, support: Support, state: State | None = None) -> tuple[Tensor, State]:
        """Return log P(x_t | x_<t) of every value (T, B, D) in nats, and the state after them.

        Args:
            x: The values in model space, (T, B, D).
            support: The set in which the values lie.
            state: The state before the first step, (B, ...) each; None for the start of the sequences.
        """
        if self.looks_up:
            assert isinstance(self.front, SymbolFront)
            return self.front.log_prob(x, self.initial_state(x.shape[1]) if state is None else state)
        conditional, state = self.unroll(x, state)
        return conditional.log_prob(x, support), state

    def predict(self, state: State) -> tuple[Conditional, State]:
        """Return P(x_t | x_<t) of the next step (B, ...), and the state that ``observe`` takes with x_t.

        Args:
            state: The state after x_<t.
        """
        parts = self.parts(state)
        ahead = self.front.pending(parts.front)
        if self.backbone is None:
            return self.conditional(None, ahead, ahead.inputs.shape[:1]), state
        backbone, h = self.backbone.step(parts.backbone, ahead.inputs)
        return self.conditional(h, ahead, ahead.inputs.shape[:1]), parts._replace(backbone=backbone).joined()

    def observe(self, state: State, x: Tensor) -> State:
        """Return the state after the values x (B, D) of the step that was just predicted.

        Args:
            state: The state that ``predict`` returned.
            x: The values of the step in model space, (B, D).
        """
        parts = self.parts(state)
        return parts._replace(front=self.front.unroll(x[None], parts.front)[1]).joined()

    def parts(self, state: State) -> StateParts:
        """Return the states of the front and of the backbone.

        Args:
            state: The state of the model.
        """
        cut = len(state) - (0 if self.backbone is None else len(self.backbone.initial_state(1)))
        return StateParts(state[:cut], state[cut:])

    def conditional(self, h: Tensor | None, ahead: Ahead, shape: torch.Size) -> Conditional:
        """Return the distributions of steps, (*shape, ...).

        Args:
            h: The output of the backbone, (*shape, H); None without a backbone.
            ahead: What the front gives to the steps.
            shape: (T, B), or (B,) for one step.
        """
        params = self.constant.expand(*shape, *self.constant.shape)
        if h is not None:
            with self._products():
                change = h if self.head is None else self.head(h)
            params = params + change.unflatten(-1, self.constant.shape)
        if ahead.params is not None:
            params = params + ahead.params
        if self.emission.standardised:
            coupling = self.coupling if ahead.coupling is None else StepCoupling(ahead.coupling)
            return Conditional(self.emission, params, ahead.loc, ahead.scale, coupling)
        return Conditional(self.emission, params if ahead.loc is None else self.emission.shifted(params, ahead.loc))

    def _products(self) -> AbstractContextManager[Any]:
        """Return what the products of the backbone and the head are computed in: bfloat16 in a training with it."""
        if not (self.bf16 and self.training and self.constant.is_cuda):
            return nullcontext()
        return torch.autocast("cuda", torch.bfloat16)

    def likelihood(self, verb: str) -> SequenceModel:
        """Return the model itself, which has a P(x_t | x_<t).

        Args:
            verb: What the model is used for; only a model without a likelihood needs it, for its error.
        """
        return self

    def accept(self, data: SequenceSet) -> SequenceSet:
        """Return data of the model's kind and channels in the resolution of the model.

        Args:
            data: Sequences of the kind and the channels of the model.

        Raises:
            ModelFileError: The sample rate or the bits of a sound do not suit the model.
            DataError: The model gives no probability to a value.
        """
        data = self.encoding.accept(data, self.description.source.get("sample_rate"))
        self.check_values(data)
        return data

    def check_values(self, data: SequenceSet) -> None:
        """Check that every value of data has a probability.

        Args:
            data: Sequences of the kind and the channels of the model.

        Raises:
            DataError: A value has no probability.
        """
        check_possible(self.encoding, data)

    def unusable(self, data: SequenceSet) -> list[int]:
        """Return the rows of the sequences that ``check_values`` refuses, in order.

        Args:
            data: Sequences of the kind and the channels of the model.
        """
        bad = np.flatnonzero(self.encoding.impossible(data.values))
        rows: list[int] = np.unique(np.searchsorted(data.offsets, bad, side="right") - 1).tolist()
        return rows

    def check_covariates(self, data: SequenceSet) -> None:
        """Accept any covariates and frequency: the model does not use them.

        Args:
            data: Sequences, which do not matter here.
        """

    def title(self) -> str:
        """Return what the model is, in one line."""
        d, shape = self.description, self.description.config["parts"]
        if d.name == "filter":
            return f"a model of {d.kind}: adaptive filters, which go on learning, without a backbone"
        if d.name in SMOOTHED:
            return f"a model of {d.kind}: {self._closed_form()}, without a backbone"
        if d.name == "ar":
            return f"a model of {d.kind}: the closed form alone, without a backbone"
        layers = f", {counted(shape['depth'], 'layer')}" if shape["depth"] > 1 else ""
        return f"a model of {d.kind}: backbone {d.name}, {counted(shape['hidden'], 'unit')}{layers}"

    def look(self) -> tuple[list[str], None]:
        """Return what the model is, what it is made of, and what it was fitted to."""
        return model_look(self.title(), self.facts(), self.description), None

    def facts(self) -> list[tuple[str, str]]:
        """Return what the model is made of, as pairs of a name and its words."""
        emission = self.description.config["parts"]["emission"].replace("_", " ")
        coupled = "" if not self.coupled else ", each channel given the channels before it at the same step"
        return [
            ("emission", emission + coupled),
            ("closed form", self._closed_form()),
            ("weights", self._weights()),
            ("input", self.encoding.describe()),
            *origin_facts(self.description),
        ]

    def results(self) -> list[str]:
        """Return how the model was made and how good it was, one fact a line; empty without a record."""
        return ladder_facts(self.description)

    def save(self, path: str | Path) -> None:
        """Write the model to one file, which ``ostinato.load_model`` reads.

        Args:
            path: The file to write, by custom with the suffix .ost. An earlier file is replaced whole or kept.

        Raises:
            WriteError: The file cannot be written.
        """
        save_described(path, self.description, *self.to_parts())

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors of the model, and as JSON everything else that its answers depend on."""
        tensors: dict[str, Tensor] = dict(self.state_dict())
        document: dict[str, Any] = {"encoding": self.encoding.to_json()}
        for before in self._before:
            tensors |= {f"{BEFORE}{name}": x for name, x in before.state_dict().items()}
            document["before"] = {"config": before.description.config, "encoding": before.encoding.to_json()}
        return tensors, document

    def _weights(self) -> str:
        """Return the number of all weights, and of those that are trained, which the table of the ladder gives."""
        trained = sum(p.numel() for p in self.parameters() if p.requires_grad)
        return f"{sum(p.numel() for p in self.parameters()):,}, of which {trained:,} are trained"

    def _closed_form(self) -> str:
        """Return which closed form the emission is built on, in words."""
        closed_form = self.front.closed_form
        return "none" if closed_form is None else closed_form.describe()
