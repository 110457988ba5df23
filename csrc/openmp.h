// The threads of the OpenMP library that torch computes with, if it has one.
//
// They poll for milliseconds after each region of torch's, on the very cores that other threads of ours would need. So
// the engine computes on them where others use them too, and otherwise on a crew of its own, which sleeps between calls.
// The engine links no OpenMP library: torch brings one, and ops/engine/openmp.py finds it.
#pragma once

namespace ostinato {

// The functions of the library that an OpenMP program of GCC calls. Clang's and Intel's libraries have them too.
struct OpenMp {
    void (*parallel)(void (*work)(void* with), void* with, unsigned count, unsigned flags) = nullptr;
    int (*rank)() = nullptr;    // omp_get_thread_num
    int (*size)() = nullptr;    // omp_get_num_threads
    int (*most)() = nullptr;    // omp_get_max_threads: the threads of a region of this thread of the program
    int (*inside)() = nullptr;  // omp_in_parallel
    bool watched = true;        // whether calls take the threads only while others use them
};

// Lets the engine compute on the threads of this library from now on; without `parallel`, on none.
void use_openmp(const OpenMp& library);

// Returns the library if a call of this thread can have `count` of its threads, and null otherwise: inside of a region,
// because its threads are taken, and in the child of a fork, which has the library but not its threads.
const OpenMp* openmp_with(int count);

// Returns openmp_with(count) if others have used the threads in the last seconds, if nothing is known of the threads yet
// (the first call of this thread of the program, and every call outside of Linux), or if the library is not watched.
const OpenMp* openmp_for(int count);

// Calls work(with, rank, size) in a region. The size is `count`, or less if the library grants fewer threads. A region
// has as many threads as torch's own, because the library ends those that a smaller region leaves over, and starts them
// again for the next; the threads left over do nothing.
void in_region(const OpenMp& library, int count, void (*work)(void* with, int rank, int size), void* with);

}  // namespace ostinato
