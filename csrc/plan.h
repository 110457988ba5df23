// The division of the sequences of a batch into parts, which the threads process.
#pragma once

#include <vector>

#include "engine.h"

namespace ostinato {

// The layout of the steps of B sequences: step t of row b is row base[t] + column[b] of x and y.
//   padded  base[t] = t B, column[b] = b
//   ragged  base[t] = t, column[b] = the offset of row b
//   packed  base[t] = the offset of step t, column[b] = b, the longest row first
struct Layout {
    Index rows;
    Index steps;           // T, at least the steps of the longest row
    Index places;          // the number of rows of x and y
    const Index* lengths;  // (B), each 0 to T, or null if all rows have T steps
    const Index* base;     // (T), or null for a padded batch
    const Index* column;   // (B), or null if column[b] = b
    bool reverse;          // whether each row is run from its last step to its first
};

// How the threads share a call: the rows are dealt out to `parts`, each of which is the work of a team.
struct Grid {
    int parts = 1, team = 1;
    bool together = false;  // whether a team shares the columns of each step, and not only the large products
    int threads() const { return parts * team; }
};

// What a call costs.
struct Effort {
    double work;         // the nanoseconds of one thread
    double step_bytes;   // the weights that each step reads
    double row_bytes;    // the states of a row and the gradients of its gates: what the members of a team exchange
    int tile;            // the rows of a register tile
    Index blocks;        // the blocks of columns that a team can share in a step; 0 if it cannot
};

// Returns how a call is shared: of the grids with at most `threads` threads, the one with the shortest time by the model
// in plan.cpp.
Grid worth_grid(int threads, const Effort& effort, const Layout& layout);

// Returns how many threads get rows of their own where columns are not shared.
int worth_threads(int threads, double work, const Layout& layout, int tile);

// Returns whether two calls of `work` nanoseconds each, which do not depend on each other, are worth a half of the threads
// each. Of three threads one would have nothing to do.
bool worth_halves(int threads, double work);

// For tests and benchmarks: all calls that may take so many threads are shared in this way, however little they compute.
// Without parts the model is in force again.
void force_grid(int parts, int team);

// Owns the arrays that Part points to.
class Plan {
  public:
    // Makes at most one part per row. Throws std::invalid_argument if a length is not 0 to T, or if a step lies outside
    // of x.
    Plan(const Layout& layout, Grid grid);
    const Grid& grid() const { return grid_; }  // as it was given, with at most one part a row
    int size() const { return static_cast<int>(parts_.size()); }
    Index visited() const;  // the number of places that hold a step
    Part operator[](int i) const;

  private:
    struct Arrays {
        std::vector<Index> active, start, place, order;
    };
    std::vector<Arrays> parts_;
    Grid grid_;
};

}  // namespace ostinato
