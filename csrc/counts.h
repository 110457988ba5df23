// Adaptive counts of symbols: contexts mixed by logistic regressions, as in the PAQ family (Mahoney 2005), for any alphabet.
//
// A symbol is a path of decisions down a binary tree over the alphabet. The specification is ops/counts/reference.py.
#pragma once
#include <cstdint>

namespace ostinato {

// A memory has one of three forms. Those of older models are the first one, which has no directory, and the second one,
// which has no matches.
constexpr int kFirstForm = 12;    // the contexts of a symbol in the first form: see place_first in counts.cpp
constexpr int kSecondForm = 15;   // and in the second and the third one
constexpr int kInputs = 32;       // two for each context, a constant, one of the network, the rest 0
constexpr int kMoreInputs = 40;   // the same in the third form, with two for each match
constexpr int kMixers = 4;        // the sets of mixing weights, of which each holds one that a decision uses
constexpr int kMoreMixers = 5;    // the same in the third form
constexpr int kMatches = 2;       // the matches of the third form
constexpr int kLengths = 32;      // the classes of how long a match is
constexpr int kDepths = 8;        // the classes of how deep a decision is
constexpr int kHistories = 1024;  // what a context remembers of a decision, as a number
constexpr int kBins = 33;         // the bins of a correction
constexpr int kCorrections = 13;  // log2 of the rows of a correction
constexpr int kSlot = 8;          // the words of a slot: a check, and seven decisions
constexpr int kBucket = 4;        // the entries of the directory among which a context has its own

// The tree over the V symbols, in int32. Decisions are numbered so that a parent comes before its children.
struct Tree {
    int symbols;            // V
    const int32_t* child;   // (V - 1, 2): the decision that follows an answer, or ~symbol
    const int32_t* group;   // (V - 1): the slot of a decision: three levels of the tree share one
    const int32_t* place;   // (V - 1): its place in the slot, 0 .. 6
    const int32_t* depth;   // (V - 1)
    const int32_t* start;   // (V + 1): where the path of a symbol begins
    const int32_t* path;    // decision * 2 + answer, from the root down
    const int32_t* letter;  // (V): the number of a letter, equal for both cases; 0 for what is not in a word
    const int32_t* begins;  // (V): whether a character begins with the symbol; null in the first form
    const int32_t* matches;  // (2): the symbols that a match begins with; null before the third form
    int contexts() const { return begins ? kSecondForm : kFirstForm; }
    int inputs() const { return matches ? kMoreInputs : kInputs; }
    int mixers() const { return matches ? kMoreMixers : kMixers; }
};

// The state of one row. What is learned is written only if rate[0] is not 0.
struct Row {
    float* rate;         // (2): whether it learns; the least rate at which a decision forgets
    int64_t* path;       // (16): the last 8 symbols + 1, the word so far, two words before, whether the next symbol was
                         // predicted, the steps learned; (26) in the second form, which goes on with the 8 symbols before
                         // those, the character so far, three before it, and the symbols of the word so far; (30) in
                         // the third form, with the place of the symbol that each match expects, and its length
    float* given;        // (V - 1): the log odds of the network for the next symbol; null without one
    uint32_t* slots;     // (S, 8)
    float* maps;         // (contexts, histories, 4): log odds, probability, how often seen, not used
    float* weights;      // (sets, 32), or (sets, 40) in the third form
    float* last;         // (V - 1, mixers): the weights of the mixers
    float* corrections;  // (2, rows, bins)
    uint32_t* entries;   // (4 S, 2): the directory of the second form, a check, and (symbol + 1) << 7 | times
    int32_t* history;    // (3, S): the symbols learned + 1, as a ring; for each match where such symbols came last, + 1
    float* trust;        // (2, lengths, depths, 2): how often a match is right, as a probability; how often seen
};

// One row of a call.
struct Steps {
    int64_t steps;           // T
    int64_t stride;          // from one step to the next in x
    const int64_t* x;        // the symbol before each step: V at a start
    const float* network;    // (T, ., V): log probabilities of the network, or null
    float* out;              // (T, ., V): the log probabilities of the next symbols, or null
    double* nats;            // (T, .): the log probability that was predicted for the symbol before, or null
};

void counts_unroll(const Tree& tree, int64_t slots, const Row& row, const Steps& steps);

}  // namespace ostinato
