// The products that are the same in every cell, or in every cell of so many gates. They are up to a third of the code of
// a cell, so they are compiled once for each instruction set (OSTINATO_PRODUCTS), and the cells are linked to them.
#pragma once

#include "gemm.h"

// They and all that they take are in no unnamed namespace, so that the linker finds them by name.
namespace ostinato::OSTINATO_SET {

// The input product: it starts from the bias and writes its result to the slots.
template <class T, int G>
struct InputStep {
    using scalar = T;
    static constexpr int gates = G;

    Blocked<T> slots;   // the rows of the product
    Index slots_block;  // the number of slots of a unit block
    const T* bias;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            fetch_vectors_to_write<MR>(slots.at((block + j / gates) * slots_block + j % gates, row));
            const Vec<T> b = load(bias + (block * gates + j) * lanes<T>);
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) sum[i][j] = b;
        }
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            T* to = slots.at((block + j / gates) * slots_block + j % gates, row);
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) store(to + i * lanes<T>, sum[i][j]);
        }
    }
};

// Writes the rows of a product to rows of a row-major matrix, in the order of place.
template <class T>
struct ToRows {
    using scalar = T;
    static constexpr int gates = 1;

    T* to;
    const Index* place;
    Index columns;
    Blocked<T> plus;  // is added to the product; may be null

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        start_from(sum, plus, plus.first, row, block);
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            const Index column = (block + j) * lanes<T>;
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) store_part(to + place[row + i] * columns + column, sum[i][j], columns - column);
        }
    }
};

// They take what product takes.
template <class T, int G>
void input_product(const InputStep<T, G>& e, const Left<T>& x, const T* panel, Index depth, Index begin, Index end,
                   const Groups& groups, Range mine);
template <class T>
void product_to_rows(const ToRows<T>& e, const Left<T>& d, const T* panel, Index depth, Index begin, Index end,
                     const Groups& groups, Range mine);

// Adds x' d over `rows` rows to sums, whose rows are the columns of x: the gradient of a weight, in blocked form.
template <class T>
void outer(const Blocked<T>& sums, const Blocked<T>& x, Index columns, const Blocked<T>& d, Range blocks, Index rows);

// The numbers of gates whose input product is compiled.
constexpr bool has_input_product(int gates) { return gates == 1 || gates == 3 || gates == 4; }

#if defined(OSTINATO_PRODUCTS)

template <class T, int G>
void input_product(const InputStep<T, G>& e, const Left<T>& x, const T* panel, Index depth, Index begin, Index end,
                   const Groups& groups, Range mine) {
    product(e, x, panel, depth, begin, end, groups, mine);
}

template <class T>
void product_to_rows(const ToRows<T>& e, const Left<T>& d, const T* panel, Index depth, Index begin, Index end,
                     const Groups& groups, Range mine) {
    product(e, d, panel, depth, begin, end, groups, mine);
}

template <class T>
void outer(const Blocked<T>& sums, const Blocked<T>& x, Index columns, const Blocked<T>& d, Range blocks, Index rows) {
    constexpr int most = OSTINATO_ACCUMULATORS >= 24 && lanes<T> >= 8 ? 8 : lanes<T> >= 4 ? 4 : 2;
    for (Index block = blocks.begin; block < blocks.end; block += outer_group)
        for (Index c = 0; c < columns; c += lanes<T>) {
            T* to = sums.at(block, c);
            const T *left = x.at(c / lanes<T>, 0), *right = d.at(block, 0);
            const Index count = smaller(lanes<T>, columns - c);
            if (blocks.end - block >= outer_group)
                outer_column<T, outer_group, most>(to, sums.stride, left, right, d.stride, rows, count);
            else if (blocks.end - block == 2)
                outer_column<T, 2, most>(to, sums.stride, left, right, d.stride, rows, count);
            else
                outer_column<T, 1, most>(to, sums.stride, left, right, d.stride, rows, count);
        }
}

#define OSTINATO_INPUT_PRODUCT(T, G)                                                                             \
    static_assert(has_input_product(G));                                                                         \
    template void input_product(const InputStep<T, G>&, const Left<T>&, const T*, Index, Index, Index, const Groups&, \
                                Range);
#define OSTINATO_PRODUCTS_OF(T)                                                                                      \
    OSTINATO_INPUT_PRODUCT(T, 1)                                                                                     \
    OSTINATO_INPUT_PRODUCT(T, 3)                                                                                     \
    OSTINATO_INPUT_PRODUCT(T, 4)                                                                                     \
    template void product_to_rows(const ToRows<T>&, const Left<T>&, const T*, Index, Index, Index, const Groups&, Range); \
    template void outer(const Blocked<T>&, const Blocked<T>&, Index, const Blocked<T>&, Range, Index);

OSTINATO_PRODUCTS_OF(float)
OSTINATO_PRODUCTS_OF(double)

#endif

}  // namespace ostinato::OSTINATO_SET
