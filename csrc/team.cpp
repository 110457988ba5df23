#include "team.h"

namespace ostinato {

// Who waits sleeps: on a busy machine a thread that looks again and again keeps the core from the one it waits for.
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
