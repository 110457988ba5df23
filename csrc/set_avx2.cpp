#define OSTINATO_SET avx2
#define OSTINATO_BYTES 32
#define OSTINATO_ACCUMULATORS 12
#include "kernels.h"
