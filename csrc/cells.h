// The cells by name. A new cell needs a header like gru.h and a line here.
#pragma once

#include "gru.h"
#include "gru_before.h"
#include "lstm.h"
#include "rnn.h"

#define OSTINATO_CELLS(CELL)            \
    CELL("rnn_tanh", Rnn<Tanh>)         \
    CELL("rnn_relu", Rnn<Relu>)         \
    CELL("rnn_identity", Rnn<Identity>) \
    CELL("gru", Gru)                    \
    CELL("gru_before", GruBefore)       \
    CELL("lstm", Lstm)                  \
    CELL("lstm_projected", Projected<Lstm>)
