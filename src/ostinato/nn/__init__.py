"""Drop-ins for torch.nn.RNN, LSTM, GRU and their cells: the same constructors, checkpoints, calls and results, faster.

Change ``from torch import nn`` to ``from ostinato import nn`` where the recurrence is made, and keep the checkpoint.
This is the only home of PackedSequence, batch_first, unbatched inputs and weight_ih_l0_reverse: beneath it all is
(T, B, D).
"""

from ostinato.nn.cells import GRUCell as GRUCell
from ostinato.nn.cells import LSTMCell as LSTMCell
from ostinato.nn.cells import RNNCell as RNNCell
from ostinato.nn.networks import GRU as GRU
from ostinato.nn.networks import LSTM as LSTM
from ostinato.nn.networks import RNN as RNN
