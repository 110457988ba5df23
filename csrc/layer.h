// A layer of one or two directions on tensors of torch: one call in each direction of time.
#pragma once

#include <nanobind/nanobind.h>

namespace ostinato {

void bind_layer(nanobind::module_& m);

}  // namespace ostinato
