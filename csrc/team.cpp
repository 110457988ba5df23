#include "team.h"

#include <atomic>
#include <deque>
#include <system_error>
#include <thread>

#include "openmp.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#define OSTINATO_POSIX
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ostinato {

namespace {

inline void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

// One call of at_once, on the stack of its caller. The mutex of the crew protects it.
struct Job {
    void (*work)(void*, int, int);
    void* with;
    int size = 1, openings = 0;      // the threads that are reserved for it and have not begun
    int begun = 0, active = 0;       // the threads that have begun, and those of them that still work
    std::condition_variable done{};  // active is 0
};

// The threads that have been started. A crew is never destroyed: its threads sleep until the process ends, and a
// thread that sleeps on memory that is never freed cannot crash while the process ends.
class Crew {
  public:
    void serve(Job& job, int wanted) {
        {
            const std::lock_guard lock(mutex_);
            while (free_ < wanted && start()) ++free_;
            job.openings = wanted < free_ ? wanted : free_;
            job.size = job.openings + 1;
            free_ -= job.openings;
            if (job.openings) jobs_.push_back(&job);
        }
        for (int i = 1; i < job.size; ++i) called_.notify_one();
        job.work(job.with, 0, job.size);
        std::unique_lock lock(mutex_);
        if (job.openings) {  // a thread that has not begun has nothing left to do
            free_ += job.openings;
            job.openings = 0;
            for (auto at = jobs_.begin(); at != jobs_.end(); ++at)
                if (*at == &job) {
                    jobs_.erase(at);
                    break;
                }
        }
        job.done.wait(lock, [&] { return !job.active; });
    }

  private:
    static constexpr int most = 1023;

    void live() {
        std::unique_lock lock(mutex_);
        for (;;) {
            called_.wait(lock, [&] { return !jobs_.empty(); });
            Job& job = *jobs_.front();
            if (!--job.openings) jobs_.pop_front();
            const int rank = ++job.begun;
            ++job.active;
            lock.unlock();
            job.work(job.with, rank, job.size);
            lock.lock();
            ++free_;
            if (!--job.active) job.done.notify_one();
        }
    }

    // Starts a thread, which takes no signals: they are for the threads of the program. Returns whether there is one.
    bool start() {
        if (threads_ == most) return false;
#if defined(OSTINATO_POSIX)
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
        bool started = true;
        try {
            std::thread([this] { live(); }).detach();
            ++threads_;
        } catch (const std::system_error&) {
            started = false;
        }
#if defined(OSTINATO_POSIX)
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
        return started;
    }

    std::mutex mutex_;
    std::condition_variable called_;
    std::deque<Job*> jobs_;  // with openings, the oldest first
    int threads_ = 0, free_ = 0;  // free: reserved for no job
};

std::atomic<Crew*> current{nullptr};

// A fork copies only the thread that calls it. The child leaves the crew of its parent, whose mutex may be locked, where
// it is, and starts a crew of its own when it needs one.
Crew& crew() {
    Crew* found = current.load(std::memory_order_acquire);
    if (found) return *found;
#if defined(OSTINATO_POSIX)
    static const int registered =
        pthread_atfork(nullptr, nullptr, [] { current.store(nullptr, std::memory_order_release); });
    static_cast<void>(registered);
#endif
    Crew* made = new Crew;
    if (current.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return *made;
    delete made;
    return *found;
}

// The threads of one half of a region of OpenMP. One of them leads; the others wait for what it calls at_once for.
class Half {
  public:
    explicit Half(int size) : size_(size) {}

    void serve(int count, void (*work)(void*, int, int), void* with) {
        work_ = work, with_ = with, count_ = count < size_ ? count : size_;
        gather();
        work(with, 0, count_);
        gather();
    }
    void attend(int rank) {
        for (;;) {
            gather();
            if (!work_) return;
            if (rank < count_) work_(with_, rank, count_);
            gather();
        }
    }
    void dismiss() {
        work_ = nullptr;
        gather();
    }

  private:
    void gather() {
        if (size_ > 1) meet(meeting_, size_);
    }

    Meeting meeting_;
    const int size_;
    int count_ = 0;
    void (*work_)(void*, int, int) = nullptr;
    void* with_ = nullptr;
};

thread_local Half* led = nullptr;  // by this thread

}  // namespace

void at_once(int count, void (*work)(void*, int, int), void* with) {
    if (count <= 1) return work(with, 0, 1);
    if (led) return led->serve(count, work, with);
    if (const OpenMp* library = openmp_for(count)) return in_region(*library, count, work, with);
    Job job{work, with};
    crew().serve(job, count - 1);
}

void in_halves(int count, void (*work)(void*, int), void* with) {
    const OpenMp* library = led || count < 4 ? nullptr : openmp_for(count);
    if (!library) return deal_out(2, [&](int half) { work(with, half); });
    Half halves[2] = {Half(count / 2), Half(count / 2)};
    const auto lead = [&](int half, Half& those) {
        led = &those;
        work(with, half);
        led = nullptr;
        those.dismiss();
    };
    const auto enter = [&](int rank, int size) {
        if (size == count / 2 * 2) {
            const int half = rank / (size / 2), member = rank % (size / 2);
            return member ? halves[half].attend(member) : lead(half, halves[half]);
        }
        if (rank) return;  // the library grants fewer threads
        for (int half = 0; half < 2; ++half) {
            Half alone(1);
            lead(half, alone);
        }
    };
    in_region(
        *library, count / 2 * 2, [](void* all, int rank, int size) { (*static_cast<decltype(enter)*>(all))(rank, size); },
        const_cast<void*>(static_cast<const void*>(&enter)));
}

void meet(Meeting& m, int members) noexcept {
    const unsigned round = m.round.load();
    if (m.arrived.fetch_add(1) + 1 == members) {
        m.arrived.store(0);
        m.round.store(round + 1);
        if (m.asleep.load()) {  // a thread that is about to sleep holds the mutex until it does
            { const std::lock_guard lock(m.mutex); }
            m.all.notify_all();
        }
        return;
    }
    const int patience = m.patience.load(std::memory_order_relaxed);
    for (int look = 0; look < patience; ++look) {
        if (m.round.load() != round) {
            if (patience < Meeting::most) m.patience.store(2 * patience, std::memory_order_relaxed);
            return;
        }
        pause();
    }
    std::unique_lock lock(m.mutex);
    m.asleep.fetch_add(1);
    m.all.wait(lock, [&] { return m.round.load() != round; });
    m.asleep.fetch_sub(1);
    if (patience > Meeting::least) m.patience.store(patience / 2, std::memory_order_relaxed);
}

}  // namespace ostinato
