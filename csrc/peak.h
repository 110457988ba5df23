// The peak speed of the processor, for benchmarks of the kernels: independent multiply-adds in registers and nothing
// else.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

// Runs `loops` rounds and returns the number of float32 operations. The sums decide a branch that is never taken, so
// the compiler cannot remove them.
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
