// The weights in the layout that the kernels read. They are packed once per call and shared by all threads.
#pragma once

#include "cell.h"
#include "engine.h"
#include "gemm.h"
#include "narrow.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T, class Cell>
struct ForwardPanels {
    T* ih;      // D steps of G H columns, the gates of a unit together: for the input product
    T* hh;      // P steps of E H columns, in the same order: for the recurrent product
    T* bias_x;  // (G H, blocked) the start of the input product: b_ih, plus b_hh unless the gate has separate sides
    T* bias_h;  // (G H, blocked) the start of the recurrent product of a gate with separate sides: b_hh
    T* second;  // H steps of H or P columns: W_hr, or the late gate's rows of W_hh; cells with two products only

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
    T* ih;      // G H steps (blocks of units, then gates) of D columns: for the product that computes dx; see narrow.h for few
    T* hh;      // E H steps of P columns: for the product that computes dh
    T* second;  // H or P steps of H columns: for the product that computes dm; cells with two products only

    BackwardPanels(Arena& arena, const Shape& s) {
        ih = arena.take<T>(narrow<T>(s.inputs) ? narrow_count<T>(Cell::gates, s.hidden, s.inputs)
                                               : Cell::gates * s.hidden * blocks_of<T>(s.inputs) * lanes<T>);
        hh = arena.take<T>(early<Cell> * s.hidden * blocks_of<T>(s.outputs) * lanes<T>);
        if (two_products<Cell>) second = arena.take<T>(s.outputs * blocks_of<T>(s.hidden) * lanes<T>);
    }
};

// The groups of the columns of each panel.
template <class T, class Cell>
struct PanelGroups {
    Groups all_gates, early_gates;   // of units: forward, W_ih and W_hh
    Groups units, outputs, inputs;  // backward; units and outputs are also those of the second product

    explicit PanelGroups(const Shape& s)
        : all_gates(blocks_of<T>(s.hidden), Cell::gates, s.split),
          early_gates(blocks_of<T>(s.hidden), early<Cell>, s.split),
          units(blocks_of<T>(s.hidden), 1, s.split),
          outputs(blocks_of<T>(s.outputs), 1, s.split),
          inputs(blocks_of<T>(s.inputs), 1, 1) {}
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
void pack(const Shape& s, const Weights<T>& w, bool backward, void* memory, const Team& team) {
    Arena arena{static_cast<char*>(memory)};
    constexpr int G = Cell::gates, E = early<Cell>, joined = G - Cell::apart;
    const PanelGroups<T, Cell> groups(s);
    const Range of_outputs = groups.outputs.share(team);
    const T* second = Cell::projects ? w.hr : w.hh + E * s.hidden * s.hidden;  // only read by cells with two products
    if (backward) {
        const BackwardPanels<T, Cell> to(arena, s);
        if (narrow<T>(s.inputs))
            pack_narrow(to.ih, w.ih, G, s.hidden, s.inputs, share(team, blocks_of<T>(s.hidden)));
        else
            pack_units(to.ih, w.ih, G, s.hidden, s.inputs, groups.inputs, groups.inputs.share(team));
        pack_units(to.hh, w.hh, E, s.hidden, s.outputs, groups.outputs, of_outputs);
        if (two_products<Cell>)
            pack_units(to.second, second, 1, s.outputs, s.hidden, groups.units, groups.units.share(team));
        return;
    }
    const ForwardPanels<T, Cell> to(arena, s);
    pack_gates(to.ih, w.ih, G, s.hidden, s.inputs, groups.all_gates, groups.all_gates.share(team));
    pack_gates(to.hh, w.hh, E, s.hidden, s.outputs, groups.early_gates, groups.early_gates.share(team));
    if (two_products<Cell>) pack_gates(to.second, second, 1, s.outputs, s.hidden, groups.outputs, of_outputs);
    if (team.rank) return;
    pack_bias<T, Cell>(to.bias_x, w.b_ih, w.b_hh, s.hidden, 0, joined);
    pack_bias<T, Cell>(to.bias_x, w.b_ih, nullptr, s.hidden, joined, G);
    pack_bias<T, Cell>(to.bias_h, nullptr, w.b_hh, s.hidden, joined, G);
}

// The steps are processed in chunks. The rows of a chunk are used while they are in the cache. The sums of the weight
// gradients, which are large if H is large, are updated once per chunk.
struct Chunks {
    Index capacity;  // the number of places of the largest possible chunk

    explicit Chunks(const Part& p) : capacity(larger(1, smaller(larger(p.chunk, p.rows), p.start[p.steps]))) {}

    // end returns the end of the chunk that starts with step t; begin, the start of the chunk that ends before step t.
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
