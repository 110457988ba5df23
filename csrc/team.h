// The threads of a call: those of OpenMP, or else a crew of our own, whose threads are started when a call first needs
// them and sleep between the calls.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "engine.h"

namespace ostinato {

// Where the members of a team wait for each other. A member that waits polls for a short time, because the others of a quiet machine
// arrive within a microsecond, and then sleeps. Each wait that ends asleep halves the time that the team polls, and each
// that does not doubles it: on a busy machine, a thread that polls blocks the core that the other thread needs.
struct Meeting {
    static constexpr int least = 16, most = 1 << 14;  // looks at the round; a look takes 10 to 40 ns
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<unsigned> round{0};
    std::atomic<int> patience{most};
    std::atomic<int> asleep{0};
    std::mutex mutex;
    std::condition_variable all;
};

// Calls work(with, rank, size) in the calling thread, with rank 0, and in at most `count` - 1 other threads. The size
// counts the caller and the threads that are reserved for it: less than `count` if the system gives no more threads. No
// thread serves two callers, so a team cannot wait for a member that is busy elsewhere. A member that wakes after rank 0
// has finished may not be called, so only a team that meets may rely on all of them.
// The work must not throw: in another thread than the caller's, an exception ends the process.
void at_once(int count, void (*work)(void* with, int rank, int size), void* with);

template <class Work>
void at_once(int count, const Work& work) {
    at_once(
        count, [](void* with, int rank, int size) { (*static_cast<const Work*>(with))(rank, size); },
        const_cast<Work*>(&work));
}

// Calls work(part) for each of `count` parts. A thread takes the next part when it is free, so the caller does the work of
// threads that the system has not woken yet.
template <class Work>
void deal_out(int count, const Work& work) {
    std::atomic<int> next{0};
    at_once(count, [&](int, int) {
        for (int part; (part = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(part);
    });
}

// Calls work(with, half) for both halves, at the same time if there are threads. What a half calls at_once for is done
// by count / 2 threads of its own. The work must not throw, nor call at_once within the work of at_once: the threads of a
// half wait for its next call until it returns.
void in_halves(int count, void (*work)(void* with, int half), void* with);

template <class Work>
void in_halves(int count, const Work& work) {
    in_halves(
        count, [](void* with, int half) { (*static_cast<const Work*>(with))(half); }, const_cast<Work*>(&work));
}

}  // namespace ostinato
