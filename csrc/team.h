// The threads of the engine. They are started when a call first needs them, and sleep between the calls.
#pragma once

#include <condition_variable>
#include <mutex>

#include "engine.h"

namespace ostinato {

// Where the members of a team wait for each other.
struct Meeting {
    std::mutex mutex;
    std::condition_variable all;
    int arrived = 0;
    unsigned round = 0;
};

// Calls work(with, rank, size) in the calling thread, with rank 0, and in at most `count` - 1 threads of the crew. The
// size counts the caller and the threads that are reserved for it: less than `count` if the system gives no more
// threads. No thread of the crew serves two callers, so a team cannot wait for a member that is busy elsewhere. A
// member that wakes after rank 0 has finished is not called, so only a team that meets may rely on all of them.
void at_once(int count, void (*work)(void* with, int rank, int size), void* with);

template <class Work>
void at_once(int count, const Work& work) {
    at_once(
        count, [](void* with, int rank, int size) { (*static_cast<const Work*>(with))(rank, size); },
        const_cast<Work*>(&work));
}

}  // namespace ostinato
