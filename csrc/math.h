// exp, sigmoid and tanh on vectors, with an error of at most 2 units in the last place. sigmoid and tanh saturate to
// exactly 0, 1 and -1. NaN stays NaN: values are limited by compare and select, because min and max would replace a
// NaN.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

// The coefficients of q in expm1(r) = r + r^2 q(r) for |r| <= ln(2)/2, fitted at Chebyshev nodes, the highest power
// first.
template <class T>
struct Exp;
template <>
struct Exp<float> {
    static constexpr float q[] = {0.00139269266140219065f, 0.0083637738744055735f, 0.0416665501103051244f,
                                  0.16666573381900846f, 0.5f};
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440054690581e-4f;
    static constexpr float round = 12583039.0f;  // 1.5 * 2^23 + 127: a sum with it ends in the nearest integer plus 127
    static constexpr float largest = 88.37f;     // exp of more counts as infinite: 2^127 times the series is the limit
    static constexpr float tanh_limit = 20.0f;   // tanh does not change for larger numbers
};
template <>
struct Exp<double> {
    static constexpr double q[] = {2.09154422977801152e-9,  2.51062747335732947e-8,  2.75572718102197996e-7,
                                   2.75572528335169097e-6,  0.0000248015873270071867, 0.000198412698768643549,
                                   0.00138888888888833267,  0.0083333333333255447,   0.0416666666666666701,
                                   0.166666666666666714,    0.5};
    static constexpr double ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10;
    static constexpr double round = 6755399441056767.0;  // 1.5 * 2^52 + 1023
    static constexpr double largest = 709.4;
    static constexpr double tanh_limit = 40.0;
};

// Splits x into n ln 2 + r, sets scale to 2^n and returns expm1(r), for |x| <= Exp<T>::largest.
template <class T>
OSTINATO_INLINE Vec<T> reduced_expm1(Vec<T> x, Vec<T>& scale) {
    using E = Exp<T>;
    const Vec<T> shifted = x * T(1.44269504088896340736) + E::round;
    const Vec<T> n = shifted - E::round;
    const Vec<T> r = (x - n * E::ln2_high) - n * E::ln2_low;
    scale = number<T>(bits<T>(shifted) << Word<T>::mantissa);  // what is above the exponent of 2^n is shifted out
    Vec<T> q = fill(E::q[0]);
    constexpr int terms = sizeof(E::q) / sizeof(T);
    OSTINATO_UNROLL
    for (int i = 1; i < terms; ++i) q = q * r + E::q[i];
    return (r * r) * q + r;
}

// Returns 1 / (1 + exp(-x)). Where exp(-x) is infinite, whatever comes out of it is replaced by 0.
template <class T>
OSTINATO_INLINE Vec<T> sigmoid(Vec<T> x) {
    using E = Exp<T>;
    const Vec<T> inside = x > E::largest - 1 ? fill(E::largest - 1) : x;
    Vec<T> scale;
    const Vec<T> p = reduced_expm1<T>(-inside, scale);
    const Vec<T> one_more = scale * p + scale + T(1);
    return x < -E::largest ? Vec<T>{} : T(1) / one_more;
}

// Returns expm1(2|x|) / (expm1(2|x|) + 2) with the sign of x. Near zero this is precise, while 1 - exp(-2x) is not.
template <class T>
OSTINATO_INLINE Vec<T> tanh(Vec<T> x) {
    using E = Exp<T>;
    const auto sign = bits<T>(x) & bits<T>(fill(T(-0.0)));
    Vec<T> twice = T(2) * number<T>(bits<T>(x) ^ sign);
    twice = twice > E::tanh_limit ? fill(E::tanh_limit) : twice;
    Vec<T> scale;
    const Vec<T> p = reduced_expm1<T>(twice, scale);
    const Vec<T> e = scale * p + (scale - T(1));
    return number<T>(bits<T>(e / (e + T(2))) | sign);
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
