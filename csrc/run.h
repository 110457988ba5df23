// A call of the engine: pack the weights, run the parts in threads, put their sums together.
#pragma once

#include "plan.h"
#include "pool.h"

namespace ostinato {

// `saved` holds head + width * (places + rows + 1) numbers: room for each part (at most one a row) to round its places up
// to an odd number.
struct SavedSize {
    Index head, width;
};
template <class T>
SavedSize saved_size(const Kernel<T>& kernel, const Shape& shape);

// On at most `threads` threads; what comes out is the same for the same number of them.
template <class T>
void run_forward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads, const Weights<T>& w,
                 const Forward<T>& io);

// On as many threads as run_forward took: they decide how `saved` is laid out, and it says so.
template <class T>
void run_backward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, const Weights<T>& w,
                  const Backward<T>& io, const WeightGradients<T>& gradients);

// The diagonal linear recurrence of rows of W numbers. On at most `threads` threads, each on rows of its own.
template <class T>
void run_linear_forward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                        const LinearForward<T>& io);

// da (W) is written too: the rows' sums, added in the order of the threads.
template <class T>
void run_linear_backward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                         const LinearBackward<T>& io, T* da);

// One row, one step at a time: the weights are packed once, when it is made. Not for several threads at once.
template <class T>
class Step {
  public:
    Step(const Kernel<T>& kernel, const Shape& shape, const Weights<T>& w);
    Step(const Step&) = delete;
    // x (D), h (P) and c (H) -> h_next (P) and c_next (H), which may be h and c themselves; c of cells of two states only.
    void operator()(const T* x, const T* h, const T* c, T* h_next, T* c_next) const;

  private:
    const Kernel<T>& kernel_;
    Shape shape_;
    Index one_[2] = {1, 1}, start_[2] = {0, 1}, zero_ = 0;
    Part part_;
    Buffer panels_, scratch_;
};

// The instruction sets this processor can run, the best first, and the one in use.
std::vector<const Kernels*> usable_sets();
const Kernels& set_in_use();

// Raises std::invalid_argument for a set that is not there or cannot run.
void use_set(const char* name);

}  // namespace ostinato
