// Steps by recurrent weights of 8 bits, as plain data: what light.h compiles for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ostinato {

// The weights of a cell with G gates and H units. V is the number of floats in a vector.
struct LightWeights {
    const std::int8_t* weights;  // (H / V, pairs, G, V, 2) the weights of two neighbouring h for each unit; aligned
    const float* scale;          // (G H) what the whole number of a weight counts
    const float* bias;           // (G H) b_hh of a gate that keeps its sides separate
};

// The pairs of h that the weights are laid out for: a multiple of 8, so that no loop has a remainder. Those behind H are zero.
constexpr std::int64_t light_pairs(std::int64_t hidden) { return (hidden + 15) / 16 * 8; }

// The weights from h to the logits of S symbols.
struct LightHead {
    std::int64_t symbols;
    const float* panel;     // (S / V, H, V)
    const float* constant;  // (S)
};

// One cell. `step` replaces the h (B, H) and c (B, H, only for cells of two states) of B rows. `input` (B) holds the
// addresses of W_ih x + b_ih (G H), with b_hh unless the gate keeps its sides separate. `scratch` has light_pairs(H) + 1
// words of 32 bits for each row.
struct Light {
    const char* name;
    void (*step)(std::int64_t rows, std::int64_t hidden, const LightWeights& w, const float* const* input, float* h, float* c,
                 void* scratch);
};

// The cells of one instruction set, and the function that writes the logits (B, S) of h (B, H).
struct Lights {
    const char* set;
    std::int64_t lanes;  // V
    int count;
    const Light* cells;
    void (*head)(std::int64_t rows, std::int64_t hidden, const LightHead& head, const float* h, float* out);
};

// Returns the steps of the instruction set in use, and that of a cell among them; null if there is none.
const Lights& lights_in_use();
const Light* light_of(const char* cell);

}  // namespace ostinato
