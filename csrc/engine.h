// What the plain part of the engine and the kernels of each instruction set share: plain data, no code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ostinato {

using Index = std::int64_t;

struct Shape {
    Index inputs;   // D
    Index hidden;   // H
    Index outputs;  // P, the width of h: H, but where the cell projects
};

// The rows (sequences) of one thread, longest first, so that those with a step t are the first active[t].
// A row's step is a "place": one row of x, y and their gradients. start counts the places before each step.
struct Part {
    Index rows;           // B
    Index steps;          // T: the longest row's
    const Index* active;  // (T) rows that have a step t, falling
    const Index* start;   // (T + 1) sum of active before t
    const Index* place;   // (start[T]) which row of x and y, step by step
    const Index* order;   // (B) which row of the states
    Index chunk;          // about how many places are worked on at a time
};

// Threads that work on one part together: on shares of the large products, while the steps are rank 0's. A single thread
// is a team of one.
struct Meeting;
struct Team {
    int rank, size;
    Meeting* meeting;  // where they wait for each other; of a team of one: null
};
void meet(Meeting&, int members) noexcept;  // returns when all have come

// Weights in torch's form: gates stacked, row-major; a bias may be null.
template <class T>
struct Weights {
    const T* ih;    // (G H, D)
    const T* hh;    // (G H, P)
    const T* b_ih;  // (G H)
    const T* b_hh;  // (G H)
    const T* hr;    // (P, H), cells that project only
};

template <class T>
struct Forward {
    const T* x;   // (places, D)
    const T* h0;  // (B, P)
    const T* c0;  // (B, H), cells of two states only
    T* y;         // (places, P) written: h of every step
    T* h_n;       // (B, P) written: h after each row's last step
    T* c_n;       // (B, H) written, cells of two states only
    T* saved;     // the part's `saved_count` numbers, written: what survives to backward; null where nothing need
};

template <class T>
struct Backward {
    const T* x;      // as in Forward
    const T* h0;     // as in Forward
    const T* c0;     // as in Forward
    const T* y;      // as written by Forward
    const T* saved;  // as written by Forward
    const T* dy;     // (places, P) or null for zero
    const T* dh_n;   // (B, P) or null for zero
    const T* dc_n;   // (B, H) or null for zero
    T* dx;           // (places, D) written, or null where nobody asks
    T* dh0;          // (B, P) written, or null where nobody asks
    T* dc0;          // (B, H) written, cells of two states only, or null
    bool weights;    // whether the weights' gradients are asked for
};

template <class T>
struct WeightGradients {
    T* ih;    // (G H, D) written
    T* hh;    // (G H, P) written
    T* b_ih;  // (G H) written, or null
    T* b_hh;  // (G H) written, or null
    T* hr;    // (P, H) written, cells that project only
};

// One cell, compiled for one scalar and one instruction set. All memory is the caller's; sizes are in bytes, or in
// numbers where they are called counts.
template <class T>
struct Kernel {
    const char* name;
    int gates;      // G
    int states;     // 1 (h) or 2 (h, c)
    bool projects;  // whether h = W_hr m

    std::size_t (*panels_bytes)(const Shape&, bool backward);
    void (*pack)(const Shape&, const Weights<T>&, bool backward, void* panels);

    Index (*saved_count)(const Shape&, Index places);
    std::size_t (*forward_bytes)(const Shape&, const Part&, bool save);
    void (*forward)(const Shape&, const Part&, const Forward<T>&, const void* panels, void* scratch, const Team&);

    // The scratch holds the part's share of the weights' gradients; add puts another part's to it, collect gives it out.
    std::size_t (*backward_bytes)(const Shape&, const Part&);
    void (*backward)(const Shape&, const Part&, const Backward<T>&, const void* panels, void* scratch, const Team&);
    void (*add)(const Shape&, void* scratch, const void* other);
    void (*collect)(const Shape&, const void* scratch, const WeightGradients<T>&);
};

// The diagonal linear recurrence h' = a h + u. A row of complex numbers is one of twice as many, W, in pairs.
template <class T>
struct LinearForward {
    const T* a;   // (W)
    const T* u;   // (places, W)
    const T* h0;  // (B, W)
    T* y;         // (places, W) written: h of every step
    T* h_n;       // (B, W) written: h after each row's last step
};

template <class T>
struct LinearBackward {
    const T* a;     // as in LinearForward
    const T* h0;    // as in LinearForward
    const T* y;     // as written by LinearForward
    const T* dy;    // (places, W) or null for zero
    const T* dh_n;  // (B, W) or null for zero
    T* du;          // (places, W) written
    T* dh0;         // (B, W) written
};

template <class T>
struct Linear {
    std::size_t (*bytes)(Index width);  // of scratch
    void (*forward[2])(Index width, const Part&, const LinearForward<T>&, void* scratch);  // of real, of complex numbers
    void (*backward[2])(Index width, const Part&, const LinearBackward<T>&, void* scratch);  // leaves da (W) in scratch
};

// All cells of one instruction set.
struct Kernels {
    const char* set;
    int vector_bytes;
    int count;
    const Kernel<float>* float32;
    const Kernel<double>* float64;
    Linear<float> linear32;
    Linear<double> linear64;
    double (*peak)(Index loops);  // see peak.h
};

}  // namespace ostinato
