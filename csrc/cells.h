// The cells by name. A new cell needs a header like gru.h, which kernels.h includes, and a line here. The kernels of each cell are compiled by
// themselves for each instruction set, so that the cores of the machine that builds share the work.
#pragma once

#define OSTINATO_CELLS(CELL)            \
    CELL(rnn_tanh, Rnn<Tanh>)           \
    CELL(rnn_relu, Rnn<Relu>)           \
    CELL(rnn_identity, Rnn<Identity>)   \
    CELL(gru, Gru)                      \
    CELL(gru_before, GruBefore)         \
    CELL(lstm, Lstm)                    \
    CELL(lstm_projected, Projected<Lstm>)
