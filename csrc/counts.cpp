// Compiled without contraction, and with exp and log of its own: every machine computes the same bits, so that what one
// has compressed another one restores.
#include "counts.h"

#include <cstring>
#include <vector>

namespace ostinato {
namespace {

constexpr float kFarthest = 12.0f;    // the greatest log odds
constexpr float kLeast = 1e-6f;       // the least probability of an answer
constexpr float kSpread = 3.0f;       // what a decision's own estimate counts for before the weights are learned
constexpr float kFirst = 0.02f, kLater = 0.002f, kCooling = 20000.0f;  // the rate of the mixers, and its fall
constexpr float kLastRate = 0.002f, kCorrected = 0.02f;
constexpr float kSeen = 255.0f;       // a history goes on adapting as if it had been seen so often
constexpr float kTrusted = 255.0f;    // a match goes on adapting as if it had been seen so often
constexpr int kVerified = 16;         // the most symbols that a new match is compared in
constexpr int64_t kLongest = 1 << 16;  // the length at which a match is no longer counted
constexpr int kShort[] = {1, 2, 3, 4, 5, 6}, kLong[] = {7, 8, 10, 11, 13};  // whose certainty chooses weights
constexpr int kRepeats = 127;         // the most times that the directory counts
// The context that must have been met before a longer one is remembered; -1 for none. Most long contexts never return.
constexpr int kShorter[kFirstForm] = {-1, -1, -1, 2, 3, 4, 5, 6, -1, 8, -1, 9};
constexpr uint64_t kA = 0x9E3779B97F4A7C15ull, kB = 0xD6E8FEB86659FD93ull, kC = 0xA0761D6478BD642Full,
                   kD = 0xE7037ED1A0B428DBull, kE = 0x8EBC6AF09C88C6E3ull, kF = 0x2127599BF4325C37ull,
                   kG = 0x632BE59BD9B4E019ull;

// What is not a number becomes low: an index that is made of a bounded number is then always a place in its table.
float bounded(float x, float low, float high) { return x >= low ? (x > high ? high : x) : low; }

float log_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    int e = int(bits >> 23) - 127;
    bits = (bits & 0x7FFFFFu) | 0x3F800000u;
    float m;
    std::memcpy(&m, &bits, 4);
    if (m > 1.41421356f) m *= 0.5f, e += 1;
    const float z = (m - 1.0f) / (m + 1.0f), s = z * z;
    return 2.0f * z * (1.0f + s * (1.0f / 3 + s * (1.0f / 5 + s * (1.0f / 7 + s * (1.0f / 9))))) + float(e) * 0.69314718f;
}

float exp_of(float x) {
    x = bounded(x, -87.0f, 87.0f);
    const int k = int(x * 1.44269504f + (x < 0 ? -0.5f : 0.5f));
    const float r = (x - float(k) * 0.693359375f) + float(k) * 2.12194440e-4f;
    const float y = 1 + r * (1 + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
    const uint32_t bits = uint32_t(k + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, 4);
    return y * scale;
}

float squash(float x) { return 1.0f / (1.0f + exp_of(-x)); }
float stretch(float p) { return log_of(p / (1.0f - p)); }

uint64_t scattered(uint64_t h) {
    h *= kA, h ^= h >> 32;
    h *= kB;
    return h ^ (h >> 29);
}

uint64_t joined(uint64_t h, uint64_t x) {
    h = (h + x + 1) * kA;
    return h ^ (h >> 29);
}

// What a context remembers of a decision, in one word: a probability in 16 bits; how often it was met, up to 63; how
// often each answer came of late, up to 15; the last two answers.
struct Memory {
    uint32_t word;
    float p() const { return (float(word & 0xFFFF) + 0.5f) / 65536.0f; }
    int met() const { return int(word >> 16) & 63; }
    int history() const { return int(word >> 22); }
    int recent() const { return int(word >> 22) & 255; }
    // 0 for never met, 1 for both answers of late, 2 for one answer alone, 3 for one alone that came three times.
    int certain() const {
        const bool both = (word >> 22) & 15 && (word >> 26) & 15;
        return met() == 0 ? 0 : both ? 1 : met() > 2 ? 3 : 2;
    }
    Memory after(int answer, float forget) const {
        int count = met(), no = int(word >> 22) & 15, yes = int(word >> 26) & 15;
        float p = count ? float(word & 0xFFFF) / 65536.0f : 0.5f;
        const float rate = 1.0f / (float(count) + 1.5f);
        p += (float(answer) - p) * (rate > forget ? rate : forget);
        if (count < 63) ++count;
        int& same = answer ? yes : no;
        int& other = answer ? no : yes;
        if (same < 15) ++same;
        if (other > 2) other = other / 2 + 1;  // what came long ago counts less (Mahoney 2005)
        const uint32_t last = (((word >> 30) << 1) | uint32_t(answer)) & 3;
        return {uint32_t(bounded(p * 65536.0f, 0.0f, 65535.0f)) | uint32_t(count) << 16 | uint32_t(no) << 22 |
                uint32_t(yes) << 26 | last << 30};
    }
};

// One decision as the mixers see it, and what they make of it.
struct Seen {
    float input[kMoreInputs];
    int history[kSecondForm];
    float* weights[kMoreMixers];
    float dot[kMoreMixers];
    float odds, p, final, fraction;
    float* bins[2];
    float* trust[kMatches];  // null if the match says nothing of the decision
    int agrees[kMatches];    // the answer that it expects
};

struct Counts {
    const Tree& tree;
    const int64_t mask;
    const Row& row;
    const int contexts, inputs, mixers;
    uint64_t context[kSecondForm];
    uint64_t hash[kSecondForm];
    uint32_t found[kSecondForm][kSlot];
    bool met[kSecondForm];
    int seen_group = -1;
    // The entry of each context in the directory of the second form (null if it was never met), the only symbol that ever
    // followed it (-1 if it has slots), and how often.
    uint32_t* entry[kSecondForm];
    int only[kSecondForm], times[kSecondForm];
    uint32_t repeated[2][kRepeats + 1] = {{0}, {0}};  // what is remembered of the same answer so many times
    int repeats[2] = {0, 0};                          // how many of these are there
    int expected[kMatches] = {-1, -1};                // the symbol that each match expects, -1 for none
    int lengths[kMatches] = {0, 0};                   // the class of its length

    Counts(const Tree& t, int64_t slots, const Row& r) : tree(t), mask(slots - 1), row(r), contexts(t.contexts()), inputs(t.inputs()), mixers(t.mixers()) {
        place();
    }

    int64_t before(int k) const { return row.path[k <= 8 ? k - 1 : k + 4]; }

    void place() {
        if (tree.begins)
            place_second();
        else
            place_first();
        if (tree.matches) expect();
        seen_group = -1;
    }

    // The orders 0 to 6 and 8, the letters of the word so far, with one word before it, symbols 2 and 3 back, and the
    // word with two words before it.
    void place_first() {
        uint64_t h = 0;
        int c = 0;
        for (int k = 0; k <= 8; ++k) {
            if (k) h = (h + uint64_t(before(k))) * kA, h ^= h >> 29;
            if (k != 7) context[c++] = h * 31 + uint64_t(k) + 1;
        }
        const uint64_t word = (uint64_t(row.path[8]) + 77) * kB, pair = (word + uint64_t(row.path[9]) + 3) * kC;
        context[c++] = word;
        context[c++] = pair;
        context[c++] = ((uint64_t(before(2)) * 0x10001 + uint64_t(before(3))) * 977 + 5) * kD;
        context[c++] = (pair + uint64_t(row.path[10])) * kE;
    }

    // The orders 0 to 6, 8, 11 and 16; the letters of the word so far, and with the word before it; how many symbols the
    // word has, and the last one; the character so far, and the second and the third one before it; the word before, and
    // the last symbol.
    void place_second() {
        uint64_t h = 0;
        int c = 0;
        for (int k = 0; k <= 16; ++k) {
            if (k) h = joined(h, uint64_t(before(k)));
            if (k <= 6 || k == 8 || k == 11 || k == 16) context[c++] = h;
        }
        const uint64_t word = uint64_t(row.path[8]), one = uint64_t(row.path[9]), last = uint64_t(before(1));
        context[c++] = word;
        context[c++] = joined(word, one);
        context[c++] = joined(last, uint64_t(row.path[25]));
        context[c++] = joined(joined(uint64_t(row.path[21]), uint64_t(row.path[23])), uint64_t(row.path[24]));
        context[c++] = joined(last, one);
        for (c = 0; c < contexts; ++c) {
            context[c] = scattered(joined(context[c], uint64_t(c)));
            __builtin_prefetch(bucket(context[c]));
        }
        for (c = 0; c < contexts; ++c) {
            entry[c] = enter(context[c], false);
            only[c] = entry[c] ? int(entry[c][1] >> 7) - 1 : -1;
            if (only[c] >= tree.symbols) only[c] = -1;  // from a state that something else wrote
            times[c] = entry[c] ? int(entry[c][1] & kRepeats) : 0;
        }
    }

    int32_t& place_of(int64_t at) const { return row.history[at & mask]; }

    // Reads what each match expects. The place that is written next follows the last symbol that was learned: in a full
    // ring it holds the oldest one, which did not follow.
    void expect() {
        for (int k = 0; k < kMatches; ++k) {
            const int64_t at = row.path[26 + 2 * k], n = row.path[27 + 2 * k];
            const bool over = ((at ^ row.path[12]) & mask) == 0;
            const int symbol = n > 0 && !over && place_of(at) > 0 ? place_of(at) - 1 : -1;
            expected[k] = symbol < tree.symbols ? symbol : -1;
            lengths[k] = n < 16 ? int(n > 0 ? n : 0) : n < 32 ? 16 + int(n - 16) / 4 : n < 64 ? 20 + int(n - 32) / 8 : 24;
        }
    }

    // Moves the matches past a symbol that the path holds by now, and looks for new ones. A match is the place after the
    // last occurrence of the symbols before; it is compared with them, so that a collision of hashes is none.
    void follow(int64_t symbol) {
        const bool learns = row.rate[0] != 0.0f;
        for (int k = 0; k < kMatches; ++k) {
            int64_t &at = row.path[26 + 2 * k], &n = row.path[27 + 2 * k];
            if (expected[k] == symbol)
                at = (at + 1) & mask, n = n < kLongest ? n + 1 : n;
            else
                at = n = 0;
            const int least = tree.matches[k];
            if (!before(least)) continue;
            uint64_t h = uint64_t(k);
            for (int j = 1; j <= least; ++j) h = joined(h, uint64_t(before(j)));
            int32_t& last = row.history[(k + 1) * (mask + 1) + (int64_t(scattered(h) & 0x7FFFFFFF) & mask)];
            if (!n && last > 0) {
                int same = 0;
                while (same < kVerified && before(same + 1) && place_of(last - 2 - same) == before(same + 1)) ++same;
                if (same >= least) at = (last - 1) & mask, n = same;
            }
            if (learns) last = int32_t((row.path[12] & mask) + 1);
        }
    }

    // Returns the answer that a match expects of a decision, -1 for none.
    int agreed(int k, int decision) const {
        if (expected[k] < 0) return -1;
        const int i = tree.start[expected[k]] + tree.depth[decision];
        return i < tree.start[expected[k] + 1] && tree.path[i] >> 1 == decision ? tree.path[i] & 1 : -1;
    }

    void look_at_matches(int decision, Seen& s) const {
        const int depth = tree.depth[decision] < kDepths - 1 ? tree.depth[decision] : kDepths - 1;
        for (int k = 0; k < kMatches; ++k) {
            const int answer = s.agrees[k] = agreed(k, decision);
            s.trust[k] = nullptr;
            if (answer < 0) continue;
            s.trust[k] = row.trust + ((k * kLengths + lengths[k]) * kDepths + depth) * 2;
            const float p = bounded(s.trust[k][0], 1e-4f, 1.0f - 1e-4f), odds = stretch(p), sure = (p - 0.5f) * kSpread;
            float* input = s.input + 2 * contexts + 2 + 2 * k;
            input[0] = answer ? odds : -odds;
            input[1] = answer ? sure : -sure;
        }
    }

    uint32_t* bucket(uint64_t h) const {
        return row.entries + (int64_t(h & 0x7FFFFFFF) & mask) * kBucket * 2;  // as many buckets as slots
    }

    // Returns the entry of a context; for a new one that of its bucket is dropped which came least.
    uint32_t* enter(uint64_t h, bool make) const {
        const uint32_t check = uint32_t(h >> 40) | 1;
        uint32_t *dropped = nullptr, *e = bucket(h);
        int fewest = 1 << 30;
        for (int k = 0; k < kBucket; ++k, e += 2) {
            if (e[0] == check) return e;
            const int came = e[0] ? int(e[1] & kRepeats) : -1;
            if (came < fewest) fewest = came, dropped = e;
        }
        if (!make) return nullptr;
        dropped[0] = check, dropped[1] = 0;
        return dropped;
    }

    uint32_t repeat(int answer, int count) {
        for (int& k = repeats[answer]; k < count; ++k)
            repeated[answer][k + 1] = Memory{repeated[answer][k]}.after(answer, row.rate[1]).word;
        return repeated[answer][count];
    }

    // A context that one symbol alone followed has no slots: what it remembers of a decision follows from how often.
    uint32_t followed(int c, int decision) {
        if (only[c] < 0) return 0;
        const int i = tree.start[only[c]] + tree.depth[decision];
        return i < tree.start[only[c] + 1] && tree.path[i] >> 1 == decision ? repeat(tree.path[i] & 1, times[c]) : 0;
    }

    bool has_slots(int c) const { return !tree.begins || (entry[c] && only[c] < 0); }

    // Gives slots to the contexts that another symbol alone had followed so far.
    void widen(int64_t symbol) {
        for (int c = 0; c < contexts; ++c) {
            if (only[c] < 0 || only[c] == symbol) continue;
            uint32_t* slot = nullptr;
            int group = -1;
            for (int i = tree.start[only[c]]; i < tree.start[only[c] + 1]; ++i) {
                const int decision = tree.path[i] >> 1;
                if (tree.group[decision] != group) {
                    group = tree.group[decision];
                    slot = find(scattered(context[c] + uint64_t(group) * kG), true);
                }
                slot[tree.place[decision] + 1] = repeat(tree.path[i] & 1, times[c]);
            }
            only[c] = -1;
            entry[c][1] = uint32_t(times[c]);
        }
    }

    void enter_all(int64_t symbol) {
        for (int c = 0; c < contexts; ++c)
            if (entry[c] && int(entry[c][1] & kRepeats) < kRepeats) ++entry[c][1];
        for (int c = 0; c < contexts; ++c)
            if (!entry[c]) enter(context[c], true)[1] = uint32_t(symbol + 1) << 7 | 1;
    }

    uint32_t* find(uint64_t h, bool make) const {
        const uint32_t check = uint32_t(h >> 40) | 1;
        uint32_t* dropped = nullptr;
        int fewest = 1 << 30;
        for (int k = 0; k < 4; ++k) {
            uint32_t* slot = row.slots + ((int64_t(h & 0x7FFFFFFF) ^ k) & mask) * kSlot;
            if (slot[0] == check) return slot;
            const int met = slot[0] ? Memory{slot[1]}.met() : -1;
            if (met < fewest) fewest = met, dropped = slot;
        }
        if (!make) return nullptr;
        std::memset(dropped, 0, kSlot * sizeof(uint32_t));
        dropped[0] = check;
        return dropped;
    }

    // Copies what the contexts remember of a group of decisions; what was never met is 0.
    void open(int group) {
        if (group == seen_group) return;
        seen_group = group;
        for (int c = 0; c < contexts; ++c) {
            if (!has_slots(c)) continue;
            hash[c] = scattered(context[c] + uint64_t(group) * kG);
            __builtin_prefetch(row.slots + (int64_t(hash[c] & 0x7FFFFFFF) & mask) * kSlot);
        }
        for (int c = 0; c < contexts; ++c) {
            if (!has_slots(c)) continue;
            const uint32_t* slot = find(hash[c], false);
            met[c] = slot != nullptr;
            if (slot)
                std::memcpy(found[c], slot, sizeof(found[c]));
            else
                std::memset(found[c], 0, sizeof(found[c]));
        }
    }

    void close() {
        for (int c = 0; c < contexts; ++c) {
            if (!has_slots(c) || (!tree.begins && !met[c] && kShorter[c] >= 0 && !met[kShorter[c]])) continue;
            uint32_t* slot = find(hash[c], true);
            std::memcpy(slot + 1, found[c] + 1, sizeof(found[c]) - sizeof(uint32_t));
        }
    }

    // The weights of a decision. First form: by itself, by the longest context that knows it, by the symbol before, and by
    // recent answers. Second form: by itself, by the symbol before, by the length of the word so far, and by how certain the
    // orders 1 to 6 are. Third form: also by how certain the orders 8 and 11, the words and
    // the characters further back are.
    void choose(int decision, int at, int longest, int64_t* sets) const {
        const int depth = tree.depth[decision] < 7 ? tree.depth[decision] : 7, V = tree.symbols;
        sets[0] = decision;
        int64_t from = V - 1;
        if (tree.begins) {
            const int64_t length = row.path[25] < 15 ? row.path[25] : 15;
            const auto certain = [&](const int* of, int count) {
                int all = 0;
                for (int i = 0; i < count; ++i) all = all * 4 + Memory{found[of[i]][at]}.certain();
                return all;
            };
            sets[1] = from + before(1), from += V + 1;
            sets[2] = from + (length > 0 ? length : 0) * 8 + depth, from += 16 * 8;
            sets[3] = from + certain(kShort, 6), from += 1 << 12;
            if (tree.matches) sets[4] = from + certain(kLong, 5);
            return;
        }
        const int third = Memory{found[3][at]}.met(), fifth = Memory{found[5][at]}.met();
        const int longer = (third < 3 ? third : 3) * 2 + (fifth > 0);
        sets[1] = from + longest * 8 + depth, from += (kFirstForm + 1) * 8;
        sets[2] = from + before(1), from += V + 1;
        sets[3] = from + Memory{found[1][at]}.recent() * 8 + longer;
    }

    void look(int decision, Seen& s) {
        open(tree.group[decision]);
        const int at = tree.place[decision] + 1, V = tree.symbols;
        int longest = 0;
        for (int c = 0; c < contexts; ++c) {
            if (!has_slots(c)) found[c][at] = followed(c, decision);
            const Memory m{found[c][at]};
            s.history[c] = m.history();
            const bool known = m.met() != 0;
            s.input[2 * c] = known ? row.maps[(c * kHistories + s.history[c]) * 4] : 0.0f;
            s.input[2 * c + 1] = known ? (m.p() - 0.5f) * kSpread : 0.0f;
            if (known && c < 8) longest = c + 1;
        }
        s.input[2 * contexts] = 0.3f;
        s.input[2 * contexts + 1] = row.given ? row.given[decision] : 0.0f;
        for (int i = 2 * contexts + 2; i < inputs; ++i) s.input[i] = 0.0f;
        if (tree.matches) look_at_matches(decision, s);
        int64_t sets[kMoreMixers];
        choose(decision, at, longest, sets);
        const float* last = row.last + int64_t(decision) * mixers;
        float odds = 0.0f;
        for (int k = 0; k < mixers; ++k) {
            float* w = s.weights[k] = row.weights + sets[k] * inputs;
            float a[8] = {0};
            for (int i = 0; i < inputs; i += 8)
                for (int r = 0; r < 8; ++r) a[r] += w[i + r] * s.input[i + r];
            const float dot = ((a[0] + a[4]) + (a[1] + a[5])) + ((a[2] + a[6]) + (a[3] + a[7]));
            s.dot[k] = bounded(dot, -kFarthest, kFarthest);
            odds += last[k] * s.dot[k];
        }
        s.odds = bounded(odds, -kFarthest, kFarthest);
        s.p = squash(s.odds);
        const float place = bounded((s.odds + 8.0f) * 2.0f, 0.0f, float(kBins - 1) - 0.001f);
        const int low = int(place);
        s.fraction = place - float(low);
        const uint64_t one = scattered(uint64_t(before(1)) * uint64_t(V + 1) + uint64_t(decision) + 1),
                       two = scattered((uint64_t(before(2)) * 0x10001 + uint64_t(before(1))) * kF + uint64_t(decision) + 1);
        const uint64_t rows = (1u << kCorrections) - 1;
        s.bins[0] = row.corrections + int64_t(one & rows) * kBins + low;
        s.bins[1] = row.corrections + (int64_t(rows + 1) + int64_t(two & rows)) * kBins + low;
        float sum = 0.5f * s.p;
        for (const float* b : s.bins) sum += 0.25f * (b[0] * (1.0f - s.fraction) + b[1] * s.fraction);
        s.final = bounded(sum, kLeast, 1.0f - kLeast);
    }

    void learn(Seen& s, int decision, int answer, float rate) {
        const float y = float(answer), forget = row.rate[1];
        for (int k = 0; k < mixers; ++k) {
            const float e = (y - squash(s.dot[k])) * rate;
            for (int i = 0; i < inputs; ++i) s.weights[k][i] += e * s.input[i];
        }
        float* last = row.last + int64_t(decision) * mixers;
        for (int k = 0; k < mixers; ++k) last[k] += (y - s.p) * kLastRate * s.dot[k];
        for (float* b : s.bins) {
            float& bin = b[s.fraction > 0.5f];
            bin += (y - bin) * kCorrected;
        }
        if (tree.matches) {
            for (int k = 0; k < kMatches; ++k) {
                float* trust = s.trust[k];
                if (!trust) continue;
                trust[0] = bounded(trust[0] + (float(answer == s.agrees[k]) - trust[0]) / (trust[1] + 1.5f), 1e-4f, 1.0f - 1e-4f);
                if (trust[1] < kTrusted) trust[1] += 1.0f;
            }
        }
        const int at = tree.place[decision] + 1;
        for (int c = 0; c < contexts; ++c) {
            const Memory m{found[c][at]};
            if (m.met()) {
                float* map = row.maps + (c * kHistories + s.history[c]) * 4;
                map[1] = bounded(map[1] + (y - map[1]) / (map[2] + 1.5f), 1e-5f, 1.0f - 1e-5f);
                if (map[2] < kSeen) map[2] += 1.0f;
                map[0] = stretch(map[1]);
            }
            found[c][at] = m.after(answer, forget).word;
        }
    }

    // Returns the log probability that was predicted for the symbol.
    double log_prob(int64_t symbol) {
        double nats = 0;
        seen_group = -1;
        Seen s;
        for (int i = tree.start[symbol]; i < tree.start[symbol + 1]; ++i) {
            look(tree.path[i] >> 1, s);
            nats += double(log_of(tree.path[i] & 1 ? s.final : 1.0f - s.final));
        }
        return nats;
    }

    // Learns the symbol, one decision after the other: each is seen with what the decisions before it have taught.
    void learn(int64_t symbol) {
        const float steps = float(row.path[12]) / kCooling, fallen = kFirst / (1.0f + steps);
        const float rate = fallen > kLater ? fallen : kLater;
        seen_group = -1;  // what was looked at for the prediction counts no more
        if (tree.begins) widen(symbol);
        Seen s;
        for (int i = tree.start[symbol]; i < tree.start[symbol + 1]; ++i) {
            const int decision = tree.path[i] >> 1, answer = tree.path[i] & 1;
            if (seen_group >= 0 && tree.group[decision] != seen_group) close();
            look(decision, s);
            learn(s, decision, answer, rate);
        }
        if (seen_group >= 0) close();
        if (tree.begins) enter_all(symbol);
        if (tree.matches) place_of(row.path[12]) = int32_t(symbol + 1);
        row.path[12] += 1;
    }

    void push(int64_t symbol) {
        int64_t* path = row.path;
        if (symbol < 0 || symbol >= tree.symbols) {
            std::memset(path, 0, 11 * sizeof(int64_t));  // the start of a sequence
            if (tree.begins) std::memset(path + 13, 0, (tree.matches ? 17 : 13) * sizeof(int64_t));
        } else {
            if (tree.begins) push_second(symbol);
            std::memmove(path + 1, path, 7 * sizeof(int64_t));
            path[0] = symbol + 1;
            const int letter = tree.letter[symbol];
            if (letter) {
                uint64_t word = (uint64_t(path[8]) + uint64_t(letter)) * kF;
                path[8] = int64_t(word ^ (word >> 31));
            } else if (path[8]) {
                path[10] = path[9], path[9] = path[8], path[8] = 0;
            }
            if (tree.matches) follow(symbol);
        }
        place();
    }

    // What the second form keeps beyond the first one.
    void push_second(int64_t symbol) {
        int64_t* path = row.path;
        std::memmove(path + 14, path + 13, 7 * sizeof(int64_t));
        path[13] = path[7];
        if (tree.begins[symbol]) {
            std::memmove(path + 22, path + 21, 3 * sizeof(int64_t));
            path[21] = 0;
        }
        path[21] = int64_t(joined(uint64_t(path[21]), uint64_t(symbol)));
        path[25] = tree.letter[symbol] ? path[25] + 1 : 0;
    }

    void take(const float* network) {
        const int V = tree.symbols;
        std::vector<float> mass(V > 1 ? V - 1 : 0);
        for (int n = V - 2; n >= 0; --n) {
            float side[2];
            for (int a = 0; a < 2; ++a) {
                const int c = tree.child[2 * n + a];
                side[a] = (c >= 0 ? mass[c] : exp_of(network[~c])) + 1e-12f;
            }
            mass[n] = side[0] + side[1];
            row.given[n] = bounded(log_of(side[1] / side[0]), -8.0f, 8.0f);
        }
    }

    void answer(float* out, std::vector<float>& reached) {
        const int V = tree.symbols;
        if (V == 1) out[0] = 0.0f;
        Seen s;
        for (int n = 0; n < V - 1; ++n) {
            look(n, s);
            const float to = n ? reached[n] : 0.0f;
            const float nats[2] = {to + log_of(1.0f - s.final), to + log_of(s.final)};
            for (int a = 0; a < 2; ++a) {
                const int c = tree.child[2 * n + a];
                (c >= 0 ? reached[c] : out[~c]) = nats[a];
            }
        }
    }
};

}  // namespace

void counts_unroll(const Tree& tree, int64_t slots, const Row& row, const Steps& steps) {
    Counts counts(tree, slots, row);
    std::vector<float> reached(tree.symbols);
    for (int64_t t = 0; t < steps.steps; ++t) {
        const int64_t symbol = steps.x[t * steps.stride];
        const bool real = symbol >= 0 && symbol < tree.symbols;
        const bool known = real && row.path[11];
        if (steps.nats) steps.nats[t * steps.stride] = known ? counts.log_prob(symbol) : 0.0;
        if (known && row.rate[0] != 0.0f) counts.learn(symbol);
        counts.push(symbol);
        if (row.given) {
            if (steps.network)
                counts.take(steps.network + t * steps.stride * tree.symbols);
            else
                std::memset(row.given, 0, sizeof(float) * (tree.symbols - 1));
        }
        row.path[11] = 1;
        if (steps.out) counts.answer(steps.out + t * steps.stride * tree.symbols, reached);
    }
}

}  // namespace ostinato
