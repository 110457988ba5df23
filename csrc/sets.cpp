// The choice of the instruction set: it is made once, from the features that the processor reports.
#include <atomic>
#include <stdexcept>
#include <string>

#include "run.h"

namespace ostinato {

namespace baseline {
extern const Kernels kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
#endif

std::vector<const Kernels*> usable_sets() {
    std::vector<const Kernels*> sets;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        sets.push_back(&avx512::kernels);
    if (v3) sets.push_back(&avx2::kernels);
#endif
    sets.push_back(&baseline::kernels);
    return sets;
}

namespace {
std::atomic<const Kernels*> in_use{usable_sets().front()};
}

const Kernels& set_in_use() { return *in_use.load(); }

void use_set(const char* name) {
    for (const Kernels* set : usable_sets())
        if (std::string(set->set) == name) {
            in_use.store(set);
            return;
        }
    throw std::invalid_argument(std::string("no instruction set called ") + name + " can run on this processor");
}

}  // namespace ostinato
