// A program for ThreadSanitizer (make sanitize-threads): callers in several threads share the crew, teams meet, a process
// forks while it computes, and the process ends while the crew sleeps; and all of it on an OpenMP library whose
// synchronisation the sanitizer understands. It ends with 0 if every sum is right.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "openmp.h"
#include "team.h"

namespace {

void check(bool right, const char* what) {
    if (right) return;
    std::fprintf(stderr, "wrong: %s\n", what);
    std::_Exit(1);
}

// Each item is done once, by whoever is free.
void items(int count) {
    constexpr int size = 40;
    std::atomic<int> next{0};
    int done[size] = {};
    ostinato::at_once(count, [&](int, int) {
        for (int i; (i = next.fetch_add(1)) < size;) ++done[i];
    });
    for (int n : done) check(n == 1, "an item was done another number of times than once");
}

// Rank 0 writes what all read after they have met, in many rounds: what the teams of the kernels do.
void team(int count) {
    ostinato::Meeting meeting;
    int shared = 0;
    std::vector<int> found(count);
    ostinato::at_once(count, [&](int rank, int size) {
        for (int round = 1; round <= 20; ++round) {
            if (!rank) shared = round;
            if (size > 1) meet(meeting, size);
            found[rank] += shared;
            if (size > 1) meet(meeting, size);
        }
    });
    check(found[0] == 210, "the sum of a team");
}

// Each half calls for threads of its own, several times.
void halves(int count) {
    ostinato::in_halves(count, [&](int) {
        for (int round = 0; round < 3; ++round) items(count / 2), team(count / 2);
    });
}

// A library whose regions have 8 threads, or `granted` of them.
int granted = 8;
thread_local int rank_here = 0, size_here = 1;

void region(void (*work)(void*), void* with, unsigned, unsigned) {
    const auto enter = [&](int rank) {
        rank_here = rank, size_here = granted;
        work(with);
        rank_here = 0, size_here = 1;
    };
    std::vector<std::thread> others;
    for (int rank = 1; rank < granted; ++rank) others.emplace_back(enter, rank);
    enter(0);
    for (auto& each : others) each.join();
}

void all() {
    for (int round = 0; round < 60; ++round) {
        items(2 + round % 7), team(2 + round % 7);
        if (round % 4 == 0) halves(2 + round % 7);
    }
}

}  // namespace

int main() {
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) callers.emplace_back(all);
    for (auto& caller : callers) caller.join();
    ostinato::use_openmp({region, [] { return rank_here; }, [] { return size_here; }, [] { return 8; },
                          [] { return int(size_here > 1); }, false});
    for (granted = 1; granted <= 9; granted += 2) all();
    const pid_t child = fork();
    if (!child) {
        items(5);
        team(5);
        std::_Exit(0);
    }
    int status = 1;
    check(waitpid(child, &status, 0) == child && status == 0, "the child of a fork");
    items(5);
    std::puts("the threads of the engine: no race");
}
