// What the processor can run.
#pragma once

namespace ostinato {

#if defined(__x86_64__)
inline bool runs_avx2() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
inline bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
inline bool runs_avx512_vnni() { return runs_avx512() && __builtin_cpu_supports("avx512vnni"); }
#else
inline bool runs_avx512_vnni() { return false; }
inline bool runs_avx2() { return false; }
inline bool runs_avx512() { return false; }
#endif

}  // namespace ostinato
