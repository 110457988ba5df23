// The table of the kernels of one instruction set. The including file defines OSTINATO_SET, OSTINATO_BYTES and
// OSTINATO_ACCUMULATORS.
#pragma once

#include "backward.h"
#include "linear.h"
#include "peak.h"
#include "smoothing.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T, class Cell>
constexpr Kernel<T> kernel(const char* name) {
    return {name,
            Cell::gates,
            Cell::states,
            Cell::projects,
            panels_bytes<T, Cell>,
            pack<T, Cell>,
            saved_count<T, Cell>,
            forward_bytes<T, Cell>,
            forward<T, Cell>,
            backward_bytes<T, Cell>,
            backward<T, Cell>,
            add<T, Cell>,
            collect<T, Cell>};
}

#define OSTINATO_KERNEL(NAME, ...) kernel<T, __VA_ARGS__>(NAME),
template <class T>
constexpr Kernel<T> table[] = {OSTINATO_CELLS(OSTINATO_KERNEL)};
#undef OSTINATO_KERNEL

}  // namespace

#define OSTINATO_TEXT(NAME) #NAME
#define OSTINATO_NAME(NAME) OSTINATO_TEXT(NAME)
extern const Kernels kernels;
const Kernels kernels = {OSTINATO_NAME(OSTINATO_SET), OSTINATO_BYTES, sizeof(table<float>) / sizeof(table<float>[0]),
                         table<float>, table<double>, linear<float>, linear<double>, smoothing, peak};

}  // namespace ostinato::OSTINATO_SET
