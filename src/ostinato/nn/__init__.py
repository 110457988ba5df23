"""Faster replacements for torch.nn.RNN, LSTM, GRU and their cells: subclasses with the same calls and results.

To use them, change ``from torch import nn`` to ``from ostinato import nn`` in the code that makes the recurrence; its
checkpoints stay valid. The conventions of torch, which are PackedSequence, batch_first, inputs without a batch axis and
names like weight_ih_l0_reverse, exist in this package only: all packages below it take (T, B, D).
"""

from ostinato.nn.cells import GRUCell as GRUCell
from ostinato.nn.cells import LSTMCell as LSTMCell
from ostinato.nn.cells import RNNCell as RNNCell
from ostinato.nn.compiling import admit_when_imported
from ostinato.nn.drop_in import to_torch as to_torch
from ostinato.nn.networks import GRU as GRU
from ostinato.nn.networks import LSTM as LSTM
from ostinato.nn.networks import RNN as RNN

admit_when_imported()
