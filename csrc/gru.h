// The gated recurrent unit (Cho et al. 2014, eq. 5-8) with the reset after the product. The gates are r, z, n:
//     r, z = sigmoid(.), n = tanh(x_n + r h_n), h' = (1 - z) n + z h, h_n = W_hn h + b_hn.
#pragma once

#include "cell.h"
#include "math.h"

namespace ostinato::OSTINATO_SET {
namespace {

struct Gru : OneProduct {
    static constexpr int gates = 3, apart = 1, slots = 4, states = 1;  // slots: r, z, n, h_n
    static constexpr bool direct = true, recalls = false;

    template <class T>
    static OSTINATO_INLINE void forward(const Given<T, 3>& in, After<T, 4>& out) {
        const Vec<T> r = sigmoid<T>(in.sum[0]), z = sigmoid<T>(in.sum[1]), h_n = in.sum[2];
        const Vec<T> n = tanh<T>(in.x[2] + r * h_n);
        out.h = (T(1) - z) * n + z * in.h;
        out.slot[0] = r, out.slot[1] = z, out.slot[2] = n, out.slot[3] = h_n;
    }

    template <class T>
    static OSTINATO_INLINE void backward(const Seen<T, 4>& in, Sent<T, 3>& out) {
        const Vec<T> r = in.slot[0], z = in.slot[1], n = in.slot[2], h_n = in.slot[3];
        const Vec<T> da_n = in.dh * (T(1) - z) * (T(1) - n * n);
        out.sum[0] = da_n * h_n * r * (T(1) - r);
        out.sum[1] = in.dh * (in.h - n) * z * (T(1) - z);
        out.sum[2] = da_n * r;
        out.x[2] = da_n;
        out.dh = in.dh * z;
    }
};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
