#define OSTINATO_SET avx512
#define OSTINATO_BYTES 64
#define OSTINATO_ACCUMULATORS 24
#include "kernels.h"
