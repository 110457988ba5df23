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

#include "share.h"

namespace ostinato::OSTINATO_SET {

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

// The largest number of column blocks in a group of a panel: a group has at most four vectors.
constexpr Index group_limit(int gates) { return gates == 1 ? 4 : gates == 2 ? 2 : 1; }

// The groups of a panel of so many column blocks. For threads that share the columns they are smaller if the largest
// share gets smaller by it; a smaller group reads the left side more often.
struct Groups {
    Index blocks, limit;

    Groups(Index all, int gates, int split) : blocks(all), limit(group_limit(gates)) {
        for (Index half = limit / 2, cost = cost_of(limit, split); split > 1 && half; half /= 2)
            if (cost_of(half, split) < cost) limit = half, cost = cost_of(half, split);
    }
    Index at(Index block) const {  // the number of blocks of the group that starts with this block
        const Index left = blocks - block;
        return left >= 4 && limit >= 4 ? 4 : left >= 2 && limit >= 2 ? 2 : 1;
    }
    Index before(Index end) const {  // the number of blocks of the group that ends there
        const Index whole = blocks / limit * limit;
        return end <= whole ? limit : (end - whole) % 2 ? 1 : 2;
    }
    Range all() const { return {0, blocks}; }
    Range share(const Team& team) const { return OSTINATO_SET::share(team, blocks, limit); }

  private:
    Index cost_of(Index group, int split) const {  // of the largest share, in tenths of a block
        const Index groups = (blocks + group - 1) / group;
        return (groups + split - 1) / split * group * (group == 4 ? 10 : group == 2 ? 11 : 13);
    }
};

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

// Writes the transpose of V rows of V numbers, `from_stride` apart, to rows that are `to_stride` apart.
template <class T>
inline void transpose_square(T* to, Index to_stride, const T* from, Index from_stride) {
    Vec<T> rows[lanes<T>];
    OSTINATO_UNROLL
    for (int i = 0; i < lanes<T>; ++i) rows[i] = load(from + i * from_stride);
    transpose<T>(rows);
    OSTINATO_UNROLL
    for (int i = 0; i < lanes<T>; ++i) store(to + i * to_stride, rows[i]);
}

// Packs w (gates * hidden, depth), row-major and gate after gate, into panels of its transpose: they have `depth`
// steps, and `gates` vectors for each column block.
template <class T>
inline void pack_gates(T* panel, const T* w, int gates, Index hidden, Index depth, const Groups& groups, Range mine) {
    constexpr Index V = lanes<T>;
    panel += mine.begin * gates * V * depth;
    for (Index first = mine.begin, count; first < mine.end; first += count) {
        count = groups.at(first);
        const Index width = count * gates * V;
        for (Index j = 0; j < count; ++j)
            for (int g = 0; g < gates; ++g) {
                const Index unit = (first + j) * V, valid = smaller(V, hidden - unit);
                T* to = panel + (j * gates + g) * V;
                const T* from = w + (g * hidden + unit) * depth;
                Index k = 0;
                if (valid == V)
                    for (; k + V <= depth; k += V) transpose_square(to + k * width, width, from + k, depth);
                for (; k < depth; ++k)
                    for (Index v = 0; v < V; ++v) to[k * width + v] = v < valid ? from[v * depth + k] : T(0);
            }
        panel += width * depth;
    }
}

// Packs w (gates * hidden, columns) into panels without a transposition. The steps go through the units block by block
// and, in a block, gate by gate: a blocked matrix of gate gradients is read in this order.
template <class T>
inline void pack_units(T* panel, const T* w, int gates, Index hidden, Index columns, const Groups& groups, Range mine) {
    constexpr Index V = lanes<T>;
    panel += mine.begin * V * gates * hidden;
    for (Index first = mine.begin, count; first < mine.end; first += count) {
        count = groups.at(first);
        for (Index unit = 0; unit < hidden; unit += V)
            for (int g = 0; g < gates; ++g)
                for (Index u = unit; u < smaller(unit + V, hidden); ++u)
                    for (Index j = 0; j < count; ++j, panel += V) {
                        const Index c = (first + j) * V;
                        store(panel, load_part(w + (g * hidden + u) * columns + c, columns - c));
                    }
    }
}

// Undoes the order of pack_gates: writes the given blocks of units of blocked sums (blocks * gates, depth rows) to w
// (gates * hidden, depth). Before that it adds the sums of the other parts: part i has those of `from` at twin(i, from).
template <class T, class Twin>
inline void unpack_gates(T* w, const Blocked<T>& sums, int parts, const Twin& twin, int gates, Index hidden,
                         Index depth, Range units) {
    constexpr Index V = lanes<T>;
    for (Index unit = units.begin * V; unit < smaller(units.end * V, hidden); unit += V)
        for (int g = 0; g < gates; ++g) {
            T* from = sums.at(unit / V * gates + g, 0);
            for (int i = 1; i < parts; ++i)
                for (Index k = 0; k < depth * V; k += V) store(from + k, load(from + k) + load(twin(i, from) + k));
            T* to = w + (g * hidden + unit) * depth;
            const Index valid = smaller(V, hidden - unit);
            Index k = 0;
            if (valid == V)
                for (; k + V <= depth; k += V) transpose_square(to + k, depth, from + k * V, V);
            for (Index v = 0; v < valid; ++v)
                for (Index j = k; j < depth; ++j) to[v * depth + j] = from[j * V + v];
        }
}

}  // namespace ostinato::OSTINATO_SET
