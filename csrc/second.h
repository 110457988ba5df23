// The second product of a step, in cells that have one: what comes of it forward, and where its gradient starts backward.
#pragma once

#include "panels.h"

namespace ostinato::OSTINATO_SET {
namespace {

// Vectors a unit block keeps of a step: the cell's slots, and c where there is one.
template <class Cell>
inline constexpr int kept = Cell::slots ? Cell::slots + Cell::states - 1 : 0;

// W_hr m, which is h; or W_hh m of the late gate, from which the cell finishes its step.
template <class T, class Cell>
struct SecondStep {
    using scalar = T;
    static constexpr int gates = 1;

    Blocked<T> slots;  // this step's rows: of a late gate holds its input product and what forward left, gets its slot
    Index slots_block;
    bool save;
    Blocked<T> h, h_next;  // (P / V, B) the state before and after
    T* y;
    const Index* place;  // of this step's rows
    Index outputs;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j)
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                sum[i][j] = Cell::late ? load(slots.at((block + j) * slots_block + early<Cell>, row + i)) : Vec<T>{};
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            const Index unit = block + j, valid = outputs - unit * lanes<T>;
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) {
                After<T, Cell::slots> out;
                out.h = sum[i][j];
                if constexpr (Cell::late > 0) {
                    T* slot = slots.at(unit * slots_block, row + i);
                    Given<T, 1> in;
                    in.sum[0] = sum[i][j];
                    in.h = load(h.at(unit, row + i));
                    OSTINATO_UNROLL
                    for (int s = 0; s < Cell::slots - 1; ++s) out.slot[s] = load(slot + s * slots.stride);
                    Cell::template finish<T>(in, out);
                    if (save) store(slot + (Cell::slots - 1) * slots.stride, out.slot[Cell::slots - 1]);
                }
                store(h_next.at(unit, row + i), out.h);
                store_part(y + place[row + i] * outputs + unit * lanes<T>, out.h, valid);
            }
        }
    }
};

// d_{t+1} W_hh, which ends in the gradient of h after step t, and from there in that of the second product.
template <class T, class Cell>
struct SecondGradient {
    using scalar = T;
    static constexpr int gates = 1;

    Blocked<T> slots;     // this step's rows, as saved
    Blocked<T> carry;     // (P / V, B) as GradientStep's; where a gate is late replaced by dh
    bool carried;         // whether carry holds anything for these rows
    Blocked<T> d_second;  // this step's rows, written
    const T* dy;          // or null
    const Index* place;
    Index outputs;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        start_from(sum, carry, carried, row, block);
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            const Index unit = block + j, valid = outputs - unit * lanes<T>;
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) {
                Vec<T> dh = sum[i][j];
                if (dy) dh += load_part(dy + place[row + i] * outputs + unit * lanes<T>, valid);
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
