// Steps by recurrent weights of 8 bits, as plain data: what light.h compiles for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ostinato {

// The weights of a cell with G gates and H units. V is the number of floats in a vector.
struct LightWeights {
    const std::int32_t* words;  // (H / V, H / 4, G, V) the recurrent weights of four neighbouring h, rounded up; aligned
    const float* scale;         // (G H) what the whole number of a weight, times 2^24, is multiplied with
    const float* bias;          // (G H) b_hh of a gate that keeps its sides separate
};

// One cell. `step` replaces the h (H) and c (H, only for cells of two states) of one row. `input` (G H) is W_ih x + b_ih,
// with b_hh unless the gate keeps its sides separate. `held` is scratch for H + 3 numbers.
struct Light {
    const char* name;
    void (*step)(std::int64_t hidden, const LightWeights&, const float* input, float* h, float* c, float* held);
};

// The cells of one instruction set.
struct Lights {
    const char* set;
    std::int64_t lanes;  // V
    int count;
    const Light* cells;
};

// Returns the steps of the instruction set in use, and that of a cell among them; null if there is none.
const Lights& lights_in_use();
const Light* light_of(const char* cell);

}  // namespace ostinato
