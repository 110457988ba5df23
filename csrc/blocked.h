// The layout of every matrix in the kernels. A blocked matrix stores V consecutive columns of all its rows together,
// where V is the number of lanes of a vector:
//
//     element (row r, column c)  at  first[(c / V) * stride + r * V + c % V],
//
// A tile can then read rows and write vectors at constant distances for all sizes. stride is an odd number of vectors:
// with a power of two all blocks would map to the same cache sets.
//
// A panel is the packed right side of a product. For a group of columns it holds K steps; each step is contiguous and
// holds the vectors of the group. With `gates` interleaved vectors in a column block, one register tile has all gates
// of a unit.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T>
struct Blocked {
    T* first = nullptr;
    Index stride = 0;

    T* at(Index block, Index row) const { return first + block * stride + row * lanes<T>; }
    Blocked from(Index block, Index row = 0) const { return {at(block, row), stride}; }
    static Index stride_of(Index rows) { return (rows | 1) * lanes<T>; }
};

// Allocates buffers one after the other in a single block. If base is null, it only counts the bytes that they need.
struct Arena {
    char* base;
    std::size_t used = 0;

    template <class T>
    T* take(Index count) {
        const std::size_t start = used;
        used += (count * sizeof(T) + 127) & ~std::size_t{127};
        return base ? reinterpret_cast<T*>(base + start) : nullptr;
    }
    template <class T>
    Blocked<T> blocked(Index blocks, Index rows) {
        const Index stride = Blocked<T>::stride_of(rows);
        return {take<T>(blocks * stride), stride};
    }
};

// The number of column blocks in the next group of a panel: 4, 2 or 1, so that they have at most four vectors.
constexpr Index group_limit(int gates) { return gates == 1 ? 4 : gates == 2 ? 2 : 1; }
OSTINATO_INLINE Index group_of(Index left, int gates) {
    const Index limit = group_limit(gates);
    return left >= 4 && limit >= 4 ? 4 : left >= 2 && limit >= 2 ? 2 : 1;
}

// Copies `columns` numbers of a row-major row into row `row` of a blocked matrix, and fills the last block with zeros.
template <class T>
OSTINATO_INLINE void pack_row(const Blocked<T>& to, Index row, const T* from, Index columns) {
    Index block = 0;
    for (; (block + 1) * lanes<T> <= columns; ++block) store(to.at(block, row), load(from + block * lanes<T>));
    if (block * lanes<T> < columns)
        store(to.at(block, row), load_part(from + block * lanes<T>, columns - block * lanes<T>));
}

template <class T>
OSTINATO_INLINE void unpack_row(T* to, const Blocked<T>& from, Index row, Index columns) {
    for (Index c = 0, block = 0; c < columns; c += lanes<T>, ++block)
        store_part(to + c, load(from.at(block, row)), columns - c);
}

template <class T>
inline void clear(T* at, Index count) {
    std::memset(at, 0, count * sizeof(T));
}

// Packs w (gates * hidden, depth), row-major and gate after gate, into panels of its transpose: they have `depth`
// steps, and `gates` vectors for each column block.
template <class T>
inline void pack_gates(T* panel, const T* w, int gates, Index hidden, Index depth) {
    constexpr Index V = lanes<T>;
    const Index blocks = blocks_of<T>(hidden);
    for (Index first = 0, count; first < blocks; first += count) {
        count = group_of(blocks - first, gates);
        const Index width = count * gates * V;
        for (Index j = 0; j < count; ++j)
            for (int g = 0; g < gates; ++g) {
                const Index unit = (first + j) * V, valid = smaller(V, hidden - unit);
                T* to = panel + (j * gates + g) * V;
                const T* from = w + (g * hidden + unit) * depth;
                if (valid == V)
                    for (Index k = 0; k < depth; ++k)
                        for (Index v = 0; v < V; ++v) to[k * width + v] = from[v * depth + k];
                else
                    for (Index k = 0; k < depth; ++k)
                        for (Index v = 0; v < V; ++v) to[k * width + v] = v < valid ? from[v * depth + k] : T(0);
            }
        panel += width * depth;
    }
}

// Packs w (gates * hidden, columns) into panels without a transposition. The steps go through the units block by block
// and, in a block, gate by gate: a blocked matrix of gate gradients is read in this order.
template <class T>
inline void pack_units(T* panel, const T* w, int gates, Index hidden, Index columns) {
    constexpr Index V = lanes<T>;
    const Index blocks = blocks_of<T>(columns);
    for (Index first = 0, count; first < blocks; first += count) {
        count = group_of(blocks - first, 1);
        for (Index unit = 0; unit < hidden; unit += V)
            for (int g = 0; g < gates; ++g)
                for (Index u = unit; u < smaller(unit + V, hidden); ++u)
                    for (Index j = 0; j < count; ++j, panel += V) {
                        const Index c = (first + j) * V;
                        store(panel, load_part(w + (g * hidden + u) * columns + c, columns - c));
                    }
    }
}

// Undoes the order of pack_gates: writes blocked sums (blocks * gates, depth rows) to w (gates * hidden, depth).
template <class T>
inline void unpack_gates(T* w, const Blocked<T>& sums, int gates, Index hidden, Index depth) {
    constexpr Index V = lanes<T>;
    for (Index unit = 0; unit < hidden; unit += V)
        for (int g = 0; g < gates; ++g) {
            const T* from = sums.at(unit / V * gates + g, 0);
            T* to = w + (g * hidden + unit) * depth;
            for (Index v = 0; v < smaller(V, hidden - unit); ++v)
                for (Index k = 0; k < depth; ++k) to[v * depth + k] = from[k * V + v];
        }
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
