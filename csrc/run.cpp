#include "run.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "team.h"

namespace ostinato {

namespace {

constexpr Team alone = {0, 1, nullptr};

// Calls work(part, team): each part in one thread or, if there is only one part, in all threads of a team. A thread takes
// the next part when it is free, so the caller does the work of threads that the system has not woken yet.
template <class Work>
void deal_out(const Plan& plan, const Work& work) {
    if (plan.team() > 1) {
        Meeting meeting;
        at_once(plan.team(), [&](int rank, int size) { work(0, Team{rank, size, &meeting}); });
    } else {
        std::atomic<int> next{0};
        at_once(plan.size(), [&](int, int) {
            for (int part; (part = next.fetch_add(1, std::memory_order_relaxed)) < plan.size();) work(part, alone);
        });
    }
}

// `saved` starts with the number of threads, which the saved numbers of the parts follow.
template <class T>
constexpr Index head = 64 / sizeof(T);

// The operations of a lane of a vector in a nanosecond, about half of the peak: 5 to 8 were measured at H = 64 to 512.
constexpr double lane_speed = 6.0;

// The nanoseconds to read a byte from memory and to write one.
constexpr double byte_time = 0.12;

// One thread runs a single row.
template <class T>
int threads_of(Index width, const Layout& l, int threads) {
    return l.rows <= 1 ? 1 : worth_threads(threads, byte_time * l.places * width * sizeof(T), l, 1);
}

}  // namespace

template <class T>
int threads_of(const Kernel<T>& kernel, const Shape& s, const Layout& l, int threads) {
    const double operations = 2.0 * l.places * kernel.gates * s.hidden * (s.inputs + s.outputs);
    const double speed = lane_speed * set_in_use().vector_bytes / sizeof(T);
    return worth_threads(threads, operations / speed, l, kernel.tile);
}

template <class T>
SavedSize saved_size(const Kernel<T>& kernel, const Shape& shape) {
    return {head<T>, kernel.saved_count(shape, 1)};
}

template <class T>
void run_forward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads, const Weights<T>& w,
                 const Forward<T>& io) {
    const Plan plan(layout, threads_of(kernel, shape, layout, threads));
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
    const Plan plan(layout, threads_of<T>(width, layout, threads));
    std::vector<Buffer> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.y, 0, layout.places * width * sizeof(T));
    deal_out(plan, [&](int i, const Team&) { kernel.forward[complex](width, plan[i], io, scratch[i].get()); });
}

template <class T>
void run_linear_backward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                         const LinearBackward<T>& io, T* da) {
    const Plan plan(layout, threads_of<T>(width, layout, threads));
    std::vector<Buffer> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.du, 0, layout.places * width * sizeof(T));
    deal_out(plan, [&](int i, const Team&) { kernel.backward[complex](width, plan[i], io, scratch[i].get()); });
    std::fill_n(da, width, T(0));
    for (const Buffer& part : scratch)
        for (Index c = 0; c < width; ++c) da[c] += static_cast<const T*>(part.get())[c];
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
    template int threads_of(const Kernel<T>&, const Shape&, const Layout&, int);                                    \
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
