// The forward time loop: first the input product of a chunk of steps, then its steps one by one.
#pragma once

#include "products.h"
#include "second.h"

namespace ostinato::OSTINATO_SET {
namespace {

// The recurrent product: it starts from the result of the input product and computes the next state, or m.
template <class T, class Cell>
struct RecurrentStep {
    using scalar = T;
    static constexpr int gates = early<Cell>;

    Blocked<T> slots;  // the rows of this step: the input product is read, and the slots and c are written if saved
    Index slots_block;
    bool save;
    Blocked<T> h, h_next, c;  // (H / V, B) the state before and after the step, or m; c is replaced in place
    const T* bias;            // of the gates with separate sides
    T* y;
    const Index* place;  // the places of the rows of this step
    Index hidden, y_row;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            const Index unit = block + j / gates;
            const bool apart = j % gates >= gates - Cell::apart;
            const T* from = slots.at(unit * slots_block + j % gates, row);
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                sum[i][j] = load(apart ? bias + (unit * gates + j % gates) * lanes<T> : from + i * lanes<T>);
        }
        if (Cell::slots && save)  // the slots that the input product has not written
            OSTINATO_UNROLL
            for (int n = 0; n < NV / gates; ++n)
                OSTINATO_UNROLL
                for (int s = Cell::gates; s < kept<Cell>; ++s)
                    fetch_vectors_to_write<MR>(slots.at((block + n) * slots_block + s, row));
        if constexpr (!two_products<Cell>)
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                fetch_vectors_to_write<NV / gates>(y + place[row + i] * y_row + block * lanes<T>);
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        Vec<T> held[NV][MR];
        put_down<T>(held, sum);
        OSTINATO_ROLLED
        for (int n = 0; n < NV / gates; ++n) {
            const Index unit = block + n, valid = hidden - unit * lanes<T>;
            OSTINATO_ROLLED
            for (int i = 0; i < MR; ++i) {
                T* slot = slots.at(unit * slots_block, row + i);
                Given<T, gates> in;
                After<T, Cell::slots> out;
                OSTINATO_UNROLL
                for (int g = 0; g < gates; ++g) in.sum[g] = held[n * gates + g][i];
                OSTINATO_UNROLL
                for (int g = gates - Cell::apart; g < gates; ++g) in.x[g] = load(slot + g * slots.stride);
                if constexpr (!Cell::projects) in.h = load(h.at(unit, row + i));
                if constexpr (Cell::states == 2) in.c = load(c.at(unit, row + i));
                Cell::template forward<T>(in, out);
                if (Cell::late || (Cell::slots && save)) {
                    OSTINATO_UNROLL
                    for (int s = 0; s < Cell::slots - Cell::late; ++s) store(slot + s * slots.stride, out.slot[s]);
                    if constexpr (Cell::states == 2) store(slot + Cell::slots * slots.stride, out.c);
                }
                if constexpr (Cell::states == 2) store(c.at(unit, row + i), out.c);
                store(h_next.at(unit, row + i), out.h);
                if constexpr (!two_products<Cell>)
                    store_part(y + place[row + i] * y_row + unit * lanes<T>, out.h, valid);
            }
        }
    }
};

template <class T, class Cell>
struct ForwardSpace {
    Blocked<T> x;      // (D / V, chunk) the inputs of the chunk
    Blocked<T> slots;  // (G H / V, chunk) the input product of the chunk, if nothing is saved
    Blocked<T> h[2];   // (P / V, B) the states before and after a step, which swap after each step
    Blocked<T> c;      // (H / V, B)
    Blocked<T> m;      // (H / V, B) the input of the second product; cells with two products only

    ForwardSpace(Arena& arena, const Shape& s, const Part& p, const Chunks& chunks, bool save) {
        const Index units = blocks_of<T>(s.hidden);
        x = arena.blocked<T>(blocks_of<T>(s.inputs), chunks.capacity);
        if (!save || !Cell::slots) slots = arena.blocked<T>(units * Cell::gates, chunks.capacity);
        for (auto& state : h) state = arena.blocked<T>(blocks_of<T>(s.outputs), p.rows);
        if (Cell::states == 2) c = arena.blocked<T>(units, p.rows);
        if (two_products<Cell>) m = arena.blocked<T>(units, p.rows);
    }
};

template <class T, class Cell>
Index saved_count(const Shape& s, Index places) {
    return blocks_of<T>(s.hidden) * kept<Cell> * Blocked<T>::stride_of(places);
}

template <class T, class Cell>
std::size_t forward_bytes(const Shape& s, const Part& p, bool save) {
    Arena arena{nullptr};
    ForwardSpace<T, Cell>(arena, s, p, Chunks(p), save);
    return arena.used;
}

template <class T, class Cell>
void forward(const Shape& s, const Part& p, const Forward<T>& io, const void* panels, void* scratch, const Team& team) {
    static_assert(has_input_product(Cell::gates), "products.h compiles no input product of so many gates: add it there");
    Arena packed{static_cast<char*>(const_cast<void*>(panels))}, arena{static_cast<char*>(scratch)};
    const ForwardPanels<T, Cell> w(packed, s);
    const Chunks chunks(p);
    const bool save = Cell::slots && io.saved;
    ForwardSpace<T, Cell> space(arena, s, p, chunks, save);
    const Index slots_block = save ? kept<Cell> : Cell::gates;
    const PanelGroups<T, Cell> groups(s);
    const Team steppers = steppers_of(team);
    const Range of_units = groups.early_gates.share(steppers), of_outputs = groups.outputs.share(steppers);
    const Blocked<T> saved{io.saved, Blocked<T>::stride_of(p.start[p.steps])};

    for (Index b = 0; !team.rank && b < p.rows; ++b) {
        pack_row(space.h[0], b, io.h0 + p.order[b] * s.outputs, s.outputs);
        if constexpr (Cell::states == 2) pack_row(space.c, b, io.c0 + p.order[b] * s.hidden, s.hidden);
    }
    const bool steps = !team.rank || team.together;  // whether this member takes part in the steps
    int now = 0;
    const auto leave = [&](Index begin, Index end) {  // writes the last states of these rows
        for (Index b = begin; !team.rank && b < end; ++b) {
            unpack_row(io.h_n + p.order[b] * s.outputs, space.h[now], b, s.outputs);
            if constexpr (Cell::states == 2) unpack_row(io.c_n + p.order[b] * s.hidden, space.c, b, s.hidden);
        }
    };
    leave(p.steps ? p.active[0] : 0, p.rows);

    for (Index t0 = 0, t1; t0 < p.steps; t0 = t1) {
        t1 = chunks.end(p, t0);
        const Index base = p.start[t0], places = p.start[t1] - base;
        const Range mine = share(team, places);
        for (Index n = mine.begin; n < mine.end; ++n)
            pack_row(space.x, n, io.x + p.place[base + n] * s.inputs, s.inputs);
        const Blocked<T> slots = save ? saved.from(0, base) : space.slots;
        const InputStep<T, Cell::gates> input{slots, slots_block, w.bias_x};
        if (team.together) {
            meet(team);
            input_product(input, left_of(space.x, s.inputs), w.ih, s.inputs, 0, places, groups.all_gates,
                          groups.all_gates.share(team));
        } else {
            input_product(input, left_of(space.x, s.inputs), w.ih, s.inputs, mine.begin, mine.end, groups.all_gates,
                          groups.all_gates.all());
        }
        meet(team);
        for (Index t = t0; steps && t < t1; ++t) {
            const Index at = p.start[t] - base;
            const Blocked<T> h = space.h[now], h_next = space.h[1 - now];
            const Index* place = p.place + p.start[t];
            const RecurrentStep<T, Cell> step{slots.from(0, at), slots_block, save, h,
                                              two_products<Cell> ? space.m : h_next, space.c, w.bias_h, io.y, place,
                                              s.hidden, s.row};
            product(step, left_of(h, s.outputs), w.hh, s.outputs, 0, p.active[t], groups.early_gates, of_units,
                    order_of(t));
            meet(steppers);
            if constexpr (two_products<Cell>) {
                const SecondStep<T, Cell> second{slots.from(0, at), slots_block, save, h, h_next, io.y, place,
                                                 s.outputs, s.row};
                product(second, left_of(space.m, s.hidden), w.second, s.hidden, 0, p.active[t], groups.outputs,
                        of_outputs);
                meet(steppers);
            }
            now = 1 - now;
            leave(t + 1 < p.steps ? p.active[t + 1] : 0, p.active[t]);
        }
        if (!save) meet(team);  // the next input product overwrites the slots that the steps read
    }
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
