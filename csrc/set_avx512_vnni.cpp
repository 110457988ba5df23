// The steps by weights of 8 bits of the set avx512, for processors that multiply and add whole numbers in one instruction.
#define OSTINATO_SET avx512_vnni
#define OSTINATO_BYTES 64
#define OSTINATO_ACCUMULATORS 24
#include "kernels.h"
