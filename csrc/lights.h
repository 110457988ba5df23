// Steps of few rows without gradients, as plain data: what light.h and exact.h compile for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ostinato {

// The recurrent weights of a cell with G gates and H units, by 8 bits or by float32. V is the number of floats in a vector.
struct LightWeights {
    const std::int8_t* weights;  // (H / V, pairs, G, V, 2) the weights of two neighbouring h for each unit; aligned; null for float32
    const float* scale;          // (G H) what the whole number of a weight counts
    const float* panel;          // (H / V, H, G, V) the weights in float32; aligned; null for 8 bits
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

// The words of 32 bits that a step takes for each row, to hold h while it is replaced.
constexpr std::int64_t light_words(std::int64_t hidden) { return hidden + 16; }

// One cell. `step` replaces the h (B, H) and c (B, H, only for cells of two states) of B rows. `input` (B) holds the
// addresses of W_ih x + b_ih (G H), with b_hh unless the gate keeps its sides separate. `scratch` has light_words(H) words
// for each row.
struct Light {
    const char* name;
    int gates;
    void (*step)(std::int64_t rows, std::int64_t hidden, const LightWeights& w, const float* const* input, float* h, float* c,
                 void* scratch);
};

// The cells of one instruction set, and what is the same for all of them. The order of all sums of float32 is fixed: it does
// not depend on the number of rows.
struct Lights {
    const char* set;
    std::int64_t lanes;  // V
    int count;
    const Light* cells;
    // Writes the logits (B, S) of h (B, H).
    void (*head)(std::int64_t rows, std::int64_t hidden, const LightHead& head, const float* h, float* out);
    // Writes W x + bias (B, G H) of x (B, D), by the panel of W.
    void (*inputs)(std::int64_t rows, std::int64_t depth, int gates, std::int64_t hidden, const float* panel, const float* bias,
                   const float* x, float* out);
    // Packs weights (G H, D) into a panel (H / V, D, G, V); the units behind H are zero.
    void (*pack)(int gates, std::int64_t hidden, std::int64_t depth, const float* weights, float* panel);
};

// Returns the steps of the instruction set in use, and that of a cell among them; null if there is none.
const Lights& lights_in_use();
const Light* light_of(const char* cell);

}  // namespace ostinato
