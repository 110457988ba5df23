// The choice of the instruction set: it is made once, from the features that the processor reports.
#include <atomic>
#include <stdexcept>
#include <string>

#include "lights.h"
#include "processor.h"
#include "run.h"

namespace ostinato {

#define OSTINATO_SET(NAME)            \
    namespace NAME {                  \
    extern const Kernels kernels;     \
    extern const Lights lights;       \
    }
#if defined(OSTINATO_HAS_AVX512)
OSTINATO_SET(avx512)
OSTINATO_SET(avx512_vnni)
#endif
#if defined(OSTINATO_HAS_AVX2)
OSTINATO_SET(avx2)
#endif
#if defined(OSTINATO_HAS_BASELINE)
OSTINATO_SET(baseline)
#endif
#undef OSTINATO_SET

std::vector<const Kernels*> usable_sets() {
    std::vector<const Kernels*> sets;
#if defined(OSTINATO_HAS_AVX512)
    if (runs_avx512()) sets.push_back(&avx512::kernels);
#endif
#if defined(OSTINATO_HAS_AVX2)
    if (runs_avx2()) sets.push_back(&avx2::kernels);
#endif
#if defined(OSTINATO_HAS_BASELINE)
    sets.push_back(&baseline::kernels);
#endif
    return sets;
}

namespace {
std::atomic<const Kernels*> in_use{usable_sets().empty() ? nullptr : usable_sets().front()};
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

const Lights& lights_in_use() {
    const std::string set = set_in_use().set;
#if defined(OSTINATO_HAS_AVX512)
    if (set == "avx512" && runs_avx512_vnni()) return avx512_vnni::lights;
#endif
    const Lights* sets[] = {
#if defined(OSTINATO_HAS_AVX512)
        &avx512::lights,
#endif
#if defined(OSTINATO_HAS_AVX2)
        &avx2::lights,
#endif
#if defined(OSTINATO_HAS_BASELINE)
        &baseline::lights,
#endif
    };
    for (const Lights* one : sets)
        if (one->set == set) return *one;
    throw std::logic_error("the instruction set in use has no steps by weights of 8 bits");
}

const Light* light_of(const char* cell) {
    const Lights& lights = lights_in_use();
    for (int i = 0; i < lights.count; ++i)
        if (std::string(lights.cells[i].name) == cell) return &lights.cells[i];
    return nullptr;
}

}  // namespace ostinato
