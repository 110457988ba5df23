#define OSTINATO_SET baseline
#define OSTINATO_BYTES 16
#define OSTINATO_ACCUMULATORS 12
#include "kernels.h"
