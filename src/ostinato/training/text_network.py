"""The network of a text and its training: width, dropout, rate and clipping, by the text and the budget."""

from __future__ import annotations

import math
from typing import NamedTuple

from ostinato.fits.budget import Budget

#: The floating point operations that two cores make in a second of a training. A constant, so that the model of a fit
#: follows from its data and its budget, and a fit that was stopped goes on with the same one on another machine.
SPEED = 1.1e11
#: The passes over a text that its network is made for: with fewer, a wider one has not learned what a narrower one has.
PASSES = 3.0
#: The size of the embedding of a symbol.
EMBEDDING = 64
#: The symbols in a batch of one long text, and of short texts.
BATCH = 1024, 2048
#: The learning rate of a long text's network of up to 512 units; that of a wider one falls as its width grows. After
#: 700 steps on tinyshakespeare, 512 units had 1.653, 1.588 and 1.559 nats a character at .004, .006 and .008; after
#: 1,000 steps, 256 units had 1.654, 1.604 and 1.620 at .005, .008 and .012. Of .008, .010, .012 and .016, in one draw
#: each, 512 units had 1.567, 1.603, 1.565 and 1.611 after 700 steps; of .006, .008 and .012, they had 1.492, 1.489 and
#: 1.504 after 1,500. A warm-up of 100 steps in place of 30 had 1.579 at .008 and 1.564 at .012, and a second beta of
#: AdamW of .99 in place of .999 had 1.567 and 1.572. Longer trainings want no lower rate: after 1,560 steps on a
#: quarter of the text, 256 units had 1.612, 1.627 and 1.665 at .008, .005 and .003.
FASTEST = 8e-3
#: The learning rate of short texts.
SHORT_TEXTS = 4e-3
#: The greatest norm of a gradient of a long text, in nats a character. Those of its batches are above .2, so that all
#: steps count alike in what AdamW remembers of the sizes of gradients, in place of the first ones above all.
#: After 1,000 steps on tinyshakespeare 256 units had 1.628, 1.604 and 1.604 nats a character at norms of 1, .1 and .03.
#: Names, one a line, had 2.113, 2.127 and 2.142 after 500 steps at 1, .3 and .1, and keep 1.
CLIPPED = 0.1
#: The weight decay of a long text, and of short texts. A quarter of tinyshakespeare had 1.612 nats after 1,560 steps at
#: .01, 1.599 at .1 and 1.615 at .3 (256 units; another seed had 1.605 and 1.597 at .01 and .1). With a dropout of .2 it
#: had 1.627 and 1.611 at .01 and .1, and after 4,700 steps 1.595 and 1.574. Names, one a line, had 2.059 and 2.065
#: after 600 steps.
DECAY = 0.1, 0.01
#: The dropout of short texts up to some passes, and what each further pass adds.
SHORT_DROPPED, SHORT_PASSES, A_PASS = 0.15, 3.0, 0.02
#: The dropout of a long text: where it begins, what ten times as much adds, and the greatest share. It is counted in
#: steps times passes times weights for each symbol, because all three help to learn a text by heart. About six passes
#: over a quarter of tinyshakespeare want none in 1,560 steps (256 units: 1.612 and 1.627 nats at 0 and .2). Those over
#: half of it want some in 3,100 (384 units: 1.510, 1.496 and 1.502 at 0, .2 and .35). Dropped recurrent weights are no
#: better: a share of .3 had 1.631 on the quarter, and 1.530 on the half. Nor is a dropped input: on the quarter, .2 and
#: .1 of the input had 1.634. The mask is locked over the steps of a chunk: a share of .2 had 1.609 on the quarter, and
#: 1.627 with a mask for each step; with the weight decay, 1.567 and 1.574 after 4,700 steps.
BY_HEART, A_TENFOLD, MOST_DROPPED = 9e3, 0.3, 0.4


class TextNetwork(NamedTuple):
    """What suits the network of a text.

    Attributes:
        hidden: The number of hidden units.
        embedding: The size of the embedding of a symbol.
        batch_steps: The number of symbols in a batch.
        dropout: The share of values that dropout sets to 0.
        learning_rate: The peak of the learning rate.
        clip: The greatest norm of a gradient.
        weight_decay: The decay of the weight matrices in AdamW.
    """

    hidden: int
    embedding: int
    batch_steps: int
    dropout: float
    learning_rate: float
    clip: float
    weight_decay: float


def network_for(symbols: int, limits: Budget, *, short: bool) -> TextNetwork:
    """Return what suits the network of a text.

    The rate was chosen after 500 steps of 1,024 characters of tinyshakespeare, with 256 units and no dropout. Rates of
    .003 (in chunks of 128 steps), .006, .01 and .015 had 1.921, 1.866, 1.796 and 1.831 nats. torch.nn.LSTM at .003 had
    1.941.

    Args:
        symbols: The symbols of the text.
        limits: The budget.
        short: Whether it is many short texts, one a line, and not a long one. These have more symbols in a batch.
    """
    batch, symbols = BATCH[short], max(symbols, 1)
    operations = math.inf if limits.seconds is None else limits.seconds * SPEED
    hidden = width_for(symbols, operations)
    weights = 4 * hidden * (hidden + EMBEDDING)
    steps = operations / (6 * weights * batch)
    if limits.steps is not None:
        steps = min(steps, limits.steps)
    passes = steps * batch / symbols
    if short:
        dropout = min(SHORT_DROPPED + A_PASS * max(passes - SHORT_PASSES, 0.0), MOST_DROPPED)
        return TextNetwork(hidden, EMBEDDING, batch, dropout, SHORT_TEXTS, 1.0, DECAY[short])
    dropout, rate = dropout_for(steps, passes, weights / symbols), FASTEST * min(1.0, 512 / hidden)
    return TextNetwork(hidden, EMBEDDING, batch, dropout, rate, CLIPPED, DECAY[short])


def width_for(symbols: int, operations: float) -> int:
    """Return the hidden units of the network of a text, a multiple of 64 from 128 to 768.

    The square of the width grows with the text, so that there are about as many weights as symbols. It also grows with
    the operations that the budget allows: the training has to pass over the text ``PASSES`` times.

    Args:
        symbols: The symbols of the text.
        operations: The floating point operations of the training.
    """
    # a symbol costs 6 operations a weight, forward and backward, of which an LSTM has 4 H (H + 64)
    affordable = math.sqrt(operations / (24 * PASSES * max(symbols, 1)))
    return int(min(max(64 * round(min(affordable, math.sqrt(symbols / 4)) / 64), 128), 768))


def dropout_for(steps: float, passes: float, dense: float) -> float:
    """Return the share of dropout of a long text's network.

    Args:
        steps: The optimiser steps that the budget allows.
        passes: How often they pass over the text.
        dense: The weights of the network for each symbol of the text.
    """
    return min(A_TENFOLD * math.log10(max(steps * passes * dense / BY_HEART, 1.0)), MOST_DROPPED)
