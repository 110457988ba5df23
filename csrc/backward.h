// The backward time loop. The product d_{t+1} W_hh is finished by the gate gradients of step t. The gradients of the
// weights and of x are computed chunk by chunk, while the rows that they read are in the cache.
#pragma once

#include "forward.h"

namespace ostinato::OSTINATO_SET {
namespace {

// Computes the gradients of the sums of step t and of the state before it from the gradient of the state after it.
template <class T, class Cell>
struct GradientStep {
    using scalar = T;
    static constexpr int gates = 1;

    Blocked<T> slots;         // the saved rows of this step
    Blocked<T> h, c;          // the state before the step, for the rows of this step
    Blocked<T> carry, dc;     // (P / V, B), (H / V, B) dh that bypasses W_hh, dc of the state after; replaced in place
    bool carried;             // whether carry holds values for these rows
    Blocked<T> d_sum, d_x;    // written, the rows of this step: gradients of the sums of the two sides
    Blocked<T> m;             // written, the rows of this step: the input of the second product, if there is one
    const T* y;
    const T* dy;  // may be null
    const Index* place;
    Index hidden, y_row;

    template <int MR, int NV>
    OSTINATO_INLINE void start(Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        start_from(sum, carry, carried, row, block);
        OSTINATO_UNROLL
        for (int j = 0; j < NV; ++j) {
            if constexpr (!Cell::late)  // SecondGradient has read them
                OSTINATO_UNROLL
                for (int s = 0; s < Cell::slots; ++s) fetch_vectors<MR>(slots.at((block + j) * kept<Cell> + s, row));
            if constexpr (Cell::states == 2) fetch_vectors<MR>(c.at((block + j) * kept<Cell>, row));
        }
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) {
            const Index at = place[row + i] * y_row + block * lanes<T>;
            if constexpr (Cell::recalls) fetch_vectors<NV>(y + at);
            if (!two_products<Cell> && dy) fetch_vectors<NV>(dy + at);
        }
    }
    template <int MR, int NV>
    OSTINATO_INLINE void finish(const Vec<T> (&sum)[MR][NV], Index row, Index block) const {
        constexpr int G = Cell::gates, E = early<Cell>;
        Vec<T> held[NV][MR];
        put_down<T>(held, sum);
        OSTINATO_ROLLED
        for (int j = 0; j < NV; ++j) {
            const Index unit = block + j, valid = hidden - unit * lanes<T>;
            OSTINATO_ROLLED
            for (int i = 0; i < MR; ++i) {
                const T* slot = slots.at(unit * kept<Cell>, row + i);
                Seen<T, Cell::slots> in;
                Sent<T, E> out;
                OSTINATO_UNROLL
                for (int s = 0; s < Cell::slots; ++s) in.slot[s] = load(slot + s * slots.stride);
                in.dh = held[j][i];
                if constexpr (Cell::late > 0) in.dh = load(carry.at(unit, row + i)), in.dm = held[j][i];
                if constexpr (Cell::recalls)
                    in.after = load_part(y + place[row + i] * y_row + unit * lanes<T>, valid);
                if (!two_products<Cell> && dy)
                    in.dh += load_part(dy + place[row + i] * y_row + unit * lanes<T>, valid);
                if constexpr (!Cell::projects) in.h = load(h.at(unit, row + i));
                if constexpr (Cell::states == 2) {
                    in.c = load(c.at(unit * kept<Cell>, row + i));
                    in.dc = load(dc.at(unit, row + i));
                }
                Cell::template backward<T>(in, out);
                T* to = d_sum.at(unit * E, row + i);
                OSTINATO_UNROLL
                for (int g = 0; g < E; ++g) store(to + g * d_sum.stride, out.sum[g]);
                if constexpr (Cell::apart || Cell::late) {
                    T* to_x = d_x.at(unit * G, row + i);
                    OSTINATO_UNROLL
                    for (int g = 0; g < E; ++g)
                        store(to_x + g * d_x.stride, g < G - Cell::apart ? out.sum[g] : out.x[g]);
                }
                if constexpr (Cell::direct) store(carry.at(unit, row + i), out.dh);
                if constexpr (Cell::states == 2) store(dc.at(unit, row + i), out.dc);
                if constexpr (two_products<Cell>) store(m.at(unit, row + i), out.m);
            }
        }
    }
};

// The share of one part in the gradients of the weights.
template <class T, class Cell>
struct Sums {
    Blocked<T> ih;      // (G H / V, D) for W_ih, transposed
    Blocked<T> hh;      // (E H / V, P) for W_hh, transposed
    Blocked<T> second;  // (P / V, H) for W_hr or the late gate's rows of W_hh, transposed; cells with two products only
    T* b_ih;            // (G H, blocked)
    T* b_hh;            // (G H, blocked)
    Index count;        // the count of numbers in all of them, which are contiguous

    Sums(Arena& arena, const Shape& s) {
        const Index blocks = blocks_of<T>(s.hidden) * Cell::gates;
        const std::size_t begin = arena.used;
        ih = arena.blocked<T>(blocks, s.inputs);
        hh = arena.blocked<T>(blocks_of<T>(s.hidden) * early<Cell>, s.outputs);
        if (two_products<Cell>) second = arena.blocked<T>(blocks_of<T>(s.outputs), s.hidden);
        b_ih = arena.take<T>(blocks * lanes<T>);
        b_hh = arena.take<T>(blocks * lanes<T>);
        count = static_cast<Index>((arena.used - begin) / sizeof(T));
    }
};

template <class T, class Cell>
struct BackwardSpace {
    Sums<T, Cell> sums;  // first, so that add and collect can find it without the part
    Blocked<T> d_sum;    // (E H / V, chunk + B) gradients of the hidden side's sums; the last rows: the next step's
    Blocked<T> d_x;      // (G H / V, chunk) of the input side's sums; d_sum itself if no gate separates the sides
    Blocked<T> d_second; // (P / V, chunk) of the second product, if the cell projects
    Blocked<T> m;        // (H / V, chunk) the input of the second product; cells with two products only
    Blocked<T> h;        // (P / V, chunk) the state before each step
    Blocked<T> x;        // (D / V, chunk)
    Blocked<T> carry;    // (P / V, B), see GradientStep
    Blocked<T> dc;       // (H / V, B)
    Blocked<T> c0;       // (kept H / V, B) c before the first step, at the position that c has in a saved step

    BackwardSpace(Arena& arena, const Shape& s, const Part& p, const Chunks& chunks) : sums(arena, s) {
        const Index units = blocks_of<T>(s.hidden), outputs = blocks_of<T>(s.outputs);
        d_sum = arena.blocked<T>(units * early<Cell>, chunks.capacity + p.rows);
        d_x = Cell::apart || Cell::late ? arena.blocked<T>(units * Cell::gates, chunks.capacity) : d_sum;
        if (Cell::projects) d_second = arena.blocked<T>(outputs, chunks.capacity);
        if (two_products<Cell>) m = arena.blocked<T>(units, chunks.capacity);
        h = arena.blocked<T>(outputs, chunks.capacity);
        x = arena.blocked<T>(blocks_of<T>(s.inputs), chunks.capacity);
        carry = arena.blocked<T>(outputs, p.rows);
        if (Cell::states == 2) {
            dc = arena.blocked<T>(units, p.rows);
            c0 = arena.blocked<T>(units * kept<Cell>, p.rows);
        }
    }
};

template <class T, class Cell>
std::size_t backward_bytes(const Shape& s, const Part& p) {
    Arena arena{nullptr};
    BackwardSpace<T, Cell>(arena, s, p, Chunks(p));
    return arena.used;
}

template <class T>
void pack_or_clear(const Blocked<T>& to, Index row, const T* from, Index columns) {
    if (from)
        pack_row(to, row, from, columns);
    else
        for (Index block = 0; block < blocks_of<T>(columns); ++block) store(to.at(block, row), Vec<T>{});
}

template <class T, class Cell>
void backward(const Shape& s, const Part& p, const Backward<T>& io, const void* panels, void* scratch, const Team& team) {
    constexpr int G = Cell::gates, E = early<Cell>;
    const Index H = s.hidden, D = s.inputs, P = s.outputs, units = blocks_of<T>(H), outputs = blocks_of<T>(P);
    Arena packed{static_cast<char*>(const_cast<void*>(panels))}, arena{static_cast<char*>(scratch)};
    const BackwardPanels<T, Cell> w(packed, s);
    const Chunks chunks(p);
    BackwardSpace<T, Cell> space(arena, s, p, chunks);
    const Blocked<T> saved{const_cast<T*>(io.saved), Blocked<T>::stride_of(p.start[p.steps])};
    // The gradients of the second product. For a late gate they are its blocks of d_x.
    const Blocked<T> d_second = Cell::late ? Blocked<T>{space.d_x.at(E, 0), G * space.d_x.stride} : space.d_second;
    const Left<T> nothing{};

    const PanelGroups<T, Cell> groups(s);
    const Team steppers = steppers_of(team);
    const Range of_outputs = groups.outputs.share(steppers), of_units = groups.units.share(steppers);

    const Range cleared = share(team, space.sums.count, lanes<T>);
    clear(space.sums.ih.first + cleared.begin, cleared.end - cleared.begin);
    for (Index b = 0; !team.rank && b < p.rows; ++b) {
        const Index row = p.order[b] * H;
        pack_or_clear(space.carry, b, io.dh_n ? io.dh_n + p.order[b] * P : nullptr, P);
        if constexpr (Cell::states == 2) {
            pack_or_clear(space.dc, b, io.dc_n ? io.dc_n + row : nullptr, H);
            for (Index unit = 0; unit < units; ++unit)
                store(space.c0.at(unit * kept<Cell>, b), load_part(io.c0 + row + unit * lanes<T>, H - unit * lanes<T>));
        }
    }

    // Brings what the steps and the products of a chunk read into its rows: a member's share.
    const auto gather = [&](Index t0, Index t1) {
        const Index base = p.start[t0], places = p.start[t1] - base;
        const Index after = t1 < p.steps ? p.active[t1] : 0;
        const Range blocks = share(team, units * E), mine = share(team, places);
        for (Index block = blocks.begin; block < blocks.end; ++block)
            std::memmove(space.d_sum.at(block, places), space.d_sum.at(block, 0), after * lanes<T> * sizeof(T));
        for (Index n = mine.begin, t = t0; n < mine.end; ++n) {
            while (p.start[t + 1] - base <= n) ++t;
            const Index i = n + base - p.start[t];
            pack_row(space.h, n, t ? io.y + p.place[p.start[t - 1] + i] * s.row : io.h0 + p.order[i] * P, P);
            if (io.weights) pack_row(space.x, n, io.x + p.place[base + n] * D, D);
        }
    };

    const auto steps = [&](Index t0, Index t1) {
        const Index base = p.start[t0];
        for (Index t = t1 - 1; t >= t0; --t) {
            const Index at = p.start[t] - base;
            const Index next = t + 1 < p.steps ? p.active[t + 1] : 0;
            const Blocked<T> c = t ? saved.from(Cell::slots, p.start[t - 1]) : space.c0;
            GradientStep<T, Cell> step{saved.from(0, p.start[t]), space.h.from(0, at), c,
                                       space.carry, space.dc, Cell::direct,
                                       space.d_sum.from(0, at), space.d_x.from(0, at),
                                       two_products<Cell> ? space.m.from(0, at) : space.m,
                                       io.y, io.dy, p.place + p.start[t], H, s.row};
            const auto arrive = [&](auto& epilogue) {
                const Left<T> d_next = left_of(space.d_sum.from(0, p.start[t + 1] - base), H, E);
                product(epilogue, d_next, w.hh, E * H, 0, next, groups.outputs, of_outputs, order_of(t));
                // The next rows have their last step here, so only the gradient of the last state arrives.
                epilogue.carried = true;
                product(epilogue, nothing, w.hh, E * H, next, p.active[t], groups.outputs, of_outputs);
            };
            if constexpr (two_products<Cell>) {
                const Blocked<T> d = d_second.from(0, at);
                SecondGradient<T, Cell> second{saved.from(0, p.start[t]), space.carry, Cell::direct, d, io.dy,
                                               p.place + p.start[t], P, s.row};
                arrive(second);
                meet(steppers);
                step.carried = false;
                product(step, left_of(d, P), w.second, P, 0, p.active[t], groups.units, of_units);
            } else {
                arrive(step);
            }
            meet(steppers);
        }
    };

    for (Index t1 = p.steps, t0; t1 > 0; t1 = t0) {
        t0 = chunks.begin(p, t1);
        const Index base = p.start[t0], places = p.start[t1] - base;
        gather(t0, t1);
        meet(team);
        if (!team.rank || team.together) steps(t0, t1);
        if (!team.together) meet(team);
        const Range rows = share(team, places);
        if (io.dx && narrow<T>(D))
            narrow_product(io.dx, p.place + base, space.d_x, w.ih, G, H, D, rows);
        else if (io.dx)
            product_to_rows(ToRows<T>{io.dx, p.place + base, D, {}}, left_of(space.d_x, H, G), w.ih, G * H, rows.begin,
                            rows.end, groups.inputs, groups.inputs.all());
        if (io.weights) {
            const Range of_x = share(team, units * G, outer_group), of_h = share(team, units * E, outer_group);
            outer(space.sums.ih, space.x, D, space.d_x, of_x, places);
            outer(space.sums.hh, space.h, P, space.d_sum, of_h, places);
            if (two_products<Cell>)
                outer(space.sums.second, space.m, H, d_second, share(team, outputs, outer_group), places);
            column_sums(space.sums.b_ih, space.d_x, of_x, places);
            if (Cell::apart) column_sums(space.sums.b_hh, space.d_sum, of_h, places);
        }
        meet(team);
    }

    if (io.dh0) {
        const Index first = p.steps ? p.active[0] : 0;
        const Blocked<T> plus = Cell::direct ? space.carry : Blocked<T>{};
        product_to_rows(ToRows<T>{io.dh0, p.order, P, plus}, left_of(space.d_sum, H, E), w.hh, E * H, 0, first,
                        groups.outputs, of_outputs);
        for (Index b = first; !team.rank && b < p.rows; ++b)
            unpack_row(io.dh0 + p.order[b] * P, space.carry, b, P);
    }
    if (Cell::states == 2 && io.dc0)
        for (Index b = 0; !team.rank && b < p.rows; ++b) unpack_row(io.dc0 + p.order[b] * H, space.dc, b, H);
}

template <class T, class Cell>
void collect(const Shape& s, void* const* scratch, int parts, const WeightGradients<T>& out, const Team& team) {
    const auto first = static_cast<T*>(scratch[0]);
    const auto twin = [&](int i, const T* from) { return static_cast<const T*>(scratch[i]) + (from - first); };
    Arena arena{static_cast<char*>(scratch[0])};
    const Sums<T, Cell> sums(arena, s);
    const Range units = share(team, blocks_of<T>(s.hidden));
    const auto write = [&](T* to, const Blocked<T>& from, int gates, Index hidden, Index depth, Range mine) {
        unpack_gates(to, from, parts, twin, gates, hidden, depth, mine);
    };
    write(out.ih, sums.ih, Cell::gates, s.hidden, s.inputs, units);
    write(out.hh, sums.hh, early<Cell>, s.hidden, s.outputs, units);
    if (two_products<Cell>) {
        T* second = Cell::projects ? out.hr : out.hh + early<Cell> * s.hidden * s.hidden;
        write(second, sums.second, 1, s.outputs, s.hidden, share(team, blocks_of<T>(s.outputs)));
    }
    const Blocked<T> b_ih{sums.b_ih, Blocked<T>::stride_of(1)}, b_hh{sums.b_hh, Blocked<T>::stride_of(1)};
    if (out.b_ih) write(out.b_ih, b_ih, Cell::gates, s.hidden, 1, units);
    if (out.b_hh && Cell::apart) write(out.b_hh, b_hh, Cell::gates, s.hidden, 1, units);
    // the sums of b_ih are those of both; if they are already added up, they are copied alone
    if (out.b_hh && !Cell::apart)
        unpack_gates(out.b_hh, b_ih, out.b_ih ? 1 : parts, twin, Cell::gates, s.hidden, 1, units);
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
