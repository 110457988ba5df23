// Symbols that a network draws one after the other: the step, the logits and the draw, for many steps in one call.
#pragma once

#include <cstdint>
#include <vector>

#include "lights.h"

namespace ostinato {

// How a symbol is drawn, as in emissions/choice.py. top_k 0 keeps all.
struct Choice {
    double temperature, top_p, min_p;
    std::int64_t top_k;
};

// Which of V symbols may follow at each of S places in a character, as in data/readable.py.
struct Readable {
    std::int64_t places, symbols;
    const bool* allowed;         // (S, V)
    const std::int64_t* after;   // (S, V)
    const std::int64_t* needed;  // (S)
};

// A layer of the network. The input of the lowest one is a row of `table`: W_ih x + b_ih already, if `below` is 0.
struct WrittenLayer {
    const Light* cell;
    std::int64_t hidden, below;  // H, and the width D of the input
    bool residual;               // whether the layer above reads the sum of input and output
    LightWeights weights;
    const float *inputs, *bias;  // (H / V, D, G, V) and (G H), see Lights
};

// The network: layers one above the other. The input of a symbol is a row of `table`.
struct Written {
    const Lights* set;
    std::vector<WrittenLayer> layers;
    LightHead head;
    std::int64_t width;
    const float* table;  // (V + 1, width)
};

// h and c of a layer, (B, H). c is null for cells of one state.
struct WrittenState {
    float *h, *c;
};

// The state of B texts, which `write` moves on.
struct Texts {
    std::int64_t rows;
    std::int64_t *before, *place;      // (B) the last symbol, and the place in a character after it
    bool* ended;                       // (B)
    std::vector<WrittenState> states;  // of each layer
};

// Draws the next symbols (T, B) of texts, on at most `threads` threads with separate rows, and returns how many steps were
// made: fewer than T once all texts have ended with the symbol `end`. `left` is the number of symbols that a text may
// still have, u (T, B) are uniform numbers.
std::int64_t write(const Written& network, const Choice& choice, const Readable& readable, const Texts& texts,
                   std::int64_t steps, std::int64_t left, std::int64_t end, const double* u, std::int64_t* out, int threads);

}  // namespace ostinato
