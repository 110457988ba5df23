// The processor's peak: independent multiply-adds on registers, nothing else. What benchmarks hold the kernels against.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

// Runs `loops` rounds; returns how many operations on float32 they were. The sums decide a branch that is never taken, so
// that they are not left out.
__attribute__((noinline)) double peak(Index loops) {
    constexpr int chains = OSTINATO_ACCUMULATORS < 16 ? OSTINATO_ACCUMULATORS : 16;
    Vec<float> sum[chains];
    for (int i = 0; i < chains; ++i) sum[i] = fill(1.0f + static_cast<float>(i));
    const Vec<float> a = fill(loops < 0 ? 2.0f : 0.999f), b = fill(loops < 0 ? 2.0f : 0.001f);
    for (Index n = 0; n < loops; ++n) {
        OSTINATO_UNROLL
        for (int i = 0; i < chains; ++i) sum[i] = sum[i] * a + b;
    }
    Vec<float> total = sum[0];
    for (int i = 1; i < chains; ++i) total += sum[i];
    return total[0] == 12345.0f ? 0.0 : 2.0 * chains * lanes<float> * static_cast<double>(loops);
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
