// The gradient of few inputs. A register tile computes whole vectors of columns, of which one or two would be used here, so
// each number is a sum over the lanes of the gate gradients instead.
#pragma once

#include "blocked.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T>
inline bool narrow(Index columns) {
    return columns * 4 <= lanes<T>;
}

// Returns how many numbers pack_narrow writes.
template <class T>
inline Index narrow_count(int gates, Index hidden, Index columns) {
    return columns * gates * blocks_of<T>(hidden) * lanes<T>;
}

// Packs w (gates * hidden, columns) column by column, in the order of a blocked matrix of gate gradients: the blocks of units,
// and in a block the gates. The lanes after the last unit are zero.
template <class T>
inline void pack_narrow(T* panel, const T* w, int gates, Index hidden, Index columns, Range units) {
    constexpr Index V = lanes<T>;
    const Index blocks = blocks_of<T>(hidden) * gates;
    for (Index c = 0; c < columns; ++c)
        for (Index unit = units.begin * V; unit < units.end * V; ++unit)
            for (int g = 0; g < gates; ++g)
                panel[(c * blocks + unit / V * gates + g) * V + unit % V] =
                    unit < hidden ? w[(g * hidden + unit) * columns + c] : T(0);
}

// Writes the product of the rows of d (gates * hidden / V blocks) and w, which pack_narrow packed, to `to` (places, columns),
// in the order of place.
template <class T>
__attribute__((noinline)) void narrow_product(T* to, const Index* place, const Blocked<T>& d, const T* panel, int gates,
                                              Index hidden, Index columns, Range rows) {
    constexpr Index V = lanes<T>;
    const Index full = hidden / V * gates, blocks = blocks_of<T>(hidden) * gates;
    typename Simd<T>::word real = {};  // the lanes of the last units: what is not a number in the others counts for nothing
    for (Index v = 0; v < V; ++v) real[v] = v < hidden % V ? -1 : 0;
    for (Index row = rows.begin; row < rows.end; ++row)
        for (Index c = 0; c < columns; ++c) {
            Vec<T> sum[2] = {};
            const T *from = d.at(0, row), *w = panel + c * blocks * V;
            Index b = 0;
            for (; b + 2 <= full; b += 2, from += 2 * d.stride, w += 2 * V) {
                sum[0] += load(from) * load(w);
                sum[1] += load(from + d.stride) * load(w + V);
            }
            for (; b < full; ++b, from += d.stride, w += V) sum[0] += load(from) * load(w);
            for (; b < blocks; ++b, from += d.stride, w += V)
                sum[0] += number<T>(bits<T>(load(from)) & real) * load(w);
            to[place[row] * columns + c] = sum_of_lanes<T>(sum[0] + sum[1]);
        }
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
