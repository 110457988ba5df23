// Symbols that a network draws one after the other: the step, the logits and the draw, for many steps in one call.
#pragma once

#include <cstdint>

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

// The network: one layer by weights of 8 bits. The input of a symbol is a row of `table`.
struct Written {
    const Light* cell;
    const Lights* set;
    std::int64_t hidden, width;
    LightWeights weights;
    LightHead head;
    const float* table;  // (V + 1, width)
};

// The state of B texts, which `write` moves on.
struct Texts {
    std::int64_t rows;
    std::int64_t *before, *place;  // (B) the last symbol, and the place in a character after it
    bool* ended;                   // (B)
    float *h, *c;                  // (B, H)
};

// Draws the next symbols (T, B) of texts, on at most `threads` threads with separate rows, and returns how many steps were
// made: fewer than T once all texts have ended with the symbol `end`. `left` is the number of symbols that a text may
// still have, u (T, B) are uniform numbers.
std::int64_t write(const Written& network, const Choice& choice, const Readable& readable, const Texts& texts,
                   std::int64_t steps, std::int64_t left, std::int64_t end, const double* u, std::int64_t* out, int threads);

}  // namespace ostinato
