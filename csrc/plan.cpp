#include "plan.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace ostinato {

namespace {

// The number of places in a chunk: for one thread it fits the cache; for a team it is larger, so that it seldom waits.
constexpr Index chunk = 256, team_chunk = 1024, row_chunk = 2048;

// The model. A grid of parts x team threads takes, in nanoseconds,
//
//     work * rows(parts) * columns(team)   the largest share of the products,
//     + wake + wake_more (threads - 2)     to wake the others and to wait for them,
//     + steps * meeting(team)              if a team shares the steps,
//     + exchange * bytes * steps           and to read the states and gradients that the others of the team computed,
//     + stream * bytes * steps             to read the weights of a member again in each step, if its cache is too small,
//
// where a tile costs as much as `tile_cost` rows more than it has. The constants are fitted to the times of 18 grids of
// the catalogue on 16 quiet cores (benchmarks/threads.py --grids --catalogue): of the grids with at most 4, 8 or 16
// threads they choose the fastest, or on average one that is 5 % slower. Only the first wake and a meeting are priced
// higher than they were measured (4 and 0.5 us), because a thread of a busy machine comes late.
constexpr double wake = 19e3, wake_more = 2e3, meeting = 1e3, meeting_each = 50, exchange = 0.1, stream = 0.02,
                 cache = 1.2e6, tile_cost = 6;

// A part has at least this share of the rows of a register tile.
constexpr double least_tile = 0.25;

// Of a single row, a team that does not step together can share only the large products: about a fifth of the work.
constexpr double shared = 0.2;

std::atomic<int> forced_parts{0}, forced_team{0};

// The rows of an average step: those of a ragged batch end one by one.
struct Average {
    double rows, steps;

    explicit Average(const Layout& l) : rows(0), steps(static_cast<double>(l.steps)) {
        double places = static_cast<double>(l.places);
        if (l.lengths) {
            places = std::accumulate(l.lengths, l.lengths + l.rows, 0.0);
            steps = l.rows ? static_cast<double>(*std::max_element(l.lengths, l.lengths + l.rows)) : 0.0;
        }
        if (steps > 0) rows = places / steps;
    }
};

// The rows of the largest of so many parts, as the work that they are.
double effective_rows(double rows, int parts, int tile) {
    const double mine = std::max(1.0, rows / parts);
    return mine + tile_cost * std::ceil(mine / tile);
}

double waking(int threads) { return threads > 1 ? wake + wake_more * (threads - 2) : 0; }

}  // namespace

void force_grid(int parts, int team) { forced_parts.store(parts), forced_team.store(team); }

int worth_threads(int threads, double work, const Layout& l, int tile) {
    if (forced_parts.load()) return std::max(1, threads);
    const Average average(l);
    const double most = std::min({static_cast<double>(threads), std::sqrt(work / wake), average.rows / tile});
    return static_cast<int>(std::max(1.0, most));
}

// Twice of what pays on a quiet machine: the other thread of a busy one comes late.
bool worth_halves(int threads, double work) { return threads > 1 && threads != 3 && work > 4 * wake; }

Grid worth_grid(int threads, const Effort& e, const Layout& l) {
    const Index columns = std::max<Index>(1, e.blocks);
    if (const int forced = forced_parts.load()) {
        const int parts = std::clamp(forced, 1, std::max(1, threads)), most = forced_team.load();
        if (l.rows == 1 && most == 1) return {1, parts, false};
        const int team = static_cast<int>(std::clamp<Index>(threads / parts, 1, std::min<Index>(most, columns)));
        return {parts, team, team > 1};
    }
    if (threads <= 1 || e.work < 2 * wake) return {};
    const Average average(l);
    const double whole = effective_rows(average.rows, 1, e.tile);
    const auto time = [&](const Grid& g) {
        const double rows = effective_rows(average.rows, g.parts, e.tile) / whole;
        double share = 1, waiting = 0, bytes = e.step_bytes;
        if (g.together) {
            share = static_cast<double>((columns + g.team - 1) / g.team) / columns;
            waiting = average.steps * (meeting + meeting_each * g.team + exchange * e.row_bytes * average.rows / g.parts);
            bytes *= share;
        } else if (g.team > 1) {
            share = 1 - shared + shared / g.team;
        }
        const double again = bytes > cache ? stream * bytes * average.steps : 0;
        return e.work * rows * share + waking(g.threads()) + waiting + again;
    };
    Grid best;
    double shortest = time(best);
    const auto consider = [&](const Grid& g) {
        const double t = time(g);
        if (t < shortest) best = g, shortest = t;
    };
    const int most_parts = static_cast<int>(std::clamp(average.rows / (least_tile * e.tile), 1.0, static_cast<double>(threads)));
    for (int parts = 1; parts <= most_parts; ++parts) {
        if (parts > 1) consider({parts, 1, false});
        for (int team = 2; team <= std::min<Index>(threads / parts, columns); ++team) consider({parts, team, true});
    }
    if (l.rows == 1)
        for (int team = 2; team <= threads; ++team) consider({1, team, false});
    return best;
}

// The rows, the longest first, are assigned to the parts in turn, so that all parts get rows of all lengths.
Plan::Plan(const Layout& l, Grid grid)
    : parts_(std::max<Index>(1, std::min<Index>(grid.parts, l.rows))), grid_(grid) {
    grid_.parts = static_cast<int>(parts_.size());
    const auto length = [&](Index row) { return l.lengths ? l.lengths[row] : l.steps; };
    for (Index row = 0; row < l.rows; ++row)
        if (length(row) < 0 || length(row) > l.steps) throw std::invalid_argument("a length is not of 0 to T steps");
    std::vector<Index> order(l.rows);
    std::iota(order.begin(), order.end(), Index{0});
    if (l.lengths)
        std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return l.lengths[a] > l.lengths[b]; });

    const Index parts = static_cast<Index>(parts_.size());
    std::vector<bool> taken(l.base || l.column ? l.places : 0);  // a padded batch has a place for each step by its form
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
                Index place;
                if (__builtin_add_overflow(l.base ? l.base[step] : step * l.rows, l.column ? l.column[row] : row, &place) ||
                    place < 0 || place >= l.places)
                    throw std::invalid_argument("a step lies outside of x");
                // both would write the same output, and what is saved for backward has room for each place once
                if (!taken.empty()) {
                    if (taken[place]) throw std::invalid_argument("two steps lie at the same place of x");
                    taken[place] = true;
                }
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
            a.place.data(), a.order.data(), grid_.together ? team_chunk : grid_.team > 1 ? row_chunk : chunk};
}

}  // namespace ostinato
