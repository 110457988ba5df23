// A call of the engine: it packs the weights, runs the parts in threads and adds up their weight gradients.
#pragma once

#include <functional>
#include <string>

#include "plan.h"
#include "pool.h"

namespace ostinato {

// `saved` has head + width * (places + rows + 1) numbers. There is at most one part per row, and each part can round
// its number of places up to an odd number.
struct SavedSize {
    Index head, width;
};
template <class T>
SavedSize saved_size(const Kernel<T>& kernel, const Shape& shape);

// Returns how a call is shared by at most `threads` threads, see worth_grid.
template <class T>
Grid grid_of(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads);

// Uses at most `threads` threads. For the same number of threads the result is the same to the bit.
template <class T>
void run_forward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads, const Weights<T>& w,
                 const Forward<T>& io);

// Shares the call as run_forward does, because the grid decides the layout of `saved`, which records it.
template <class T>
void run_backward(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, const Weights<T>& w,
                  const Backward<T>& io, const WeightGradients<T>& gradients);

// Returns the kernel of a cell of the set in use. Throws std::invalid_argument if no cell has this name.
template <class T>
const Kernel<T>& find(const std::string& cell);

// Runs the two directions of a layer, run(direction, threads): each on half of the threads at the same time, if `apart`,
// or one after the other. What they throw is thrown again when both have ended.
void run_directions(int threads, bool apart, const std::function<void(int direction, int threads)>& run);

// Returns whether the directions of a layer are worth a half of the threads each.
template <class T>
bool worth_apart(const Kernel<T>& kernel, const Shape& shape, const Layout& layout, int threads);

// Runs the diagonal linear recurrence on rows of W numbers, on at most `threads` threads with separate rows.
template <class T>
void run_linear_forward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                        const LinearForward<T>& io);

// Also writes da (W), the sum over the rows, which is added up in the order of the threads.
template <class T>
void run_linear_backward(const Linear<T>& kernel, Index width, bool complex, const Layout& layout, int threads,
                         const LinearBackward<T>& io, T* da);

// Runs exponential smoothing on at most `threads` threads. `error` is 0 (additive) or 1 (multiplicative), and `season` is 0
// (none), 1 (additive) or 2 (multiplicative). Writes the log-likelihood (B) with the variance that is the likeliest.
// `sums` of `io` is set here.
void run_smoothing(const SmoothingKernel& kernel, int error, int season, int threads, Smoothing io,
                   double* log_likelihood);

// Runs B rows one step at a time, with weights that the constructor packs. Only one thread at a time may use it.
template <class T>
class Step {
  public:
    Step(const Kernel<T>& kernel, const Shape& shape, const Weights<T>& w, Index rows);
    Step(const Step&) = delete;
    // Reads x (B, D), h (B, P) and c (B, H), and writes h_next (B, P) and c_next (B, H), which may be h and c. Only cells
    // of two states have c.
    void operator()(const T* x, const T* h, const T* c, T* h_next, T* c_next) const;

  private:
    const Kernel<T>& kernel_;
    Shape shape_;
    Index active_, start_[2];
    std::vector<Index> order_;
    Part part_;
    Buffer panels_, scratch_;
};

// Return the instruction sets that were compiled and that this processor can run, the best first; and the set in use.
std::vector<const Kernels*> usable_sets();
const Kernels& set_in_use();

// Throws std::invalid_argument if the engine does not have this set or the processor cannot run it.
void use_set(const char* name);

}  // namespace ostinato
