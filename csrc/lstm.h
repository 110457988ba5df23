// Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000). The gates are i, f, g, o:
//     i, f, o = sigmoid(.), g = tanh(.), c' = f c + i g, h' = o tanh(c').
// With a projection (Sak et al. 2014), h' = W_hr (o tanh(c')).
#pragma once

#include "cell.h"
#include "math.h"

namespace ostinato::OSTINATO_SET {
namespace {

struct Lstm : OneProduct {
    static constexpr int gates = 4, apart = 0, slots = 5, states = 2;  // slots: i, f, g, o, tanh(c')
    static constexpr bool direct = false, recalls = false;

    template <class T>
    static OSTINATO_INLINE void forward(const Given<T, 4>& in, After<T, 5>& out) {
        const Vec<T> i = sigmoid<T>(in.sum[0]), f = sigmoid<T>(in.sum[1]);
        const Vec<T> g = tanh<T>(in.sum[2]), o = sigmoid<T>(in.sum[3]);
        out.c = f * in.c + i * g;
        const Vec<T> squashed = tanh<T>(out.c);
        out.h = o * squashed;
        out.slot[0] = i, out.slot[1] = f, out.slot[2] = g, out.slot[3] = o, out.slot[4] = squashed;
    }

    template <class T>
    static OSTINATO_INLINE void backward(const Seen<T, 5>& in, Sent<T, 4>& out) {
        const Vec<T> i = in.slot[0], f = in.slot[1], g = in.slot[2], o = in.slot[3], squashed = in.slot[4];
        const Vec<T> dc = in.dc + in.dh * o * (T(1) - squashed * squashed);
        out.sum[0] = dc * g * i * (T(1) - i);
        out.sum[1] = dc * in.c * f * (T(1) - f);
        out.sum[2] = dc * i * (T(1) - g * g);
        out.sum[3] = in.dh * squashed * o * (T(1) - o);
        out.dc = dc * f;
        out.m = o * squashed;  // for the projection
    }
};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
