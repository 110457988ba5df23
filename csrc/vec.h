// The vectors of one instruction set, by the vector extension of GCC and Clang, without intrinsics.
//
// The including file defines OSTINATO_SET, OSTINATO_BYTES (the width of a vector) and OSTINATO_ACCUMULATORS (the number
// of vectors of sums in a register tile). OSTINATO_SET is a separate namespace for each set: without it, an inline
// function compiled for two instruction sets would be one symbol to the linker. For the same reason, no header of the
// kernels may include the C++ standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#define OSTINATO_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define OSTINATO_UNROLL _Pragma("clang loop unroll(full)")
#define OSTINATO_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define OSTINATO_UNROLL _Pragma("GCC unroll 32")
#define OSTINATO_ROLLED _Pragma("GCC unroll 1")
#endif

namespace ostinato::OSTINATO_SET {

using Index = std::int64_t;

template <class T>
struct Word;  // the integer with the size of T, and the bits below the exponent of T
template <>
struct Word<float> {
    using type = std::int32_t;
    static constexpr int mantissa = 23;
};
template <>
struct Word<double> {
    using type = std::int64_t;
    static constexpr int mantissa = 52;
};

template <class T>
struct Simd {
    static constexpr int lanes = OSTINATO_BYTES / sizeof(T);
    typedef T vec __attribute__((vector_size(OSTINATO_BYTES)));
    typedef T loose __attribute__((vector_size(OSTINATO_BYTES), aligned(alignof(T)), may_alias));
    typedef typename Word<T>::type word __attribute__((vector_size(OSTINATO_BYTES)));
};

template <class T>
using Vec = typename Simd<T>::vec;
template <class T>
inline constexpr Index lanes = Simd<T>::lanes;

template <class T>
OSTINATO_INLINE Vec<T> load(const T* at) {
    return *reinterpret_cast<const typename Simd<T>::loose*>(at);
}

template <class T>
OSTINATO_INLINE void store(T* at, Vec<T> v) {
    *reinterpret_cast<typename Simd<T>::loose*>(at) = v;
}

// Up to so many numbers are loaded one by one, because a call of memcpy takes longer.
inline constexpr int few_lanes = 4;

// Loads the first `count` lanes and sets the others to zero.
template <class T>
OSTINATO_INLINE Vec<T> load_part(const T* at, Index count) {
    if (count >= lanes<T>) return load(at);
    Vec<T> v = {};
    if (count > few_lanes)
        std::memcpy(&v, at, count * sizeof(T));
    else
        OSTINATO_UNROLL
        for (int i = 0; i < few_lanes && i < lanes<T>; ++i)
            if (i < count) v[i] = at[i];
    return v;
}

template <class T>
OSTINATO_INLINE void store_part(T* at, Vec<T> v, Index count) {
    if (count >= lanes<T>)
        store(at, v);
    else
        std::memcpy(at, &v, count * sizeof(T));
}

template <class T>
OSTINATO_INLINE Vec<T> fill(T value) {
    return value - Vec<T>{};  // a difference, because the sum -0 + 0 is +0
}

template <class T>
OSTINATO_INLINE typename Simd<T>::word bits(Vec<T> v) {
    return reinterpret_cast<typename Simd<T>::word>(v);
}

template <class T>
OSTINATO_INLINE Vec<T> number(typename Simd<T>::word w) {
    return reinterpret_cast<Vec<T>>(w);
}

// Swaps neighbouring lanes: 1, 0, 3, 2, ...
template <class T>
OSTINATO_INLINE Vec<T> swap_pairs(Vec<T> v) {
#if defined(__clang__)
    if constexpr (lanes<T> == 2) return __builtin_shufflevector(v, v, 1, 0);
    if constexpr (lanes<T> == 4) return __builtin_shufflevector(v, v, 1, 0, 3, 2);
    if constexpr (lanes<T> == 8) return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
    if constexpr (lanes<T> == 16)
        return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#else
    typename Simd<T>::word from = {};
    for (int i = 0; i < lanes<T>; ++i) from[i] = i ^ 1;
    return __builtin_shuffle(v, from);
#endif
}

// The first, or the second, half of a0, b0, a1, b1, ...
template <class T, bool second>
OSTINATO_INLINE Vec<T> interleaved(Vec<T> a, Vec<T> b) {
    constexpr int V = lanes<T>, begin = second ? V / 2 : 0;
#if defined(__clang__)
    Vec<T> both = {};
    for (int i = 0; i < V; ++i) both[i] = i % 2 ? b[begin + i / 2] : a[begin + i / 2];
    return both;
#else
    typename Simd<T>::word from = {};
    for (int i = 0; i < V; ++i) from[i] = begin + i / 2 + i % 2 * V;
    return __builtin_shuffle(a, b, from);
#endif
}

// Transposes V rows of V numbers. Interleaving the rows of both halves moves the first bit of the number of a row to the end
// of the number of its column; after as many rounds as a row has bits, rows and columns have changed places.
template <class T>
OSTINATO_INLINE void transpose(Vec<T> (&rows)[Simd<T>::lanes]) {
    constexpr int V = lanes<T>;
    OSTINATO_UNROLL
    for (int round = 1; round < V; round *= 2) {
        Vec<T> next[V];
        OSTINATO_UNROLL
        for (int i = 0; i < V / 2; ++i) {
            next[2 * i] = interleaved<T, false>(rows[i], rows[i + V / 2]);
            next[2 * i + 1] = interleaved<T, true>(rows[i], rows[i + V / 2]);
        }
        OSTINATO_UNROLL
        for (int i = 0; i < V; ++i) rows[i] = next[i];
    }
}

// Returns the sum of all lanes.
template <class T>
OSTINATO_INLINE T sum_of_lanes(Vec<T> v) {
    OSTINATO_UNROLL
    for (int half = lanes<T> / 2; half; half /= 2)
        OSTINATO_UNROLL
        for (int i = 0; i < half; ++i) v[i] += v[i + half];
    return v[0];
}

inline Index smaller(Index a, Index b) { return a < b ? a : b; }
inline Index larger(Index a, Index b) { return a < b ? b : a; }

// Returns the number of vectors that hold `columns` columns.
template <class T>
inline Index blocks_of(Index columns) {
    return (columns + lanes<T> - 1) / lanes<T>;
}

}  // namespace ostinato::OSTINATO_SET
