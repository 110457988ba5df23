// The adaptive filter: recursive least squares, a cascade of normalised least mean squares, and a mixture of logistics
// whose weights are learned on line. ops/filter/reference.py is its specification.
//
// It is compiled once, for every processor, without contraction of products into sums, and with an exponential of its
// own, so that every machine computes the same bits: a coder that decodes on another machine relies on it.
#pragma once

#include <cstdint>
#include <memory>

namespace ostinato {

using Count = std::int64_t;

// What ops/filter/form.py calls a Form, with the sizes that follow from it.
struct FilterForm {
    Count channels, squares, cascades, memories, cross;
    const Count* orders;    // the own lags of each least-squares filter, (squares,)
    const Count* taps;      // the taps of each filter of the cascade, (cascades,)
    const double* forgets;  // of each least-squares filter, (squares,)
    const double* rates;    // of each filter of the cascade, (cascades,)
    const double* decays;   // of the running scales, (memories,)
    double share, stack_forget, prior, unit, scale, wide, width;
    Count wider;    // the logistics that are wider still, around the last value
    bool grounded;  // whether values are counted from their running mean, and the least squares begin anew where it gets louder
    bool lattice;
};

// The numbers that a row keeps for each channel, and the numbers that a step predicts for each channel.
Count filter_memory(const FilterForm& form);
Count filter_width(const FilterForm& form);

// Moves memory (B, D, N) on in place over x (T, B, D), of which a row takes lengths[b] steps (all if null), and writes what is
// predicted before each step and after the last, (T + 1, B, D, W). A row whose rate is 0 remembers and does not learn.
void filter_unroll(const FilterForm& form, Count rows, Count steps, const double* x, const Count* lengths, const float* rate,
                   double* memory, double* predicted);

// Moves memory (D, N) on by the values x (D,) of one step, and writes what is predicted of the next one, (D, W).
void filter_step(const FilterForm& form, const double* x, float rate, double* memory, double* predicted);

// Rows of filters that move on a step at a time: their memory (rows, D, N) lies with the caller, as does the form.
class FilterRows {
  public:
    FilterRows(const FilterForm& form, Count rows, double* memory);
    ~FilterRows();

    // Writes what is predicted of the next step of a row, (D, W).
    void predict(Count b, double* predicted) const;
    // Moves a row on by the values x (D,) of one step.
    void step(Count b, const double* x, bool learns);

  private:
    struct Held;
    std::unique_ptr<Held> held;
};

// Returns -log P of the values x (D,) of one step under what was predicted of it (D, W), and writes their means (D,). unit is 0
// for continuous values, and low and high are the ends of the lattice, all in model space.
double filter_nats(const FilterForm& form, const double* predicted, const double* x, double unit, double low, double high,
                   double* means);

// Writes exp(x) or log(x) of count numbers, with the same bits on every machine.
void portable_exp(Count count, const double* x, double* y);
void portable_log(Count count, const double* x, double* y);

// Writes the cumulative probability of each of rows mixtures of M logistics at edges (rows, n), in a fixed order of sums.
void portable_mixture(Count rows, Count M, Count n, const double* weights, const double* means, const double* scales,
                      const double* edges, double* cumulative);

}  // namespace ostinato
