// The data types that the portable part of the engine shares with the kernels of each instruction set. No code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ostinato {

using Index = std::int64_t;

struct Shape {
    Index inputs;   // D
    Index hidden;   // H
    Index outputs;  // P, the width of h: H unless the cell projects
    Index row;      // the numbers from one row of y to the next: P, or 2 P where the outputs of two directions alternate
    int split = 1;  // the threads that share the columns of a step: panels have groups that are small enough for them
};

// The rows (sequences) of one thread, the longest first, so that the rows that have a step t are the first active[t].
// A step of a row is a "place": one row of x, of y and of their gradients. start counts the places before each step.
struct Part {
    Index rows;           // B
    Index steps;          // T, of the longest row
    const Index* active;  // (T) the number of rows that have a step t, falling
    const Index* start;   // (T + 1) the sum of active before t
    const Index* place;   // (start[T]) the row of x and y, step by step
    const Index* order;   // (B) the row of the states
    Index chunk;          // the approximate number of places in a chunk
};

// The threads that work on one part together. They share the large products and, if they step together, the columns of
// every step; otherwise rank 0 alone runs the steps. A single thread is a team of one.
struct Meeting;
struct Team {
    int rank, size;
    bool together;     // whether the team shares the steps
    Meeting* meeting;  // where they wait for each other; null for a team of one
};
void meet(Meeting&, int members) noexcept;  // returns when all members have called it

// The weights in the form of torch: the gates stacked, row-major. A bias may be null.
template <class T>
struct Weights {
    const T* ih;    // (G H, D)
    const T* hh;    // (G H, P)
    const T* b_ih;  // (G H)
    const T* b_hh;  // (G H)
    const T* hr;    // (P, H), only for cells that project
};

template <class T>
struct Forward {
    const T* x;   // (places, D)
    const T* h0;  // (B, P)
    const T* c0;  // (B, H), only for cells of two states
    T* y;         // (places, P) written: h after every step
    T* h_n;       // (B, P) written: h after the last step of each row
    T* c_n;       // (B, H) written, only for cells of two states
    T* saved;     // (saved_count) written: the numbers that backward reads; null to save nothing
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
    T* dx;           // (places, D) written, or null if not needed
    T* dh0;          // (B, P) written, or null if not needed
    T* dc0;          // (B, H) written, only for cells of two states, or null if not needed
    bool weights;    // whether the gradients of the weights are needed
};

template <class T>
struct WeightGradients {
    T* ih;    // (G H, D) written
    T* hh;    // (G H, P) written
    T* b_ih;  // (G H) written, or null
    T* b_hh;  // (G H) written, or null
    T* hr;    // (P, H) written, only for cells that project
};

// One cell, compiled for one number type and one instruction set. The caller owns all buffers. Sizes are in bytes;
// counts are in numbers.
template <class T>
struct Kernel {
    int gates;      // G
    int states;     // 1 (h) or 2 (h, c)
    bool projects;  // whether h = W_hr m
    int tile;       // the rows of a register tile of the recurrent product

    std::size_t (*panels_bytes)(const Shape&, bool backward);
    void (*pack)(const Shape&, const Weights<T>&, bool backward, void* panels, const Team&);  // packs a member's share

    Index (*saved_count)(const Shape&, Index places);
    std::size_t (*forward_bytes)(const Shape&, const Part&, bool save);
    void (*forward)(const Shape&, const Part&, const Forward<T>&, const void* panels, void* scratch, const Team&);

    // The scratch buffer holds the part's share of the weight gradients. collect adds up those of all parts, in the
    // first buffer and in their order, and writes the sums to the gradients: a member's share of them.
    std::size_t (*backward_bytes)(const Shape&, const Part&);
    void (*backward)(const Shape&, const Part&, const Backward<T>&, const void* panels, void* scratch, const Team&);
    void (*collect)(const Shape&, void* const* scratch, int parts, const WeightGradients<T>&, const Team&);
};

// The diagonal linear recurrence h' = a h + u on rows of W numbers. A complex number counts as two: W is then 2 H.
template <class T>
struct LinearForward {
    const T* a;   // (W)
    const T* u;   // (places, W)
    const T* h0;  // (B, W)
    T* y;         // (places, W) written: h after every step
    T* h_n;       // (B, W) written: h after the last step of each row
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
    std::size_t (*bytes)(Index width);  // the size of scratch
    void (*forward[2])(Index width, const Part&, const LinearForward<T>&, void* scratch);  // for real, complex numbers
    void (*backward[2])(Index width, const Part&, const LinearBackward<T>&, void* scratch);  // writes da (W) to scratch
};

// One cell, compiled for one instruction set.
struct Cell {
    const char* name;
    Kernel<float> float32;
    Kernel<double> float64;
};

// Exponential smoothing models of one form (see smoothing.h), one a row. Series are rows of y, and several rows can be
// models of the same series.
struct Smoothing {
    Index rows;            // B
    Index steps;           // T, the width of y
    Index period;          // m, the number of seasons of the state; 0 without a season
    const double* y;       // (S, T) NaN if missing
    const Index* series;   // (B) the series of each row
    const Index* lengths;  // (B) the steps of each row, 0 to T
    const double* floor;   // (B) what is added to the mean of the squared errors
    const double* theta;   // (B, 6 + m) alpha, beta, gamma, phi, level, trend, the season of the first step, the second ...
    double* sums;          // (B, 4) written: squared errors (infinite if mu <= 0 and the error is relative), observed values,
                           // mantissa and exponent of the product of mu (1 and 0 unless the error is relative)
    double* gradient;      // (B, 6 + m) written: of the log-likelihood; or null
    double* mean;          // (B, T) written: mu, up to the longest row of a vector; or null
    double* last;          // (B, 2 + m) written: level, trend, seasons after the last step, as in theta; or null
};

struct SmoothingKernel {
    Index lanes;  // rows are fastest in groups of so many
    std::size_t (*bytes)(const Smoothing&);                                                  // the size of scratch
    void (*run[2][3])(const Smoothing&, Index begin, Index end, void* scratch);  // error A, M; season N, A, M
};

// The cells of one instruction set.
struct Kernels {
    const char* set;
    int vector_bytes;
    int count;
    const Cell* const* cells;
    Linear<float> linear32;
    Linear<double> linear64;
    SmoothingKernel smoothing;
    double (*peak)(Index loops);  // see peak.h
};

}  // namespace ostinato
