#include "pool.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define OSTINATO_POSIX
#endif
#if defined(OSTINATO_SANITIZE)
#include <sanitizer/asan_interface.h>
#endif

namespace ostinato {

namespace {

constexpr std::size_t huge = std::size_t{2} << 20;
#if defined(OSTINATO_SANITIZE)  // no pool, so that a sanitizer sees the end of a buffer
constexpr std::size_t limit = 0, smallest = 128;
#else
constexpr std::size_t limit = std::size_t{256} << 20, smallest = 4096;
#endif

// Rounds to one of four sizes per power of two: a buffer is at most a quarter larger than requested.
std::size_t rounded(std::size_t bytes) {
    std::size_t step = smallest;
    while (limit && step * 8 < bytes) step *= 2;
    const std::size_t size = (bytes + step - 1) / step * step;
    return size ? size : smallest;
}

struct Kept {
    std::mutex mutex;
    std::map<std::size_t, std::vector<void*>> free;  // the free buffers by rounded size
    std::size_t bytes = 0;
};

// The pool is never destroyed, because tensors can return buffers while the process ends. A fork waits until no thread
// changes the pool, so that the child gets one that is whole.
Kept& kept() {
    static Kept* const pool = [] {
#if defined(OSTINATO_POSIX)
        pthread_atfork([] { kept().mutex.lock(); }, [] { kept().mutex.unlock(); }, [] { kept().mutex.unlock(); });
#endif
        return new Kept;
    }();
    return *pool;
}

}  // namespace

void* take_memory(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    {
        Kept& pool = kept();
        const std::lock_guard lock(pool.mutex);
        const auto found = pool.free.find(size);
        if (found != pool.free.end() && !found->second.empty()) {
            void* at = found->second.back();
            found->second.pop_back();
            pool.bytes -= size;
            return at;
        }
    }
    void* at = std::aligned_alloc(size >= huge ? huge : smallest, size >= huge ? (size + huge - 1) / huge * huge : size);
    if (!at) throw std::bad_alloc();
#if defined(__linux__)
    if (size >= huge) madvise(at, size, MADV_HUGEPAGE);  // only a hint; if the system ignores it, access is slower
#endif
#if defined(OSTINATO_SANITIZE)  // what the size was rounded up by is not the caller's
    __asan_poison_memory_region(static_cast<char*>(at) + bytes, size - bytes);
#endif
    return at;
}

void give_memory(void* at, std::size_t bytes) noexcept {
    const std::size_t size = rounded(bytes);
#if defined(OSTINATO_SANITIZE)
    __asan_unpoison_memory_region(at, size);
#endif
    Kept& pool = kept();
    {
        const std::lock_guard lock(pool.mutex);
        if (pool.bytes + size <= limit) try {
                pool.free[size].push_back(at);
                pool.bytes += size;
                return;
            } catch (const std::bad_alloc&) {
                // There is no memory for the entry in the pool, so the buffer is freed.
            }
    }
    std::free(at);
}

std::size_t release_memory() noexcept {
    Kept& pool = kept();
    const std::lock_guard lock(pool.mutex);
    for (auto& [size, pieces] : pool.free) {
        for (void* at : pieces) std::free(at);
        pieces.clear();
    }
    const std::size_t bytes = pool.bytes;
    pool.bytes = 0;
    return bytes;
}

}  // namespace ostinato
