#include "run.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "team.h"

namespace ostinato {

namespace {

constexpr Team alone = {0, 1, true, nullptr};

// The bytes of weights from which threads share the packing: it takes as long as to wake them.
constexpr std::size_t shared_weights = std::size_t{1} << 20;

// Runs a call: prepare(team) by all threads, then work(part, team), then finish(team) by all threads again. prepare and
// finish do the share of a member. Teams have all their threads to the end, as the members wait for each other. Threads
// without a team take the next part when they are free, and large shares of prepare and finish.
template <class Prepare, class Work, class Finish>
void share_out(const Plan& plan, std::size_t weights, const Prepare& prepare, const Work& work, const Finish& finish) {
    const Grid grid = plan.grid();
    if (grid.team > 1) {
        Meeting all;
        std::vector<Meeting> meetings(grid.parts);
        at_once(grid.threads(), [&](int rank, int size) {
            const Team whole{rank, size, true, &all};
            const auto everybody = [&] {
                if (size > 1) meet(all, size);
            };
            prepare(whole);
            everybody();
            if (size == grid.threads())
                work(rank / grid.team, Team{rank % grid.team, grid.team, grid.together, &meetings[rank / grid.team]});
            else  // the system gives no more threads
                for (int part = 0; part < grid.parts; ++part)
                    work(part, Team{rank, size, grid.together, &meetings[part]});
            everybody();
            finish(whole);
        });
        return;
    }
    const int shares = weights < shared_weights ? 1 : grid.parts;
    const auto dealt = [&](const auto& share) {
        deal_out(shares, [&](int rank) { share(Team{rank, shares, true, nullptr}); });
    };
    dealt(prepare);
    deal_out(grid.parts, [&](int part) { work(part, alone); });
    dealt(finish);
}

// `saved` starts with the grid, which the saved numbers of the parts follow.
template <class T>
constexpr Index head = 64 / sizeof(T);

// The operations of a lane of a vector in a nanosecond, about half of the peak: 5 to 9 were measured at H = 64 to 512.
constexpr double lane_speed = 5.7;

// The nanoseconds to read a byte from memory and to write one.
constexpr double byte_time = 0.12;

// The nanoseconds of a step of exponential smoothing with its gradient, in one lane of a vector.
constexpr double smoothing_time = 5.0;

// One thread runs a single row.
template <class T>
Grid rows_of(Index width, const Layout& l, int threads) {
    return {l.rows <= 1 ? 1 : worth_threads(threads, byte_time * l.places * width * sizeof(T), l, 1)};
}

// The nanoseconds of the forward products of a call on one thread.
template <class T>
double work_of(const Kernel<T>& kernel, const Shape& s, const Layout& l) {
    const double operations = 2.0 * l.places * kernel.gates * s.hidden * (s.inputs + s.outputs);
    return operations / (lane_speed * (set_in_use().vector_bytes / sizeof(T)));
}

Shape split(Shape shape, const Grid& grid) {
    shape.split = grid.together ? grid.team : 1;
    return shape;
}

}  // namespace

template <class T>
Grid grid_of(const Kernel<T>& kernel, const Shape& s, const Layout& l, int threads) {
    const Index lanes = set_in_use().vector_bytes / sizeof(T);
    const double bytes = static_cast<double>(kernel.gates * s.hidden * s.outputs * sizeof(T));
    const double row_bytes = static_cast<double>((kernel.gates * s.hidden + s.outputs) * sizeof(T));
    return worth_grid(threads, {work_of(kernel, s, l), bytes, row_bytes, kernel.tile, (s.outputs + lanes - 1) / lanes}, l);
}

template <class T>
SavedSize saved_size(const Kernel<T>& kernel, const Shape& shape) {
    return {head<T>, kernel.saved_count(shape, 1)};
}

template <class T>
void run_forward(const Kernel<T>& kernel, const Shape& given, const Layout& layout, int threads, const Weights<T>& w,
                 const Forward<T>& io) {
    const Plan plan(layout, grid_of(kernel, given, layout, threads));
    const Grid grid = plan.grid();
    const Shape shape = split(given, grid);
    const Buffer panels(kernel.panels_bytes(shape, false));
    std::vector<Buffer> scratch;
    std::vector<Forward<T>> parts(plan.size(), io);
    if (io.saved)
        io.saved[0] = static_cast<T>(grid.parts), io.saved[1] = static_cast<T>(grid.team), io.saved[2] = grid.together;
    Index saved = head<T>;
    for (int i = 0; i < plan.size(); ++i) {
        const Part part = plan[i];
        scratch.emplace_back(kernel.forward_bytes(shape, part, io.saved));
        if (io.saved) parts[i].saved = io.saved + saved;
        saved += kernel.saved_count(shape, part.start[part.steps]);
    }
    for (Index place = 0; plan.visited() < layout.places && place < layout.places; ++place)
        std::memset(io.y + place * shape.row, 0, shape.outputs * sizeof(T));
    share_out(
        plan, kernel.panels_bytes(shape, false), [&](const Team& team) { kernel.pack(shape, w, false, panels.get(), team); },
        [&](int i, const Team& team) { kernel.forward(shape, plan[i], parts[i], panels.get(), scratch[i].get(), team); },
        [](const Team&) {});
}

template <class T>
void run_backward(const Kernel<T>& kernel, const Shape& given, const Layout& layout, const Weights<T>& w,
                  const Backward<T>& io, const WeightGradients<T>& gradients) {
    const auto threads = [&](int i) {
        if (!(io.saved[i] >= 1 && io.saved[i] <= 1 << 16)) throw std::invalid_argument("the saved numbers are not those of a forward pass");
        return static_cast<int>(io.saved[i]);
    };
    const Plan plan(layout, {threads(0), threads(1), io.saved[2] != 0});
    const Shape shape = split(given, plan.grid());
    const Buffer panels(kernel.panels_bytes(shape, true));
    std::vector<Buffer> scratch;
    std::vector<void*> sums;
    std::vector<Backward<T>> parts(plan.size(), io);
    Index saved = head<T>;
    for (int i = 0; i < plan.size(); ++i) {
        const Part part = plan[i];
        scratch.emplace_back(kernel.backward_bytes(shape, part));
        sums.push_back(scratch.back().get());
        parts[i].saved = io.saved + saved;
        saved += kernel.saved_count(shape, part.start[part.steps]);
    }
    if (io.dx && plan.visited() < layout.places) std::memset(io.dx, 0, layout.places * shape.inputs * sizeof(T));
    share_out(
        plan, kernel.panels_bytes(shape, true), [&](const Team& team) { kernel.pack(shape, w, true, panels.get(), team); },
        [&](int i, const Team& team) { kernel.backward(shape, plan[i], parts[i], panels.get(), sums[i], team); },
        [&](const Team& team) {
            if (io.weights) kernel.collect(shape, sums.data(), plan.size(), gradients, team);
        });
}

template <class T>
const Kernel<T>& find(const std::string& cell) {
    const Kernels& set = set_in_use();
    for (int i = 0; i < set.count; ++i)
        if (cell == set.cells[i]->name) {
            if constexpr (sizeof(T) == 4)
                return set.cells[i]->float32;
            else
                return set.cells[i]->float64;
        }
    throw std::invalid_argument("no cell is called " + cell);
}

template <class T>
bool worth_apart(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads) {
    return worth_halves(threads, work_of(kernel, shape, layout));
}

void run_directions(int threads, bool apart, const std::function<void(int, int)>& run) {
    if (!apart) return run(0, threads), run(1, threads);
    std::exception_ptr thrown[2];
    in_halves(threads, [&](int direction) {
        try {
            run(direction, threads / 2);
        } catch (...) {  // it would end the process in another thread
            thrown[direction] = std::current_exception();
        }
    });
    for (const auto& each : thrown)
        if (each) std::rethrow_exception(each);
}

template <class T>
void run_linear_forward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                        const LinearForward<T>& io) {
    const Plan plan(layout, rows_of<T>(width, layout, threads));
    std::vector<Buffer> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.y, 0, layout.places * width * sizeof(T));
    deal_out(plan.size(), [&](int i) { kernel.forward[complex](width, plan[i], io, scratch[i].get()); });
}

template <class T>
void run_linear_backward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                         const LinearBackward<T>& io, T* da) {
    const Plan plan(layout, rows_of<T>(width, layout, threads));
    std::vector<Buffer> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.du, 0, layout.places * width * sizeof(T));
    deal_out(plan.size(), [&](int i) { kernel.backward[complex](width, plan[i], io, scratch[i].get()); });
    std::fill_n(da, width, T(0));
    for (const Buffer& part : scratch)
        for (Index c = 0; c < width; ++c) da[c] += static_cast<const T*>(part.get())[c];
}

void run_smoothing(const SmoothingKernel& kernel, int error, int season, int threads, Smoothing io,
                   double* log_likelihood) {
    const Buffer sums(io.rows * 4 * sizeof(double));
    io.sums = static_cast<double*>(sums.get());
    const Index groups = (io.rows + kernel.lanes - 1) / kernel.lanes;
    const Layout layout{groups, io.steps, groups * io.steps, nullptr, nullptr, nullptr, false};
    const int limit = static_cast<int>(std::min<Index>(threads, std::max<Index>(groups, 1)));
    const int parts = worth_threads(limit, smoothing_time * io.rows * io.steps, layout, 1);
    std::vector<Buffer> scratch;
    for (int i = 0; i < parts; ++i) scratch.emplace_back(kernel.bytes(io));
    deal_out(parts, [&](int part) {
        kernel.run[error][season](io, groups * part / parts * kernel.lanes,
                                  std::min(groups * (part + 1) / parts * kernel.lanes, io.rows), scratch[part].get());
    });
    constexpr double log_2pi = 1.8378770664093454836, log_2 = 0.69314718055994530942;
    for (Index b = 0; b < io.rows; ++b) {
        const double *sum = io.sums + 4 * b, n = sum[1];
        const double value = n ? -n / 2 * (log_2pi + 1 + std::log(sum[0] / n + io.floor[b])) - std::log(sum[2]) - sum[3] * log_2 : 0;
        log_likelihood[b] = std::isnan(value) ? -HUGE_VAL : value;
    }
}

namespace {
std::vector<Index> numbers(Index count) {
    std::vector<Index> all(count);
    for (Index i = 0; i < count; ++i) all[i] = i;
    return all;
}
}  // namespace

template <class T>
Step<T>::Step(const Kernel<T>& kernel, const Shape& shape, const Weights<T>& w, Index rows)
    : kernel_(kernel),
      shape_(shape),
      active_(rows),
      start_{0, rows},
      order_(numbers(rows)),
      part_{rows, 1, &active_, start_, order_.data(), order_.data(), rows},
      panels_(kernel.panels_bytes(shape, false)),
      scratch_(kernel.forward_bytes(shape, part_, false)) {
    kernel_.pack(shape_, w, false, panels_.get(), alone);
}

template <class T>
void Step<T>::operator()(const T* x, const T* h, const T* c, T* h_next, T* c_next) const {
    kernel_.forward(shape_, part_, {x, h, c, h_next, h_next, c_next, nullptr}, panels_.get(), scratch_.get(), alone);
}

#define OSTINATO_FOR(T)                                                                                             \
    template const Kernel<T>& find(const std::string&);                                                             \
    template bool worth_apart(const Kernel<T>&, const Shape&, const Layout&, int);                                  \
    template Grid grid_of(const Kernel<T>&, const Shape&, const Layout&, int);                                      \
    template SavedSize saved_size(const Kernel<T>&, const Shape&);                                                   \
    template void run_forward(const Kernel<T>&, const Shape&, const Layout&, int, const Weights<T>&,                \
                              const Forward<T>&);                                                                   \
    template void run_backward(const Kernel<T>&, const Shape&, const Layout&, const Weights<T>&, const Backward<T>&, \
                               const WeightGradients<T>&);                                                          \
    template void run_linear_forward(const Linear<T>&, Index, bool, const Layout&, int, const LinearForward<T>&);   \
    template void run_linear_backward(const Linear<T>&, Index, bool, const Layout&, int, const LinearBackward<T>&, T*);
template class Step<float>;
template class Step<double>;
OSTINATO_FOR(float)
OSTINATO_FOR(double)
#undef OSTINATO_FOR

}  // namespace ostinato
