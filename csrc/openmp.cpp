#include "openmp.h"

#include <atomic>
#include <chrono>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <time.h>
#define OSTINATO_POSIX
#endif

namespace ostinato {

namespace {

// Never freed: a thread may still be reading the last one.
std::atomic<const OpenMp*> current{nullptr};
std::atomic<bool> forked{false};

// Whether others use the threads of this thread's regions: the processor time of one of them shows it, because it runs on
// after a region and then sleeps. After a region of our own it runs on as well, so for as long as that is `fresh`, calls
// compute on the crew and do not look. Once others were seen, calls take the threads for a `pause` without a look. The
// calls after it take the crew until a look says again that others use the threads.
class Watch {
  public:
    bool others() {
#if defined(__linux__)
        if (!known_) return true;  // a region will show the threads
        const auto now = Clock::now();
        if (used_ && now < until_) return true;
        used_ = false;
        if (now < left_ + fresh) return false;
        timespec time;
        if (clock_gettime(clock_, &time)) {  // the thread has ended
            known_ = false;
            return true;
        }
        const Nanoseconds ran = std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
        used_ = compared_ && ran - ran_ > little;
        if (used_) until_ = now + pause;
        compared_ = true, ran_ = ran;
        return used_;
#else
        return true;
#endif
    }

#if defined(__linux__)
    // One of the threads reports that it serves a region.
    void seen() { known_ = !pthread_getcpuclockid(pthread_self(), &clock_); }
#else
    void seen() {}
#endif
    void left() { left_ = Clock::now(), compared_ = false; }

  private:
    using Clock = std::chrono::steady_clock;
    using Nanoseconds = std::chrono::nanoseconds;
    // GCC's library polls 300,000 times, which takes 1 to 20 milliseconds
    static constexpr Nanoseconds fresh = std::chrono::milliseconds(30), pause = std::chrono::seconds(10),
                                 little = std::chrono::microseconds(50);
    bool known_ = false, used_ = false, compared_ = false;
#if defined(__linux__)
    clockid_t clock_{};
#endif
    Nanoseconds ran_{};
    Clock::time_point left_{}, until_{};
};

thread_local Watch watch;

struct Region {
    const OpenMp& library;
    Watch& watch;
    int count;
    void (*work)(void*, int, int);
    void* with;
};

void enter(void* with) {
    const Region& region = *static_cast<Region*>(with);
    const int rank = region.library.rank(), granted = region.library.size();
    const int size = granted < region.count ? granted : region.count;
    if (rank == 1) region.watch.seen();
    if (rank < size) region.work(region.with, rank, size);
}

}  // namespace

void use_openmp(const OpenMp& library) {
#if defined(OSTINATO_POSIX)
    static const int registered =
        pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });
    static_cast<void>(registered);
#endif
    current.store(library.parallel ? new OpenMp(library) : nullptr, std::memory_order_release);
}

const OpenMp* openmp_with(int count) {
    const OpenMp* library = current.load(std::memory_order_acquire);
    if (!library || forked.load(std::memory_order_relaxed)) return nullptr;
    return library->most() >= count && !library->inside() ? library : nullptr;
}

const OpenMp* openmp_for(int count) {
    const OpenMp* library = openmp_with(count);
    return library && (!library->watched || watch.others()) ? library : nullptr;
}

void in_region(const OpenMp& library, int count, void (*work)(void*, int, int), void* with) {
    Region region{library, watch, count, work, with};
    library.parallel(enter, &region, 0, 0);
    watch.left();
}

}  // namespace ostinato
