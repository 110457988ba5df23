// From the sequences as they lie in memory to the parts that threads work on.
#pragma once

#include <vector>

#include "engine.h"

namespace ostinato {

// Where the steps of B sequences are: step t of row b is row base[t] + column[b] of x and y.
//   padded, time first   base[t] = t B, column[b] = b         ragged   base[t] = t, column[b] = the row's offset
//   packed by steps      base[t] = the step's offset, column[b] = b, longest row first
struct Layout {
    Index rows;
    Index steps;           // T, the longest row's or more
    Index places;          // rows of x and y
    const Index* lengths;  // (B), 0 to T each, or null: all are T long
    const Index* base;     // (T), or null: padded
    const Index* column;   // (B), or null: b
    bool reverse;          // each row from its own last step to its first
};

// Owns the arrays that Part points to.
class Plan {
  public:
    // At most one part a row. Raises std::invalid_argument for lengths that are not of 0 to T steps, and for steps
    // outside of x.
    Plan(const Layout& layout, int threads);
    // Threads that work on a part together: all where there is a single row.
    int team() const { return team_; }
    int size() const { return static_cast<int>(parts_.size()); }
    Index visited() const;  // places that hold a step
    Part operator[](int i) const;

  private:
    struct Arrays {
        std::vector<Index> active, start, place, order;
    };
    std::vector<Arrays> parts_;
    int team_;
};

}  // namespace ostinato
