#include "team.h"

namespace ostinato {

// A waiting thread sleeps. On a busy machine, a thread that polls would block the core that the other thread needs.
void meet(Meeting& m, int members) noexcept {
    std::unique_lock lock(m.mutex);
    const unsigned round = m.round;
    if (++m.arrived == members) {
        m.arrived = 0;
        ++m.round;
        m.all.notify_all();
    } else {
        m.all.wait(lock, [&] { return m.round != round; });
    }
}

}  // namespace ostinato
