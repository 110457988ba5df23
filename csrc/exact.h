// One step of a few rows by weights of float32, and the products of the inputs that go into it. A step of one row reads
// every weight once, so it takes about as long as the reading.
//
// Each sum goes through the columns in their order, whatever the tile: a row has the same bits alone and among others.
#pragma once

#include "blocked.h"
#include "cell.h"
#include "lights.h"

namespace ostinato::OSTINATO_SET {
namespace {

// The left side of a product: rows (B, D) that are `stride` numbers apart.
struct ExactRows {
    const float* at;
    Index stride, depth;
};

// Writes the sums (MR, NB, G) of MR rows and NB blocks of units, whose panels lie one after the other. A sum waits for the
// one before, so that few rows take several blocks at once.
template <int MR, int NB, int G>
__attribute__((noinline)) void exact_tile(const ExactRows& left, const float* panel, Vec<float>* out) {
    constexpr Index V = lanes<float>;
    const Index next = left.depth * G * V;
    Vec<float> sum[MR][NB * G] = {};
    for (Index k = 0; k < left.depth; ++k, panel += G * V) {
        Vec<float> w[NB * G];
        OSTINATO_UNROLL
        for (int j = 0; j < NB * G; ++j) w[j] = load(panel + j / G * next + j % G * V);
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) {
            const float x = left.at[i * left.stride + k];
            OSTINATO_UNROLL
            for (int j = 0; j < NB * G; ++j) sum[i][j] += x * w[j];
        }
    }
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i)
        OSTINATO_UNROLL
        for (int j = 0; j < NB * G; ++j) out[i * NB * G + j] = sum[i][j];
}

// The most rows of a tile, and the most sums of one that takes several blocks.
template <int G>
inline constexpr int exact_rows = OSTINATO_ACCUMULATORS / G < 8 ? OSTINATO_ACCUMULATORS / G : 8;
inline constexpr int exact_sums = OSTINATO_ACCUMULATORS < 12 ? OSTINATO_ACCUMULATORS : 12;

template <int G, int MR>
inline constexpr int exact_blocks = exact_sums / (MR * G) < 1 ? 1 : exact_sums / (MR * G) < 4 ? exact_sums / (MR * G) : 4;

// Calls finish(row, unit block, sums of its G gates) for MR rows from `row` on and the blocks [u, blocks) that a tile takes.
// Returns their number.
template <int G, int MR, class Finish>
OSTINATO_INLINE Index exact_part(Index rows, const ExactRows& left, const float* panel, Index row, Index u, Index blocks,
                                 const Finish& finish) {
    if constexpr (MR > 1)
        if (rows < MR) return exact_part<G, MR - 1>(rows, left, panel, row, u, blocks, finish);
    constexpr int NB = exact_blocks<G, MR>;
    const Index taken = u + NB <= blocks ? NB : 1;
    const ExactRows own{left.at + row * left.stride, left.stride, left.depth};
    const float* from = panel + u * left.depth * G * lanes<float>;
    Vec<float> sums[MR * NB * G];
    if (taken == NB)
        exact_tile<MR, NB, G>(own, from, sums);
    else
        exact_tile<MR, 1, G>(own, from, sums);
    OSTINATO_ROLLED
    for (int i = 0; i < MR; ++i)
        OSTINATO_ROLLED
        for (Index n = 0; n < taken; ++n) finish(row + i, u + n, sums + (i * taken + n) * G);
    return taken;
}

// Calls finish for all rows and all blocks of units. The rows of a block follow each other, so that its panel stays in the
// cache of the core.
template <int G, class Finish>
inline void exact_product(Index rows, const ExactRows& left, const float* panel, Index blocks, const Finish& finish) {
    const Index tiles = (rows + exact_rows<G> - 1) / exact_rows<G>;
    for (Index u = 0, taken = 0; u < blocks; u += taken)
        for (Index row = 0, more = tiles, count; row < rows; row += count, --more) {
            count = (rows - row + more - 1) / more;
            taken = exact_part<G, exact_rows<G>>(count, left, panel, row, u, tiles > 1 ? u + 1 : blocks, finish);
        }
}

// Steps a cell for the block u of units of one row, and replaces its h and c. plus(g, x) returns the recurrent sum of a gate
// plus x, in one expression, which the compiler contracts in one way.
template <class Cell, class Plus>
OSTINATO_INLINE void replace_state(const Plus& plus, const float* input, const float* bias, Index hidden, Index u,
                                   float* h, float* c) {
    constexpr int G = Cell::gates;
    const Index first = u * lanes<float>, valid = hidden - first;
    Given<float, G> in;
    OSTINATO_UNROLL
    for (int g = 0; g < G; ++g) {
        const Index column = g * hidden + first;
        in.x[g] = load_part(input + column, valid);
        in.sum[g] = plus(g, g >= G - Cell::apart ? load_part(bias + column, valid) : in.x[g]);
    }
    in.h = load_part(h + first, valid);
    if constexpr (Cell::states == 2) in.c = load_part(c + first, valid);
    After<float, Cell::slots> out;
    Cell::template forward<float>(in, out);
    store_part(h + first, out.h, valid);
    if constexpr (Cell::states == 2) store_part(c + first, out.c, valid);
}

template <class Cell>
void exact_step(Index rows, Index hidden, const LightWeights& w, const float* const* input, float* h, float* c, float* held) {
    const Index stride = light_words(hidden);
    for (Index b = 0; b < rows; ++b) std::memcpy(held + b * stride, h + b * hidden, hidden * sizeof(float));
    // one function for all tiles, so that the compiler contracts its products in one way
    const auto finish = [&](Index row, Index u, const Vec<float>* sums) __attribute__((noinline)) {
        const Index of_row = row * hidden;
        const auto plus = [&](int g, Vec<float> x) { return sums[g] + x; };
        replace_state<Cell>(plus, input[row], w.bias, hidden, u, h + of_row, Cell::states == 2 ? c + of_row : nullptr);
    };
    exact_product<Cell::gates>(rows, {held, stride, hidden}, w.panel, blocks_of<float>(hidden), finish);
}

template <int G>
void exact_inputs_of(Index rows, Index depth, Index hidden, const float* panel, const float* bias, const float* x, float* out) {
    exact_product<G>(rows, {x, depth, depth}, panel, blocks_of<float>(hidden), [&](Index row, Index u, const Vec<float>* sums) {
        const Index first = u * lanes<float>, valid = hidden - first;
        for (int g = 0; g < G; ++g) {
            const Index column = g * hidden + first;
            store_part(out + row * G * hidden + column, sums[g] + load_part(bias + column, valid), valid);
        }
    });
}

inline void exact_inputs(Index rows, Index depth, int gates, Index hidden, const float* panel, const float* bias, const float* x, float* out) {
    if (gates == 4) return exact_inputs_of<4>(rows, depth, hidden, panel, bias, x, out);
    if (gates == 3) return exact_inputs_of<3>(rows, depth, hidden, panel, bias, x, out);
    exact_inputs_of<1>(rows, depth, hidden, panel, bias, x, out);
}

inline void exact_pack(int gates, Index hidden, Index depth, const float* weights, float* panel) {
    const Groups single(blocks_of<float>(hidden), 4, 1);  // each block by itself, for any number of gates
    pack_gates(panel, weights, gates, hidden, depth, single, single.all());
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
