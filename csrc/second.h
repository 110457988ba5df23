// The second product of a step, for the cells that have one: its use forward, and the start of its gradient backward.
#pragma once

#include "panels.h"

namespace ostinato::OSTINATO_SET {
namespace {

// The number of vectors that a unit block saves in a step: the slots of the cell, and c if it has one.
template <class Cell>
inline constexpr int kept = Cell::slots ? Cell::slots + Cell::states - 1 : 0;

// Computes W_hr m, which is h; or W_hh m for the late gate, with which the cell finishes its step.
template <class T, class Cell>
struct SecondStep {
    using scalar = T;
    static constexpr int gates = 1;

    Blocked<T> slots;  // the rows of this step; a late gate reads its input product and the slots, and writes its slot
    Index slots_block;
    bool save;
    Blocked<T> h, h_next;  // (P / V, B) the states before and after the step
    T* y;
    const Index* place;  // the places of the rows of this step
    Index outputs, y_row;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j)
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                sum[i][j] = Cell::late ? load(slots.at((block + j) * slots_block + early<Cell>, row + i)) : Vec<T>{};
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) fetch_vectors_to_write<NV>(y + place[row + i] * y_row + block * lanes<T>);
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        Vec<T> held[NV][MR];
        put_down<T>(held, sum);
        OSTINATO_ROLLED
        for (int j = 0; j < NV; ++j) {
            const Index unit = block + j, valid = outputs - unit * lanes<T>;
            OSTINATO_ROLLED
            for (int i = 0; i < MR; ++i) {
                After<T, Cell::slots> out;
                out.h = held[j][i];
                if constexpr (Cell::late > 0) {
                    T* slot = slots.at(unit * slots_block, row + i);
                    Given<T, 1> in;
                    in.sum[0] = out.h;
                    in.h = load(h.at(unit, row + i));
                    OSTINATO_UNROLL
                    for (int s = 0; s < Cell::slots - 1; ++s) out.slot[s] = load(slot + s * slots.stride);
                    Cell::template finish<T>(in, out);
                    if (save) store(slot + (Cell::slots - 1) * slots.stride, out.slot[Cell::slots - 1]);
                }
                store(h_next.at(unit, row + i), out.h);
                store_part(y + place[row + i] * y_row + unit * lanes<T>, out.h, valid);
            }
        }
    }
};

// Computes d_{t+1} W_hh, from it the gradient of h after step t, and from that the gradient of the second product.
template <class T, class Cell>
struct SecondGradient {
    using scalar = T;
    static constexpr int gates = 1;

    Blocked<T> slots;     // the saved rows of this step
    Blocked<T> carry;     // (P / V, B), as in GradientStep; replaced by dh if a gate is late
    bool carried;         // whether carry holds values for these rows
    Blocked<T> d_second;  // written, the rows of this step
    const T* dy;          // may be null
    const Index* place;
    Index outputs, y_row;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        start_from(sum, carry, carried, row, block);
        if constexpr (Cell::late > 0)
            OSTINATO_UNROLL
            for (int j = 0; j < NV; ++j)
                OSTINATO_UNROLL
                for (int s = 0; s < Cell::slots; ++s) fetch_vectors<MR>(slots.at((block + j) * kept<Cell> + s, row));
        if (dy)
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) fetch_vectors<NV>(dy + place[row + i] * y_row + block * lanes<T>);
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        Vec<T> held[NV][MR];
        put_down<T>(held, sum);
        OSTINATO_ROLLED
        for (int j = 0; j < NV; ++j) {
            const Index unit = block + j, valid = outputs - unit * lanes<T>;
            OSTINATO_ROLLED
            for (int i = 0; i < MR; ++i) {
                Vec<T> dh = held[j][i];
                if (dy) dh += load_part(dy + place[row + i] * y_row + unit * lanes<T>, valid);
                if constexpr (Cell::late > 0) {
                    const T* slot = slots.at(unit * kept<Cell>, row + i);
                    Seen<T, Cell::slots> in;
                    in.dh = dh;
                    OSTINATO_UNROLL
                    for (int s = 0; s < Cell::slots; ++s) in.slot[s] = load(slot + s * slots.stride);
                    store(carry.at(unit, row + i), dh);
                    dh = Cell::template owed<T>(in);
                }
                store(d_second.at(unit, row + i), dh);
            }
        }
    }
};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
