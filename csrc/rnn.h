// The plain recurrent network (Elman 1990): h' = f(W_ih x + b_ih + W_hh h + b_hh).
#pragma once

#include "cell.h"
#include "math.h"

namespace ostinato::OSTINATO_SET {
namespace {

struct Tanh {
    template <class T>
    static OSTINATO_INLINE Vec<T> value(Vec<T> a) { return tanh<T>(a); }
    template <class T>
    static OSTINATO_INLINE Vec<T> slope(Vec<T> h, Vec<T> d) { return d * (T(1) - h * h); }
};

struct Relu {
    template <class T>
    static OSTINATO_INLINE Vec<T> value(Vec<T> a) { return a < T(0) ? Vec<T>{} : a; }
    template <class T>
    static OSTINATO_INLINE Vec<T> slope(Vec<T> h, Vec<T> d) { return h <= T(0) ? Vec<T>{} : d; }
};

struct Identity {
    template <class T>
    static OSTINATO_INLINE Vec<T> value(Vec<T> a) { return a; }
    template <class T>
    static OSTINATO_INLINE Vec<T> slope(Vec<T>, Vec<T> d) { return d; }
};

template <class F>
struct Rnn : OneProduct {
    static constexpr int gates = 1, apart = 0, slots = 0, states = 1;
    static constexpr bool direct = false, recalls = true;

    template <class T>
    static OSTINATO_INLINE void forward(const Given<T, 1>& in, After<T, 0>& out) {
        out.h = F::template value<T>(in.sum[0]);
    }

    template <class T>
    static OSTINATO_INLINE void backward(const Seen<T, 0>& in, Sent<T, 1>& out) {
        out.sum[0] = F::template slope<T>(in.after, in.dh);
    }
};

}  // namespace
}  // namespace ostinato::OSTINATO_SET
