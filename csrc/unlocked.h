// The interpreter's lock, which a call releases while it computes.
//
// A thread that takes the lock again while the interpreter ends is ended by it in the middle of C++ code, and the process
// aborts. So the module's hook at exit closes the gate: from then on a thread other than the one that ends the
// interpreter waits before it takes the lock, for ever if the interpreter does end. It goes on after a second otherwise,
// for a later hook may wait for this thread.
#pragma once

#include <Python.h>

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

    static bool ends() {
#if PY_VERSION_HEX >= 0x030D0000
        return Py_IsFinalizing();
#else
        return _Py_IsFinalizing();
#endif
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
