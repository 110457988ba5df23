// The interpreter's lock, which a call releases while it computes.
//
// A thread that takes the lock again while the interpreter ends is ended by it in the middle of C++ code, and the process
// aborts. So the module's hook at exit closes the gate: from then on a thread other than the one that ends the
// interpreter waits before it takes the lock, for ever if the interpreter does end. It goes on after a second otherwise,
// for a later hook may wait for this thread.
#pragma once

#include <Python.h>
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace ostinato {

class Unlocked {
  public:
    Unlocked() : state_(PyEval_SaveThread()) { pass(); }
    ~Unlocked() {
        pass();
        PyEval_RestoreThread(state_);
    }
    Unlocked(const Unlocked&) = delete;

    static void close() { closer().store(std::this_thread::get_id()); }

  private:
    static std::atomic<std::thread::id>& closer() {
        static std::atomic<std::thread::id> thread{};
        return thread;
    }

    // The function has its public name from Python 3.13 on, which the stable ABI of 3.12 does not declare. It is looked up
    // by name, so that one wheel serves both; without either the gate opens after a second.
    static bool ends() {
        using Answer = int (*)();
        static const auto answer = [] {
            void* found = dlsym(RTLD_DEFAULT, "Py_IsFinalizing");
            return reinterpret_cast<Answer>(found ? found : dlsym(RTLD_DEFAULT, "_Py_IsFinalizing"));
        }();
        return answer && answer();
    }

    static void pass() {
        const std::thread::id closed = closer().load();
        if (closed == std::thread::id{} || closed == std::this_thread::get_id()) return;
        for (int waited = 0; waited < 1000 || ends(); waited += waited < 1000)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    PyThreadState* state_;
};

}  // namespace ostinato
