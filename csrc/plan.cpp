#include "plan.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace ostinato {

namespace {

// The number of places in a chunk: for one thread it fits the cache; for a team it is larger, so that it seldom waits.
constexpr Index chunk = 256, shared_chunk = 2048;

// The nanoseconds that one more thread costs its caller: to wake it and to wait for it. On a quiet machine it is 5 us; a
// call must gain more than that, because the others of a busy machine make it wait longer.
constexpr double wake = 25e3;

// Of a single row, a team can share only the large products: about a fifth of the work.
constexpr double shared = 0.2;

std::atomic<bool> forced{false};

}  // namespace

void force_threads(bool force) { forced.store(force); }

int worth_threads(int threads, double work, const Layout& l, int tile) {
    if (forced.load()) return std::max(1, threads);
    const double gain = std::sqrt((l.rows == 1 ? shared : 1.0) * work / wake);
    // The rows of an average step: those of a ragged batch end one by one.
    double places = static_cast<double>(l.places), steps = static_cast<double>(l.steps);
    if (l.lengths) {
        places = std::accumulate(l.lengths, l.lengths + l.rows, 0.0);
        steps = l.rows ? static_cast<double>(*std::max_element(l.lengths, l.lengths + l.rows)) : 0.0;
    }
    const double tiles = l.rows == 1 ? threads : steps > 0 ? places / steps / tile : 0.0;
    return static_cast<int>(std::max(1.0, std::min({static_cast<double>(threads), gain, tiles})));
}

// The rows, the longest first, are assigned to the parts in turn, so that all parts get rows of all lengths.
Plan::Plan(const Layout& l, int threads)
    : parts_(std::max<Index>(1, std::min<Index>(threads, l.rows))), team_(l.rows == 1 ? std::max(1, threads) : 1) {
    const auto length = [&](Index row) { return l.lengths ? l.lengths[row] : l.steps; };
    for (Index row = 0; row < l.rows; ++row)
        if (length(row) < 0 || length(row) > l.steps) throw std::invalid_argument("a length is not of 0 to T steps");
    std::vector<Index> order(l.rows);
    std::iota(order.begin(), order.end(), Index{0});
    if (l.lengths)
        std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return l.lengths[a] > l.lengths[b]; });

    const Index parts = static_cast<Index>(parts_.size());
    for (Index k = 0; k < parts; ++k) {
        Arrays& part = parts_[k];
        for (Index i = k; i < l.rows; i += parts) part.order.push_back(order[i]);
        Index left = static_cast<Index>(part.order.size());
        const Index steps = left ? length(part.order[0]) : 0;
        part.active.reserve(steps);
        part.start.reserve(steps + 1);
        part.start.push_back(0);
        for (Index t = 0; t < steps; ++t) {
            while (length(part.order[left - 1]) <= t) --left;
            part.active.push_back(left);
            part.start.push_back(part.start.back() + left);
        }
        part.place.resize(part.start.back());
        for (Index t = 0; t < steps; ++t)
            for (Index i = 0; i < part.active[t]; ++i) {
                const Index row = part.order[i], step = l.reverse ? length(row) - 1 - t : t;
                const Index place = (l.base ? l.base[step] : step * l.rows) + (l.column ? l.column[row] : row);
                if (place < 0 || place >= l.places) throw std::invalid_argument("a step lies outside of x");
                part.place[part.start[t] + i] = place;
            }
    }
}

Index Plan::visited() const {
    Index sum = 0;
    for (const Arrays& part : parts_) sum += part.start.back();
    return sum;
}

Part Plan::operator[](int i) const {
    const Arrays& a = parts_[i];
    return {static_cast<Index>(a.order.size()), static_cast<Index>(a.active.size()), a.active.data(), a.start.data(),
            a.place.data(), a.order.data(), team_ > 1 ? shared_chunk : chunk};
}

}  // namespace ostinato
