// What one file of an instruction set compiles. The including file defines OSTINATO_SET, OSTINATO_BYTES and
// OSTINATO_ACCUMULATORS. CMakeLists.txt compiles it once for each cell, with OSTINATO_CELL as the cell's name, and three times
// without it: with OSTINATO_PRODUCTS for what the cells share, with OSTINATO_LIGHT for the steps by weights of 8 bits, and for
// the table of the cells and the rest.
#pragma once

#include "cells.h"
#include "engine.h"

#define OSTINATO_TEXT(NAME) #NAME
#define OSTINATO_NAME(NAME) OSTINATO_TEXT(NAME)
#define OSTINATO_JOIN(A, B) A##B
#define OSTINATO_JOINED(A, B) OSTINATO_JOIN(A, B)

namespace ostinato::OSTINATO_SET {

#define OSTINATO_DECLARE(NAME, ...) extern const Cell NAME##_cell;
OSTINATO_CELLS(OSTINATO_DECLARE)
#undef OSTINATO_DECLARE

}  // namespace ostinato::OSTINATO_SET

#if defined(OSTINATO_CELL)

#include "backward.h"
#include "gru.h"
#include "gru_before.h"
#include "lstm.h"
#include "rnn.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class T, class Cell>
constexpr Kernel<T> kernel = {Cell::gates,
                              Cell::states,
                              Cell::projects,
                              max_rows<early<Cell> * group_limit(early<Cell>)>,
                              panels_bytes<T, Cell>,
                              pack<T, Cell>,
                              saved_count<T, Cell>,
                              forward_bytes<T, Cell>,
                              forward<T, Cell>,
                              backward_bytes<T, Cell>,
                              backward<T, Cell>,
                              collect<T, Cell>};

#define OSTINATO_TYPE(NAME, ...) using NAME##_type = __VA_ARGS__;
OSTINATO_CELLS(OSTINATO_TYPE)
#undef OSTINATO_TYPE
using Chosen = OSTINATO_JOINED(OSTINATO_CELL, _type);

}  // namespace

const Cell OSTINATO_JOINED(OSTINATO_CELL, _cell) = {OSTINATO_NAME(OSTINATO_CELL), kernel<float, Chosen>,
                                                    kernel<double, Chosen>};

}  // namespace ostinato::OSTINATO_SET

#elif defined(OSTINATO_PRODUCTS)

#include "products.h"

#elif defined(OSTINATO_LIGHT)

#include "light.h"

#else

#include "linear.h"
#include "peak.h"
#include "smoothing.h"

namespace ostinato::OSTINATO_SET {
namespace {

#define OSTINATO_ADDRESS(NAME, ...) &NAME##_cell,
constexpr const Cell* cells[] = {OSTINATO_CELLS(OSTINATO_ADDRESS)};
#undef OSTINATO_ADDRESS

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {OSTINATO_NAME(OSTINATO_SET), OSTINATO_BYTES, sizeof(cells) / sizeof(cells[0]), cells,
                         linear<float>, linear<double>, smoothing, peak};

}  // namespace ostinato::OSTINATO_SET

#endif
