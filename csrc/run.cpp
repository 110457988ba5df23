#include "run.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "team.h"

namespace ostinato {

namespace {

constexpr Team alone = {0, 1, nullptr};

// Calls work(part, team): each part in its own thread or, if there is only one part, in all threads of a team.
template <class Work>
void deal_out(const Plan& plan, const Work& work) {
    if (plan.team() > 1) {
        Meeting meeting;
        at_once(plan.team(), [&](int i, int size) { work(0, Team{i, size, &meeting}); });
    } else {
        at_once(plan.size(), [&](int i, int size) {
            for (int part = i; part < plan.size(); part += size) work(part, alone);
        });
    }
}

// Returns how many threads are worth starting: one for every ten million operations that they can share.
int worth(int threads, double operations) {
    return static_cast<int>(std::max(1.0, std::min<double>(threads, operations / 1e7)));
}
// For a single row, a team can share only a small part of the operations.
template <class T>
int worth(int threads, const Kernel<T>& kernel, const Shape& s, const Layout& l) {
    const double all = 2.0 * l.places * kernel.gates * s.hidden * (s.inputs + s.outputs);
    return worth(threads, l.rows == 1 ? all / 5 : all);
}

// Reading a number from memory takes about as long as ten operations. A single row is processed by one thread.
int worth(int threads, Index width, const Layout& l) { return l.rows == 1 ? 1 : worth(threads, 10.0 * l.places * width); }

// `saved` starts with the number of threads, which the saved numbers of the parts follow.
template <class T>
constexpr Index head = 64 / sizeof(T);

}  // namespace

template <class T>
SavedSize saved_size(const Kernel<T>& kernel, const Shape& shape) {
    return {head<T>, kernel.saved_count(shape, 1)};
}

template <class T>
void run_forward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads, const Weights<T>& w,
                 const Forward<T>& io) {
    const Plan plan(layout, worth(threads, kernel, shape, layout));
    const Buffer panels(kernel.panels_bytes(shape, false));
    kernel.pack(shape, w, false, panels.get());
    std::vector<Buffer> scratch;
    std::vector<Forward<T>> parts(plan.size(), io);
    if (io.saved) io.saved[0] = static_cast<T>(std::max(plan.size(), plan.team()));
    Index saved = head<T>;
    for (int i = 0; i < plan.size(); ++i) {
        const Part part = plan[i];
        scratch.emplace_back(kernel.forward_bytes(shape, part, io.saved));
        if (io.saved) parts[i].saved = io.saved + saved;
        saved += kernel.saved_count(shape, part.start[part.steps]);
    }
    if (plan.visited() < layout.places) std::memset(io.y, 0, layout.places * shape.outputs * sizeof(T));
    deal_out(plan, [&](int i, const Team& team) {
        kernel.forward(shape, plan[i], parts[i], panels.get(), scratch[i].get(), team);
    });
}

template <class T>
void run_backward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, const Weights<T>& w,
                  const Backward<T>& io, const WeightGradients<T>& gradients) {
    const Plan plan(layout, static_cast<int>(io.saved[0]));
    const Buffer panels(kernel.panels_bytes(shape, true));
    kernel.pack(shape, w, true, panels.get());
    std::vector<Buffer> scratch;
    std::vector<Backward<T>> parts(plan.size(), io);
    Index saved = head<T>;
    for (int i = 0; i < plan.size(); ++i) {
        const Part part = plan[i];
        scratch.emplace_back(kernel.backward_bytes(shape, part));
        parts[i].saved = io.saved + saved;
        saved += kernel.saved_count(shape, part.start[part.steps]);
    }
    if (io.dx && plan.visited() < layout.places) std::memset(io.dx, 0, layout.places * shape.inputs * sizeof(T));
    deal_out(plan, [&](int i, const Team& team) {
        kernel.backward(shape, plan[i], parts[i], panels.get(), scratch[i].get(), team);
    });
    if (!io.weights) return;
    for (int i = 1; i < plan.size(); ++i) kernel.add(shape, scratch[0].get(), scratch[i].get());
    kernel.collect(shape, scratch[0].get(), gradients);
}

template <class T>
void run_linear_forward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                        const LinearForward<T>& io) {
    const Plan plan(layout, worth(threads, width, layout));
    std::vector<Buffer> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.y, 0, layout.places * width * sizeof(T));
    deal_out(plan, [&](int i, const Team&) { kernel.forward[complex](width, plan[i], io, scratch[i].get()); });
}

template <class T>
void run_linear_backward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                         const LinearBackward<T>& io, T* da) {
    const Plan plan(layout, worth(threads, width, layout));
    std::vector<Buffer> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.du, 0, layout.places * width * sizeof(T));
    deal_out(plan, [&](int i, const Team&) { kernel.backward[complex](width, plan[i], io, scratch[i].get()); });
    std::fill_n(da, width, T(0));
    for (const Buffer& part : scratch)
        for (Index c = 0; c < width; ++c) da[c] += static_cast<const T*>(part.get())[c];
}

void run_smoothing(const SmoothingKernel& kernel, int error, int season, int threads, Smoothing io,
                   double* log_likelihood) {
    const Buffer sums(io.rows * 4 * sizeof(double));
    io.sums = static_cast<double*>(sums.get());
    const Index groups = (io.rows + kernel.lanes - 1) / kernel.lanes;
    const int parts = worth(std::min<Index>(threads, std::max<Index>(groups, 1)), 50.0 * io.rows * io.steps);
    std::vector<Buffer> scratch;
    for (int i = 0; i < parts; ++i) scratch.emplace_back(kernel.bytes(io));
    at_once(parts, [&](int i, int size) {
        for (int part = i; part < parts; part += size)
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

template <class T>
Step<T>::Step(const Kernel<T>& kernel, const Shape& shape, const Weights<T>& w)
    : kernel_(kernel),
      shape_(shape),
      part_{1, 1, one_, start_, &zero_, &zero_, 1},
      panels_(kernel.panels_bytes(shape, false)),
      scratch_(kernel.forward_bytes(shape, part_, false)) {
    kernel_.pack(shape_, w, false, panels_.get());
}

template <class T>
void Step<T>::operator()(const T* x, const T* h, const T* c, T* h_next, T* c_next) const {
    kernel_.forward(shape_, part_, {x, h, c, h_next, h_next, c_next, nullptr}, panels_.get(), scratch_.get(), alone);
}

#define OSTINATO_FOR(T)                                                                                             \
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
