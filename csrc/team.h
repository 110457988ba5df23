// The threads of one call. Each has its own rows, or all work on one part together (a Team, see engine.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "engine.h"

namespace ostinato {

struct Meeting {
    std::mutex mutex;
    std::condition_variable all;
    int arrived = 0;
    unsigned round = 0;
};

// Calls work(i, size) for i = 0 .. size - 1 in parallel. size is `count`, or less if the system does not give more
// threads. The threads are started for the call and joined, which costs about 20 us each. A permanent pool would
// compete with the threads of torch, would be lost in a fork, and would have to be shared by concurrent callers.
template <class Work>
void at_once(int count, const Work& work) {
    std::atomic<int> size{0};
    std::vector<std::thread> others;
    others.reserve(count - 1);
    try {
        for (int i = 1; i < count; ++i)
            others.emplace_back([&work, &size, i] {
                while (!size.load(std::memory_order_acquire)) std::this_thread::yield();
                work(i, size.load(std::memory_order_relaxed));
            });
    } catch (const std::system_error&) {
        // The threads that were started do the work.
    }
    const int found = static_cast<int>(others.size()) + 1;
    size.store(found, std::memory_order_release);
    work(0, found);
    for (auto& other : others) other.join();
}

}  // namespace ostinato
