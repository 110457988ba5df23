"""Faster replacements for torch.nn.RNN, LSTM, GRU and their cells: same constructors, checkpoints, calls and results.

To use them, change ``from torch import nn`` to ``from ostinato import nn`` in the code that makes the recurrence; its
checkpoints stay valid. The conventions of torch, which are PackedSequence, batch_first, inputs without a batch axis and
names like weight_ih_l0_reverse, exist in this package only: all packages below it take (T, B, D).
"""

from ostinato.nn.cells import GRUCell as GRUCell
from ostinato.nn.cells import LSTMCell as LSTMCell
from ostinato.nn.cells import RNNCell as RNNCell
from ostinato.nn.networks import GRU as GRU
from ostinato.nn.networks import LSTM as LSTM
from ostinato.nn.networks import RNN as RNN
