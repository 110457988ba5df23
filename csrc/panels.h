// The weights as the kernels read them: packed once a call, shared by all threads.
#pragma once

#include "cells.h"
#include "engine.h"
#include "gemm.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T, class Cell>
struct ForwardPanels {
    T* ih;      // D steps of G H columns, gates of a unit together: the input product
    T* hh;      // P steps of E H columns, the same way: the recurrent product
    T* bias_x;  // (G H, blocked) what the input product starts from: b_ih, and b_hh where the gate's sides are joined
    T* bias_h;  // (G H, blocked) what the recurrent product of a gate kept apart starts from: b_hh
    T* second;  // H steps of H or P columns, cells of two products only: W_hr, or the late gate's rows of W_hh

    ForwardPanels(Arena& arena, const Shape& s) {
        const Index width = blocks_of<T>(s.hidden) * lanes<T>, units = width * Cell::gates;
        ih = arena.take<T>(s.inputs * units);
        hh = arena.take<T>(s.outputs * width * early<Cell>);
        bias_x = arena.take<T>(units);
        bias_h = arena.take<T>(units);
        if (two_products<Cell>) second = arena.take<T>(s.hidden * blocks_of<T>(s.outputs) * lanes<T>);
    }
};

template <class T, class Cell>
struct BackwardPanels {
    T* ih;      // G H steps (units in blocks, gates within) of D columns: the product that gives dx
    T* hh;      // E H steps of P columns: the product that gives dh
    T* second;  // H or P steps of H columns, cells of two products only: the product that gives dm

    BackwardPanels(Arena& arena, const Shape& s) {
        ih = arena.take<T>(Cell::gates * s.hidden * blocks_of<T>(s.inputs) * lanes<T>);
        hh = arena.take<T>(early<Cell> * s.hidden * blocks_of<T>(s.outputs) * lanes<T>);
        if (two_products<Cell>) second = arena.take<T>(s.outputs * blocks_of<T>(s.hidden) * lanes<T>);
    }
};

template <class T, class Cell>
std::size_t panels_bytes(const Shape& s, bool backward) {
    Arena arena{nullptr};
    if (backward)
        BackwardPanels<T, Cell>(arena, s);
    else
        ForwardPanels<T, Cell>(arena, s);
    return arena.used;
}

template <class T, class Cell>
void pack_bias(T* to, const T* one, const T* other, Index hidden, int from_gate, int to_gate) {
    constexpr Index V = lanes<T>;
    for (Index unit = 0; unit < blocks_of<T>(hidden) * V; ++unit)
        for (int g = from_gate; g < to_gate; ++g) {
            const bool real = unit < hidden;
            const T sum = (real && one ? one[g * hidden + unit] : T(0)) + (real && other ? other[g * hidden + unit] : T(0));
            to[(unit / V * Cell::gates + g) * V + unit % V] = sum;
        }
}

template <class T, class Cell>
void pack(const Shape& s, const Weights<T>& w, bool backward, void* memory) {
    Arena arena{static_cast<char*>(memory)};
    constexpr int G = Cell::gates, E = early<Cell>, joined = G - Cell::apart;
    const T* second = Cell::projects ? w.hr : w.hh + E * s.hidden * s.hidden;  // where there is one
    if (backward) {
        const BackwardPanels<T, Cell> to(arena, s);
        pack_units(to.ih, w.ih, G, s.hidden, s.inputs);
        pack_units(to.hh, w.hh, E, s.hidden, s.outputs);
        if (two_products<Cell>) pack_units(to.second, second, 1, s.outputs, s.hidden);
        return;
    }
    const ForwardPanels<T, Cell> to(arena, s);
    pack_gates(to.ih, w.ih, G, s.hidden, s.inputs);
    pack_gates(to.hh, w.hh, E, s.hidden, s.outputs);
    if (two_products<Cell>) pack_gates(to.second, second, 1, s.outputs, s.hidden);
    pack_bias<T, Cell>(to.bias_x, w.b_ih, w.b_hh, s.hidden, 0, joined);
    pack_bias<T, Cell>(to.bias_x, w.b_ih, nullptr, s.hidden, joined, G);
    pack_bias<T, Cell>(to.bias_h, nullptr, w.b_hh, s.hidden, joined, G);
}

// Time goes in chunks of whole steps: what a chunk holds is used while it is in the cache, and the weights' sums, which
// are larger where H is large, are gone through once for so many places.
struct Chunks {
    Index capacity;  // places of the largest chunk there can be

    explicit Chunks(const Part& p) : capacity(larger(1, smaller(larger(p.chunk, p.rows), p.start[p.steps]))) {}

    // The end of the chunk that starts with step t, and the start of the one that ends before step t.
    Index end(const Part& p, Index t) const {
        Index e = t + 1;
        while (e < p.steps && p.start[e + 1] - p.start[t] <= p.chunk) ++e;
        return e;
    }
    Index begin(const Part& p, Index t) const {
        Index b = t - 1;
        while (b > 0 && p.start[t] - p.start[b - 1] <= p.chunk) --b;
        return b;
    }
};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
