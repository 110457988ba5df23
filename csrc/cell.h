// What a cell is to the time loops: its elementwise forward and backward, on one vector of units.
//
//     gates    G: products a unit takes
//     apart    how many of them, the last, keep the hidden side's product and bias apart from the input side's
//     slots    vectors a step leaves for backward: none, or at least G
//     recalls  whether backward reads h after the step too (it is in y)
//     states   1 (h) or 2 (h, c)
//     direct   whether dh reaches the step before past the product too
//     forward(Given, After), backward(Seen, Sent)
//
// Most cells take one product a step, W_hh h (OneProduct). In the others forward gives not h but m, which goes through a
// second product in the same step (second.h):
//     projects  h' = W_hr m; h is narrower than m
//     late      how many gates, the last (one), take their rows of W_hh with m in place of h; the cell then has
//               finish(Given, After) from this product's sum to h', with the slots that forward left, and
//               owed(Seen) the gradient of this sum. `gates` counts them, Given, Sent and forward's slots leave them out.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T, int G>
struct Given {
    Vec<T> sum[G];  // W_ih x + b_ih + W_hh h + b_hh; of a gate kept apart only W_hh h + b_hh
    Vec<T> x[G];    // of a gate kept apart W_ih x + b_ih; of the others nothing
    Vec<T> h, c;    // the state before the step
};

template <class T, int S>
struct After {
    Vec<T> slot[S ? S : 1];
    Vec<T> h, c;  // h: or m, from forward of a cell of two products
};

template <class T, int S>
struct Seen {
    Vec<T> slot[S ? S : 1];  // as forward left them
    Vec<T> h, c;             // the state before the step
    Vec<T> after;            // h after the step, where the cell recalls it
    Vec<T> dh, dc;           // gradients of the state after the step; dh of m where the cell projects
    Vec<T> dm;               // of m, where a gate is late
};

template <class T, int G>
struct Sent {
    Vec<T> sum[G];  // gradients of Given::sum
    Vec<T> x[G];    // gradients of Given::x, of gates kept apart
    Vec<T> dh, dc;  // gradients of the state before the step, without what goes through W_hh
    Vec<T> m;       // as forward gave it, from a cell of two products
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
inline constexpr int early = Cell::gates - Cell::late;  // E: gates that take the first product

}  // namespace
}  // namespace ostinato::OSTINATO_SET
