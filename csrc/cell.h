// The interface of a cell to the time loops: its elementwise forward and backward functions on one vector of units.
//
//     gates    The number of gates, G.
//     apart    The number of gates, the last ones, that keep the product and the bias of the two sides separate.
//     slots    The number of vectors that a step saves for backward: 0, or at least G.
//     recalls  Whether backward also reads h after the step, which is in y.
//     states   The number of tensors in the state: 1 (h) or 2 (h, c).
//     direct   Whether a part of dh reaches the step before without W_hh.
//     forward(Given, After) and backward(Seen, Sent)
//
// Most cells need one product per step, W_hh h (OneProduct). In the others forward computes m instead of h, and a
// second product in the same step takes m (second.h):
//     projects  Whether h' = W_hr m. h is then narrower than m.
//     late      The number of gates, 0 or 1, whose rows of W_hh take m instead of h; it is the last gate. The cell then
//               has finish(Given, After), which computes h' from the sum of this product and the slots that forward
//               saved, and owed(Seen), which computes the gradient of this sum. `gates` counts the late gate; Given,
//               Sent and the slots of forward do not include it.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T, int G>
struct Given {
    Vec<T> sum[G];  // W_ih x + b_ih + W_hh h + b_hh; only W_hh h + b_hh for a gate with separate sides
    Vec<T> x[G];    // W_ih x + b_ih for a gate with separate sides; not set for the others
    Vec<T> h, c;    // the state before the step
};

template <class T, int S>
struct After {
    Vec<T> slot[S ? S : 1];
    Vec<T> h, c;  // h is m after forward of a cell with two products
};

template <class T, int S>
struct Seen {
    Vec<T> slot[S ? S : 1];  // as forward saved them
    Vec<T> h, c;             // the state before the step
    Vec<T> after;            // h after the step, if the cell recalls it
    Vec<T> dh, dc;           // gradients of the state after the step; dh is that of m if the cell projects
    Vec<T> dm;               // the gradient of m, if a gate is late
};

template <class T, int G>
struct Sent {
    Vec<T> sum[G];  // gradients of Given::sum
    Vec<T> x[G];    // gradients of Given::x, for gates with separate sides
    Vec<T> dh, dc;  // gradients of the state before the step, without the part that passes W_hh
    Vec<T> m;       // m as forward computed it, for a cell with two products
};

struct OneProduct {
    static constexpr bool projects = false;
    static constexpr int late = 0;
};

template <class Cell>
struct Projected : Cell {
    static_assert(!Cell::late && !Cell::apart && !Cell::direct && !Cell::recalls);
    static constexpr bool projects = true;
};

template <class Cell>
inline constexpr bool two_products = Cell::projects || Cell::late > 0;
template <class Cell>
inline constexpr int early = Cell::gates - Cell::late;  // E, the number of gates in the first product

}  // namespace
}  // namespace ostinato::OSTINATO_SET
