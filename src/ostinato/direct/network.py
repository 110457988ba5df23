"""A recurrent network over the segments of a window that forecasts every step ahead at once.

The window is cut into segments of a season, which are the steps of the recurrence. Each segment ahead is decoded from
the last hidden state and its position (SegRNN: Lin et al. 2023). Here the decoder also takes the closed form's forecast
of its segment and an embedding of the series, and returns by how much to move the closed form's quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.layers.build import build_backbone
from ostinato.randomness import drawing

#: The width of the embeddings of a series and of a position ahead.
EMBEDDING = 16


@dataclass(frozen=True)
class NetworkForm:
    """What a network is built with.

    Attributes:
        backbone: A name of layers.build.BACKBONES.
        window: The number K of values in a window.
        horizon: The number H of steps ahead.
        segment: The number of steps in a segment.
        series: The number of series, each of which gets an embedding.
        levels: The number Q of quantile levels.
        hidden: The number of hidden units.
        dropout: The dropout before the last layer.
    """

    backbone: str
    window: int
    horizon: int
    segment: int
    series: int
    levels: int
    hidden: int
    dropout: float


@final
class SegmentNetwork(nn.Module):
    """The network that moves the quantiles of the closed form.

    The moves are zero before training. They are in the units of the window and not of the errors of the series. So a
    series that the closed form forecasts well can be moved as far as any other.

    Args:
        form: What the network is built with.
    """

    @drawing()
    def __init__(self, form: NetworkForm) -> None:
        super().__init__()
        self.form = form
        window, horizon, segment, hidden = form.window, form.horizon, form.segment, form.hidden
        self.horizon, self.segment, self.levels = horizon, segment, form.levels
        self.steps, self.ahead = window // segment, -(-horizon // segment)
        self.read = nn.Linear(segment, hidden)
        self.backbone = build_backbone(form.backbone, hidden, hidden)
        self.series = nn.Embedding(form.series + 1, EMBEDDING)
        self.place = nn.Parameter(torch.randn(self.ahead, EMBEDDING) / 10)
        self.mix = nn.Linear(self.backbone.output_size + 2 * EMBEDDING + segment + 2, 2 * hidden)
        self.dropout = nn.Dropout(form.dropout)
        self.head = nn.Linear(2 * hidden, segment * form.levels)
        nn.init.normal_(self.series.weight, std=0.1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor, base: Tensor, scale: Tensor, series: Tensor) -> Tensor:
        """Return the moves of the closed form's quantiles, (B, H, Q).

        Args:
            inputs: The windows in model space, (B, K).
            base: The forecasts of the closed form, (B, H).
            scale: The scales of the windows, (B,).
            series: The numbers of the series from 1, (B,); 0 for an unknown series.
        """
        B = len(inputs)
        x = torch.asinh(inputs[:, -self.steps * self.segment :])
        h, _ = self.backbone.unroll(F.relu(self.read(x.reshape(B, self.steps, self.segment).transpose(0, 1))))
        padded = F.pad(torch.asinh(base), (0, self.ahead * self.segment - self.horizon))
        context = torch.cat([h[-1], self.series(series), scale.log()[:, None], x.abs().mean(1, keepdim=True)], dim=1)
        each = context[:, None].expand(-1, self.ahead, -1), self.place.expand(B, -1, -1)
        hidden = F.relu(self.mix(torch.cat([*each, padded.view(B, self.ahead, self.segment)], dim=2)))
        if self.training and not hidden.is_cuda:
            with drawing():
                hidden = self.dropout(hidden)
        else:
            hidden = self.dropout(hidden)
        moves: Tensor = self.head(hidden) / 2
        return moves.view(B, self.ahead * self.segment, self.levels)[:, : self.horizon]
