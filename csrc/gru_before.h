// The gated recurrent unit as published (Cho et al. 2014, eq. 5-8): the reset is before the product. The gates are r,
// z, n:
//     r, z = sigmoid(.), m = r h, n = tanh(W_in x + b_in + W_hn m + b_hn), h' = (1 - z) n + z h.
#pragma once

#include "cell.h"
#include "math.h"

namespace ostinato::OSTINATO_SET {
namespace {

struct GruBefore {
    static constexpr int gates = 3, apart = 0, slots = 3, states = 1, late = 1;  // slots: r, z, n
    static constexpr bool direct = true, recalls = false, projects = false;

    template <class T>
    static OSTINATO_INLINE void forward(const Given<T, 2>& in, After<T, 3>& out) {
        out.slot[0] = sigmoid<T>(in.sum[0]), out.slot[1] = sigmoid<T>(in.sum[1]);
        out.h = out.slot[0] * in.h;
    }

    template <class T>
    static OSTINATO_INLINE void finish(const Given<T, 1>& in, After<T, 3>& out) {
        const Vec<T> z = out.slot[1], n = tanh<T>(in.sum[0]);
        out.h = (T(1) - z) * n + z * in.h;
        out.slot[2] = n;
    }

    template <class T>
    static OSTINATO_INLINE Vec<T> owed(const Seen<T, 3>& in) {
        const Vec<T> z = in.slot[1], n = in.slot[2];
        return in.dh * (T(1) - z) * (T(1) - n * n);
    }

    template <class T>
    static OSTINATO_INLINE void backward(const Seen<T, 3>& in, Sent<T, 2>& out) {
        const Vec<T> r = in.slot[0], z = in.slot[1], n = in.slot[2];
        out.sum[0] = in.dm * in.h * r * (T(1) - r);
        out.sum[1] = in.dh * (in.h - n) * z * (T(1) - z);
        out.dh = in.dh * z + in.dm * r;
        out.m = r * in.h;
    }
};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
