// The diagonal linear recurrence h' = a h + u, in one pass over the data forward and one pass backward. The state
// before a step is the row of y, or of du, that was written last, so it is still in the cache.
//
// A complex number is stored as its real part followed by its imaginary part. The product of two is
//     a h = straight h + crossed swap(h),  straight = (re a, re a),  crossed = (-im a, im a).
// With crossed negated this is the product with the conjugate of a. For a real a, straight is a.
#pragma once

#include "blocked.h"
#include "engine.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T>
struct LinearSpace {
    T* slope;      // (W) backward: the part's gradient of a; first, so that it can be found without the part
    T* straight;   // (W), see above; this buffer and the next ones have whole vectors
    T* crossed;    // (W), for complex numbers only
    T* sum[2];     // (W) backward: sums of d h and, for complex numbers, of d swap(h), with h the state before the step
    T* recent[2];  // (W) the same sums over the last steps only: a single sum over all steps would lose precision

    LinearSpace(Arena& arena, Index width) {
        const Index count = blocks_of<T>(width) * lanes<T>;
        T** const buffers[] = {&slope, &straight, &crossed, &sum[0], &sum[1], &recent[0], &recent[1]};
        for (T** buffer : buffers) *buffer = arena.take<T>(count);
    }
};

inline constexpr Index recent_steps = 256;

template <class T>
std::size_t linear_bytes(Index width) {
    Arena arena{nullptr};
    LinearSpace<T>(arena, width);
    return arena.used;
}

// Computes straight and crossed for a, or for its conjugate.
template <class T, bool complex>
void set_factor(const LinearSpace<T>& space, const T* a, Index width, bool conjugate) {
    for (Index c = 0; c < blocks_of<T>(width) * lanes<T>; ++c) {
        const bool imaginary = c % 2;
        space.straight[c] = c >= width ? T(0) : complex ? a[c - imaginary] : a[c];
        if (complex) space.crossed[c] = c >= width ? T(0) : imaginary == conjugate ? -a[c | 1] : a[c | 1];
    }
}

// Returns a h + u.
template <class T, bool complex>
OSTINATO_INLINE Vec<T> advance(const LinearSpace<T>& space, Index c, Vec<T> h, Vec<T> u) {
    if constexpr (complex) u += load(space.crossed + c) * swap_pairs<T>(h);
    return load(space.straight + c) * h + u;
}

// Calls body(column, count) for each vector of a row; count is the number of its lanes that lie in the row.
template <class T, class Body>
OSTINATO_INLINE void by_vectors(Index width, const Body& body) {
    Index c = 0;
    for (; c + lanes<T> <= width; c += lanes<T>) body(c, lanes<T>);
    if (c < width) body(c, width - c);
}

// Returns the state of row i before its step t.
template <class T>
OSTINATO_INLINE const T* state_before(const Part& p, const T* y, const T* h0, Index width, Index t, Index i) {
    return t ? y + p.place[p.start[t - 1] + i] * width : h0 + p.order[i] * width;
}

template <class T, bool complex>
void linear_forward(Index W, const Part& p, const LinearForward<T>& io, void* scratch) {
    Arena arena{static_cast<char*>(scratch)};
    const LinearSpace<T> space(arena, W);
    set_factor<T, complex>(space, io.a, W, false);
    for (Index t = 0, running = p.rows; t <= p.steps; ++t) {
        const Index left = running;
        running = t < p.steps ? p.active[t] : 0;
        for (Index i = running; i < left; ++i)  // the rows that ended with the step before
            std::memcpy(io.h_n + p.order[i] * W, state_before(p, io.y, io.h0, W, t, i), W * sizeof(T));
        for (Index i = 0; i < running; ++i) {
            const T* h = state_before(p, io.y, io.h0, W, t, i);
            const T* u = io.u + p.place[p.start[t] + i] * W;
            T* to = io.y + p.place[p.start[t] + i] * W;
            by_vectors<T>(W, [&](Index c, Index count) __attribute__((always_inline)) {
                store_part(to + c, advance<T, complex>(space, c, load_part(h + c, count), load_part(u + c, count)), count);
            });
        }
    }
}

// Computes du = d, dh0 = conj(a) d_1 and da = sum of d_t conj(h_{t-1}), with d_t = dy_t + conj(a) d_{t+1}.
template <class T, bool complex>
void linear_backward(Index W, const Part& p, const LinearBackward<T>& io, void* scratch) {
    Arena arena{static_cast<char*>(scratch)};
    const LinearSpace<T> space(arena, W);
    set_factor<T, complex>(space, io.a, W, true);
    const auto fold = [&](bool first) {
        by_vectors<T>(W, [&](Index c, Index) {
            for (int s = 0; s <= complex; ++s) {
                if (!first) store(space.sum[s] + c, load(space.sum[s] + c) + load(space.recent[s] + c));
                if (first) store(space.sum[s] + c, Vec<T>{});
                store(space.recent[s] + c, Vec<T>{});
            }
        });
    };
    fold(true);
    for (Index t = p.steps - 1; t >= 0; --t) {
        const Index next = t + 1 < p.steps ? p.active[t + 1] : 0;
        for (Index i = 0; i < p.active[t]; ++i) {
            const Index place = p.place[p.start[t] + i] * W;
            const T* after = i < next ? io.du + p.place[p.start[t + 1] + i] * W : nullptr;
            const T* last = !after && io.dh_n ? io.dh_n + p.order[i] * W : nullptr;
            const T* h = state_before(p, io.y, io.h0, W, t, i);
            by_vectors<T>(W, [&](Index c, Index count) __attribute__((always_inline)) {
                Vec<T> d = io.dy ? load_part(io.dy + place + c, count) : Vec<T>{};
                if (after) d = advance<T, complex>(space, c, load_part(after + c, count), d);
                if (last) d += load_part(last + c, count);
                store_part(io.du + place + c, d, count);
                const Vec<T> before = load_part(h + c, count);
                store(space.recent[0] + c, load(space.recent[0] + c) + d * before);
                if constexpr (complex) store(space.recent[1] + c, load(space.recent[1] + c) + d * swap_pairs<T>(before));
            });
        }
        if (t % recent_steps == 0) fold(false);
    }
    for (Index c = 0; c < W; ++c) {
        const T *straight = space.sum[0], *crossed = space.sum[1];
        if constexpr (complex)
            space.slope[c] = c % 2 ? crossed[c] - crossed[c - 1] : straight[c] + straight[c + 1];
        else
            space.slope[c] = straight[c];
    }
    for (Index i = 0; i < p.rows; ++i) {
        T* to = io.dh0 + p.order[i] * W;
        const T* first = p.steps && i < p.active[0] ? io.du + p.place[i] * W : nullptr;
        const T* last = !first && io.dh_n ? io.dh_n + p.order[i] * W : nullptr;
        by_vectors<T>(W, [&](Index c, Index count) {
            Vec<T> d = last ? load_part(last + c, count) : Vec<T>{};
            if (first) d = advance<T, complex>(space, c, load_part(first + c, count), d);
            store_part(to + c, d, count);
        });
    }
}

template <class T>
constexpr Linear<T> linear = {linear_bytes<T>,
                              {linear_forward<T, false>, linear_forward<T, true>},
                              {linear_backward<T, false>, linear_backward<T, true>}};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
