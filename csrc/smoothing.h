// Exponential smoothing in its innovations form (Hyndman, Koehler, Ord and Snyder 2008, chapters 2 and 5): the recurrence,
// the sums of its likelihood and their exact gradient. A lane of a vector computes a row, so rows need no layout of
// their own.
//
// With d = y - mu, the error of an additive form is d and that of a multiplicative form is d / mu. In terms of d the
// updates of tables 2.2 and 2.3 are the same for both:
//     q = l + phi b          mu = q,  q + s  or  q s
//     u = d  or  d / s       w = d  or  d / q
//     l' = q + alpha u,  b' = phi b + beta u,  s' = s + gamma w
// A form without a trend has b = beta = 0. A missing value has d = 0. A step after the end of a row is missing.
#pragma once

#include "blocked.h"
#include "engine.h"

namespace ostinato::OSTINATO_SET {
namespace {

using Doubles = Vec<double>;
using Words = Simd<double>::word;
inline constexpr Index smoothing_lanes = lanes<double>;

struct SmoothingSpace {
    double* y;            // (T, V) the values, NaN if missing
    double* d;            // (T, V) y - mu, 0 if missing
    double* q;            // (T, V) l + phi b
    double* b;            // (T, V) the trend before the step
    double* s;            // (T, V) the season before the step
    double* ring;         // (m, V) the last seasons, and in the backward pass their gradients
    double* theta;        // (4, V) alpha, beta, gamma, phi
    double* likelihood;   // (4, V) the sums of a group, see Smoothing

    SmoothingSpace(Arena& arena, const Smoothing& io) {
        const Index path = io.steps * smoothing_lanes;
        double** const paths[] = {&y, &d, &q, &b, &s};
        for (double** buffer : paths) *buffer = arena.take<double>(path);
        ring = arena.take<double>(larger(io.period, 1) * smoothing_lanes);
        theta = arena.take<double>(4 * smoothing_lanes);
        likelihood = arena.take<double>(4 * smoothing_lanes);
    }
};

inline std::size_t smoothing_bytes(const Smoothing& io) {
    Arena arena{nullptr};
    SmoothingSpace(arena, io);
    return arena.used;
}

// The lanes of a group: rows first .. first + count - 1. The lanes after the last row repeat it and are not written.
struct SmoothingGroup {
    const Smoothing& io;
    Index first, count;
    Index row(Index lane) const { return first + smaller(lane, count - 1); }
    Doubles load_theta(Index i) const {
        Doubles v;
        for (Index k = 0; k < smoothing_lanes; ++k) v[k] = io.theta[row(k) * (6 + io.period) + i];
        return v;
    }
    Doubles load_row(const double* at) const {
        Doubles v;
        for (Index k = 0; k < smoothing_lanes; ++k) v[k] = at[row(k)];
        return v;
    }
    void store_row(double* at, Index width, Index i, Doubles v) const {
        for (Index k = 0; k < count; ++k) at[(first + k) * width + i] = v[k];
    }
};

// Copies the values of the group into lanes, and returns the number of steps of its longest row.
inline Index gather(const SmoothingGroup& group, double* y) {
    const Smoothing& io = group.io;
    Index steps = 0;
    for (Index k = 0; k < smoothing_lanes; ++k) steps = larger(steps, io.lengths[group.row(k)]);
    for (Index k = 0; k < smoothing_lanes; ++k) {
        const double* from = io.y + io.series[group.row(k)] * io.steps;
        const Index length = io.lengths[group.row(k)];
        for (Index t = 0; t < length; ++t) y[t * smoothing_lanes + k] = from[t];
        for (Index t = length; t < steps; ++t) y[t * smoothing_lanes + k] = __builtin_nan("");
    }
    return steps;
}

// Writes the state of the rows that have `t` steps, the season of the next step first.
inline void write_last(const SmoothingGroup& group, Index t, Index at, const double* ring, Doubles l, Doubles b) {
    const Smoothing& io = group.io;
    for (Index k = 0; k < group.count; ++k) {
        if (io.lengths[group.first + k] != t) continue;
        double* to = io.last + (group.first + k) * (2 + io.period);
        to[0] = l[k], to[1] = b[k];
        for (Index j = 0; j < io.period; ++j) to[2 + j] = ring[(at + j) % io.period * smoothing_lanes + k];
    }
}

// Multiplies the mantissa of a product by v > 0, and moves its exponent to a sum of its own: a product of a thousand
// values does not overflow, and its logarithm is taken once.
OSTINATO_INLINE void multiply(Doubles& mantissa, Doubles& exponent, Doubles v) {
    const Words word = bits<double>(mantissa * v);
    const Words power = (word >> 52) - 1023;
    mantissa = number<double>(word - (power << 52));
    exponent += __builtin_convertvector(power, Doubles);
}

template <bool relative, int season>
void smooth_forward(const SmoothingGroup& group, const SmoothingSpace& space, Index steps) {
    const Smoothing& io = group.io;
    constexpr Index V = smoothing_lanes;
    const Doubles alpha = load(space.theta), beta = load(space.theta + V), gamma = load(space.theta + 2 * V),
                  phi = load(space.theta + 3 * V), infinite = fill(__builtin_inf());
    Doubles l = group.load_theta(4), b = group.load_theta(5), squares = {}, observed = {};
    Doubles mantissa = fill(1.0), exponent = {};
    for (Index j = 0; j < io.period; ++j) store(space.ring + j * V, group.load_theta(6 + j));
    if (io.last) write_last(group, 0, 0, space.ring, l, b);
    for (Index t = 0, at = 0; t < steps; ++t) {
        const Doubles q = l + phi * b, s = season ? load(space.ring + at * V) : Doubles{};
        const Doubles mu = season == 0 ? q : season == 1 ? q + s : q * s;
        const Doubles y = load(space.y + t * V), one = y == y ? fill(1.0) : Doubles{};
        const Doubles d = y == y ? y - mu : Doubles{};
        store(space.d + t * V, d), store(space.q + t * V, q), store(space.b + t * V, b);
        if (season) store(space.s + t * V, s);
        if (io.mean) group.store_row(io.mean, io.steps, t, mu);
        observed += one;
        if constexpr (relative) {
            const Doubles e = d / mu;
            squares += y == y ? (mu > 0.0 ? e * e : infinite) : Doubles{};
            multiply(mantissa, exponent, y == y && mu > 0.0 ? mu : fill(1.0));
        } else {
            squares += d * d;
        }
        const Doubles u = season == 2 ? d / s : d, w = season == 2 ? d / q : d;
        l = q + alpha * u;
        b = phi * b + beta * u;
        if constexpr (season) {
            store(space.ring + at * V, s + gamma * w);
            at = at + 1 == io.period ? 0 : at + 1;
        }
        if (io.last) write_last(group, t + 1, at, space.ring, l, b);
    }
    store(space.likelihood, squares), store(space.likelihood + V, observed);
    store(space.likelihood + 2 * V, mantissa), store(space.likelihood + 3 * V, exponent);
}

// The adjoint of smooth_forward for the log-likelihood -n/2 log(v) - sum log mu, v = squares / n + floor.
template <bool relative, int season>
void smooth_backward(const SmoothingGroup& group, const SmoothingSpace& space, Index steps) {
    const Smoothing& io = group.io;
    constexpr Index V = smoothing_lanes;
    const Doubles alpha = load(space.theta), beta = load(space.theta + V), gamma = load(space.theta + 2 * V),
                  phi = load(space.theta + 3 * V);
    const Doubles squares = load(space.likelihood), n = load(space.likelihood + V);
    const Doubles slope = n > 0.0 ? -1.0 / (squares / n + group.load_row(io.floor)) : Doubles{};
    Doubles dl = {}, db = {}, d_alpha = {}, d_beta = {}, d_gamma = {}, d_phi = {};
    for (Index j = 0; j < io.period; ++j) store(space.ring + j * V, Doubles{});
    Index at = io.period ? (steps - 1) % io.period : 0;
    for (Index t = steps - 1; t >= 0; --t) {
        const Doubles y = load(space.y + t * V), d = load(space.d + t * V), q = load(space.q + t * V),
                      b = load(space.b + t * V), s = season ? load(space.s + t * V) : Doubles{};
        Doubles ds = season ? load(space.ring + at * V) : Doubles{};
        const Doubles u = season == 2 ? d / s : d, w = season == 2 ? d / q : d;
        d_alpha += u * dl, d_beta += u * db, d_phi += b * db;
        if (season) d_gamma += w * ds;
        const Doubles du = alpha * dl + beta * db, dw = gamma * ds;
        Doubles dq = dl, dd = season == 2 ? du / s + dw / q : season == 1 ? du + dw : du, dmu = {};
        if constexpr (season == 2) ds -= du * u / s, dq -= dw * w / q;
        if constexpr (relative) {
            const Doubles mu = season == 0 ? q : season == 1 ? q + s : q * s, e = d / mu;
            dd += slope * e / mu;
            dmu = -(slope * e * e + 1.0) / mu;
        } else {
            dd += slope * d;
        }
        dmu = y == y ? dmu - dd : Doubles{};
        if constexpr (season == 2) ds += dmu * q, dq += dmu * s;
        if constexpr (season == 1) ds += dmu;
        if constexpr (season != 2) dq += dmu;
        dl = dq;
        db = phi * (db + dq);
        d_phi += b * dq;
        if constexpr (season) {
            store(space.ring + at * V, ds);
            at = at ? at - 1 : io.period - 1;
        }
    }
    const Index width = 6 + io.period;
    const Doubles first[] = {d_alpha, d_beta, d_gamma, d_phi, dl, db};
    for (Index i = 0; i < 6; ++i) group.store_row(io.gradient, width, i, first[i]);
    for (Index j = 0; j < io.period; ++j) group.store_row(io.gradient, width, 6 + j, load(space.ring + j * V));
}

template <bool relative, int season>
void smooth(const Smoothing& io, Index begin, Index end, void* scratch) {
    Arena arena{static_cast<char*>(scratch)};
    const SmoothingSpace space(arena, io);
    for (Index first = begin; first < end; first += smoothing_lanes) {
        const SmoothingGroup group{io, first, smaller(smoothing_lanes, end - first)};
        const Index steps = gather(group, space.y);
        for (Index i = 0; i < 4; ++i) store(space.theta + i * smoothing_lanes, group.load_theta(i));
        smooth_forward<relative, season>(group, space, steps);
        for (Index i = 0; i < 4; ++i) group.store_row(io.sums, 4, i, load(space.likelihood + i * smoothing_lanes));
        if (io.gradient) smooth_backward<relative, season>(group, space, steps);
    }
}

constexpr SmoothingKernel smoothing = {
    smoothing_lanes,
    smoothing_bytes,
    {{smooth<false, 0>, smooth<false, 1>, smooth<false, 2>}, {smooth<true, 0>, smooth<true, 1>, smooth<true, 2>}}};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
