#include "run.h"

#include <algorithm>
#include <cstring>
#include <thread>

namespace ostinato {

namespace {

// work(0) .. work(count - 1) at once. The threads are made for the call and joined (about 20 us each): none is left to
// spin beside torch's, to be lost in a fork, or to be shared by two callers.
template <class Work>
void at_once(int count, const Work& work) {
    std::vector<std::thread> others;
    others.reserve(count - 1);
    for (int i = 1; i < count; ++i) others.emplace_back([&work, i] { work(i); });
    work(0);
    for (auto& other : others) other.join();
}

// How many threads are worth starting: one for every ten million operations, at most one a row.
int worth(int threads, double operations, const Layout& l) {
    const Index most = std::min<Index>(l.rows, static_cast<Index>(operations / 1e7));
    return static_cast<int>(std::max<Index>(1, std::min<Index>(threads, most)));
}
template <class T>
int worth(int threads, const Kernel<T>& kernel, const Shape& s, const Layout& l) {
    return worth(threads, 2.0 * l.places * kernel.gates * s.hidden * (s.inputs + s.outputs), l);
}

// A number that comes from memory costs as much as some ten operations on one that is there.
int worth(int threads, Index width, const Layout& l) { return worth(threads, 10.0 * l.places * width, l); }

// `saved` starts with the number of parts; their own saved numbers follow.
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
    const Memory panels(kernel.panels_bytes(shape, false));
    kernel.pack(shape, w, false, panels.get());
    std::vector<Memory> scratch;
    std::vector<Forward<T>> parts(plan.size(), io);
    if (io.saved) io.saved[0] = static_cast<T>(plan.size());
    Index saved = head<T>;
    for (int i = 0; i < plan.size(); ++i) {
        const Part part = plan[i];
        scratch.emplace_back(kernel.forward_bytes(shape, part, io.saved));
        if (io.saved) parts[i].saved = io.saved + saved;
        saved += kernel.saved_count(shape, part.start[part.steps]);
    }
    if (plan.visited() < layout.places) std::memset(io.y, 0, layout.places * shape.outputs * sizeof(T));
    at_once(plan.size(), [&](int i) { kernel.forward(shape, plan[i], parts[i], panels.get(), scratch[i].get()); });
}

template <class T>
void run_backward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, const Weights<T>& w,
                  const Backward<T>& io, const WeightGradients<T>& gradients) {
    const Plan plan(layout, static_cast<int>(io.saved[0]));
    const Memory panels(kernel.panels_bytes(shape, true));
    kernel.pack(shape, w, true, panels.get());
    std::vector<Memory> scratch;
    std::vector<Backward<T>> parts(plan.size(), io);
    Index saved = head<T>;
    for (int i = 0; i < plan.size(); ++i) {
        const Part part = plan[i];
        scratch.emplace_back(kernel.backward_bytes(shape, part));
        parts[i].saved = io.saved + saved;
        saved += kernel.saved_count(shape, part.start[part.steps]);
    }
    if (io.dx && plan.visited() < layout.places) std::memset(io.dx, 0, layout.places * shape.inputs * sizeof(T));
    at_once(plan.size(), [&](int i) { kernel.backward(shape, plan[i], parts[i], panels.get(), scratch[i].get()); });
    if (!io.weights) return;
    for (int i = 1; i < plan.size(); ++i) kernel.add(shape, scratch[0].get(), scratch[i].get());
    kernel.collect(shape, scratch[0].get(), gradients);
}

template <class T>
void run_linear_forward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                        const LinearForward<T>& io) {
    const Plan plan(layout, worth(threads, width, layout));
    std::vector<Memory> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.y, 0, layout.places * width * sizeof(T));
    at_once(plan.size(), [&](int i) { kernel.forward[complex](width, plan[i], io, scratch[i].get()); });
}

template <class T>
void run_linear_backward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                         const LinearBackward<T>& io, T* da) {
    const Plan plan(layout, worth(threads, width, layout));
    std::vector<Memory> scratch;
    for (int i = 0; i < plan.size(); ++i) scratch.emplace_back(kernel.bytes(width));
    if (plan.visited() < layout.places) std::memset(io.du, 0, layout.places * width * sizeof(T));
    at_once(plan.size(), [&](int i) { kernel.backward[complex](width, plan[i], io, scratch[i].get()); });
    std::fill_n(da, width, T(0));
    for (const Memory& part : scratch)
        for (Index c = 0; c < width; ++c) da[c] += static_cast<const T*>(part.get())[c];
}

template <class T>
Step<T>::Step(const Kernel<T>& kernel, const Shape& shape, const Weights<T>& w)
    : kernel_(kernel),
      shape_(shape),
      part_{1, 1, one_, start_, &zero_, &zero_},
      panels_(kernel.panels_bytes(shape, false)),
      scratch_(kernel.forward_bytes(shape, part_, false)) {
    kernel_.pack(shape_, w, false, panels_.get());
}

template <class T>
void Step<T>::operator()(const T* x, const T* h, const T* c, T* h_next, T* c_next) const {
    kernel_.forward(shape_, part_, {x, h, c, h_next, h_next, c_next, nullptr}, panels_.get(), scratch_.get());
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
