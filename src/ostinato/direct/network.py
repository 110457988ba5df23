"""A recurrence over the segments of a window, and every step ahead at once from what it remembers.

The window is cut into segments of a season, which are the steps of the recurrence, and each segment ahead is decoded
from the last hidden state and its own place (SegRNN: Lin et al. 2023). Here the decoder also sees the closed form's
forecast of its segment and which series it is, and says by how much the closed form's quantiles are to be moved.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.layers.build import build_backbone

#: Width of what is learned of a series, and of a place ahead.
EMBEDDING = 16


@final
class SegmentNetwork(nn.Module):
    """inputs (B, K), base (B, H), scale (B), series (B) -> moves (B, H, Q) of the closed form's quantiles.

    base is the closed form's forecast, scale the window's. Series are numbered from 1; 0 is one that is not known. The
    moves are zero before anything is learned; they are in units of the window and not of the series' errors, so that a
    series that the closed form forecasts well is moved as far as another.
    """

    def __init__(
        self,
        backbone: str,
        window: int,
        horizon: int,
        segment: int,
        series: int,
        levels: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        #: what it was built with, as JSON
        self.config = {
            "backbone": backbone,
            "window": window,
            "horizon": horizon,
            "segment": segment,
            "series": series,
            "levels": levels,
            "hidden": hidden,
            "dropout": dropout,
        }
        self.horizon, self.segment, self.levels = horizon, segment, levels
        self.steps, self.ahead = window // segment, -(-horizon // segment)
        self.read = nn.Linear(segment, hidden)
        self.backbone = build_backbone(backbone, hidden, hidden)
        self.series = nn.Embedding(series + 1, EMBEDDING)
        self.place = nn.Parameter(torch.randn(self.ahead, EMBEDDING) / 10)
        self.mix = nn.Linear(self.backbone.output_size + 2 * EMBEDDING + segment + 2, 2 * hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, segment * levels)
        nn.init.normal_(self.series.weight, std=0.1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor, base: Tensor, scale: Tensor, series: Tensor) -> Tensor:
        """See the class."""
        B = len(inputs)
        x = torch.asinh(inputs[:, -self.steps * self.segment :])
        h, _ = self.backbone.unroll(F.relu(self.read(x.reshape(B, self.steps, self.segment).transpose(0, 1))))
        padded = F.pad(torch.asinh(base), (0, self.ahead * self.segment - self.horizon))
        about = torch.cat([h[-1], self.series(series), scale.log()[:, None], x.abs().mean(1, keepdim=True)], dim=1)
        each = about[:, None].expand(-1, self.ahead, -1), self.place.expand(B, -1, -1)
        hidden = F.relu(self.mix(torch.cat([*each, padded.view(B, self.ahead, self.segment)], dim=2)))
        moves: Tensor = self.head(self.dropout(hidden)) / 2
        return moves.view(B, self.ahead * self.segment, self.levels)[:, : self.horizon]
