// The coder of samples: a mixture of logistics over the cells of a lattice, coded six bits at a time by a range coder, and the
// adaptive filters that give the mixtures and learn every sample after it.
//
// It is compiled like filter.cpp, to the same bits on every machine. compression/sound.py is the caller.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "filter.h"
#include "range.h"

namespace ostinato {

// What the mixtures of a step are measured in.
struct Samples {
    Count rows, channels, components;
    double deviation;      // the samples of one unit of model space
    int bits;              // the bits of a sample
    const Count* lattice;  // the spacing of the samples of each row, a power of 2, (rows,)
};

// Where a coder is: compression/coder.py holds it between the samples of two calls.
struct Place {
    bool decodes;
    Count block, segment;       // the symbols after which a block ends with a digest, and a segment
    std::uint32_t digest;       // of the open block
    Count count, coded;         // its symbols, and all symbols
    RangeEncoder encoder;
    RangeDecoder decoder;
};

class SoundCoder {
  public:
    // A decoder is given the segments after the open one.
    SoundCoder(Place at, std::vector<std::vector<std::uint32_t>> segments);

    // Codes one step of some rows, channel by channel; rows of one lattice together.
    //
    // params (rows, D, 1 + 3 M), loc and scale (rows, D), coupling (rows, D, D) or null: those of emissions/conditional.py.
    // values (rows, D): the samples, which a decoder writes.
    void step(const Samples& of, const double* params, const double* loc, const double* scale, const double* coupling, Count* values);

    // Codes steps of rows whose filters learn each sample after it, and moves their memory (rows, D, N) on in place.
    //
    // constant (D, 1 + 3 M) is added to the parameters. values (steps, rows, D). left (rows,): the steps that each row still has.
    void filtered(const FilterForm& form, const Samples& of, Count steps, const Count* left, const double* constant, double* memory,
                  Count* values);

    std::vector<std::uint32_t> digests;   // of the blocks that ended
    std::vector<RangeEncoder> finished;   // the segments that ended
    Place place;

  private:
    void symbol(const double* p, Count n, Count& symbol);
    void cells(const std::vector<Count>& own, int bits, Count half);

    std::vector<std::vector<std::uint32_t>> segments;
    std::size_t opened = 0;
    // of the rows that are coded together
    Count components = 0;
    std::vector<double> weights, means, scales, edges, below, p, innovations, z;
    std::vector<Count> cell, low;
};

}  // namespace ostinato
