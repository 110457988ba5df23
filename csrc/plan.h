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

// Returns the number of threads that a call is worth: of at most `threads`, the number that makes it shortest by the
// model  time(n) = work / n + wake n.  Each thread gets at least the rows of a register tile, because the product of a
// smaller tile reads as many weights and takes almost as long.
//     work  The time of one thread, in nanoseconds.
//     tile  The rows of a register tile.
int worth_threads(int threads, double work, const Layout& layout, int tile);

// For tests: whether every call takes all the threads that it may, one a row, however little it computes.
void force_threads(bool forced);

// Owns the arrays that Part points to.
class Plan {
  public:
    // Makes at most one part per row. Throws std::invalid_argument if a length is not 0 to T, or if a step lies outside
    // of x.
    Plan(const Layout& layout, int threads);
    // The number of threads that work on a part together: all threads if there is a single row.
    int team() const { return team_; }
    int size() const { return static_cast<int>(parts_.size()); }
    Index visited() const;  // the number of places that hold a step
    Part operator[](int i) const;

  private:
    struct Arrays {
        std::vector<Index> active, start, place, order;
    };
    std::vector<Arrays> parts_;
    int team_;
};

}  // namespace ostinato
