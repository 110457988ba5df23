// A program that prints the best instruction set of this machine, for a build that serves no other.
#include <cstdio>

#include "processor.h"

int main() { std::fputs(ostinato::runs_avx512() ? "avx512" : ostinato::runs_avx2() ? "avx2" : "baseline", stdout); }
