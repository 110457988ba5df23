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
constexpr int kNetwork = 2 * kContexts + 1;  // the first input of the network
// The context that must have been met before a longer one is remembered; -1 for none. Most long contexts never return.
constexpr int kShorter[kContexts] = {-1, -1, -1, 2, 3, 4, 5, 6, -1, 8, -1, 9};
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

// What a context remembers of a decision, in one word: a probability in 16 bits; how often it was met, up to 63; how
// often each answer came of late, up to 15; the last two answers.
struct Memory {
    uint32_t word;
    float p() const { return (float(word & 0xFFFF) + 0.5f) / 65536.0f; }
    int met() const { return int(word >> 16) & 63; }
    int history() const { return int(word >> 22); }
    int recent() const { return int(word >> 22) & 255; }
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
    float input[kInputs];
    int history[kContexts];
    float* weights[kMixers];
    float dot[kMixers];
    float odds, p, final, fraction;
    float* bins[2];
};

struct Counts {
    const Tree& tree;
    const int64_t mask;
    const Row& row;
    uint64_t context[kContexts];
    uint64_t hash[kContexts];
    uint32_t found[kContexts][kSlot];
    bool met[kContexts];
    int seen_group = -1;

    Counts(const Tree& t, int64_t slots, const Row& r) : tree(t), mask(slots - 1), row(r) { contexts(); }

    int64_t before(int k) const { return row.path[k - 1]; }

    // The orders 0 to 6 and 8, the letters of the word so far, with one word before it, symbols 2 and 3 back, and the
    // word with two words before it.
    void contexts() {
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
        seen_group = -1;
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
        for (int c = 0; c < kContexts; ++c) {
            hash[c] = scattered(context[c] + uint64_t(group) * kG);
            __builtin_prefetch(row.slots + (int64_t(hash[c] & 0x7FFFFFFF) & mask) * kSlot);
        }
        for (int c = 0; c < kContexts; ++c) {
            const uint32_t* slot = find(hash[c], false);
            met[c] = slot != nullptr;
            if (slot)
                std::memcpy(found[c], slot, sizeof(found[c]));
            else
                std::memset(found[c], 0, sizeof(found[c]));
        }
    }

    void close() {
        for (int c = 0; c < kContexts; ++c) {
            if (!met[c] && kShorter[c] >= 0 && !met[kShorter[c]]) continue;
            uint32_t* slot = find(hash[c], true);
            std::memcpy(slot + 1, found[c] + 1, sizeof(found[c]) - sizeof(uint32_t));
        }
    }

    void look(int decision, Seen& s) {
        open(tree.group[decision]);
        const int at = tree.place[decision] + 1, V = tree.symbols;
        int longest = 0;
        for (int c = 0; c < kContexts; ++c) {
            const Memory m{found[c][at]};
            s.history[c] = m.history();
            const bool known = m.met() != 0;
            s.input[2 * c] = known ? row.maps[(c * kHistories + s.history[c]) * 4] : 0.0f;
            s.input[2 * c + 1] = known ? (m.p() - 0.5f) * kSpread : 0.0f;
            if (known && c < 8) longest = c + 1;
        }
        s.input[2 * kContexts] = 0.3f;
        s.input[kNetwork] = row.given ? row.given[decision] : 0.0f;
        for (int i = kNetwork + 1; i < kInputs; ++i) s.input[i] = 0.0f;
        const int third = Memory{found[3][at]}.met(), fifth = Memory{found[5][at]}.met();
        const int longer = (third < 3 ? third : 3) * 2 + (fifth > 0);
        const int depth = tree.depth[decision] < 7 ? tree.depth[decision] : 7;
        const int64_t sets[kMixers] = {decision, (V - 1) + longest * 8 + depth, (V - 1) + (kContexts + 1) * 8 + before(1),
                                       (V - 1) + (kContexts + 1) * 8 + (V + 1) + Memory{found[1][at]}.recent() * 8 + longer};
        const float* last = row.last + int64_t(decision) * kMixers;
        float odds = 0.0f;
        for (int k = 0; k < kMixers; ++k) {
            float* w = s.weights[k] = row.weights + sets[k] * kInputs;
            float a[8] = {0};
            for (int i = 0; i < kInputs; i += 8)
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
        for (int k = 0; k < kMixers; ++k) {
            const float e = (y - squash(s.dot[k])) * rate;
            for (int i = 0; i < kInputs; ++i) s.weights[k][i] += e * s.input[i];
        }
        float* last = row.last + int64_t(decision) * kMixers;
        for (int k = 0; k < kMixers; ++k) last[k] += (y - s.p) * kLastRate * s.dot[k];
        for (float* b : s.bins) {
            float& bin = b[s.fraction > 0.5f];
            bin += (y - bin) * kCorrected;
        }
        const int at = tree.place[decision] + 1;
        for (int c = 0; c < kContexts; ++c) {
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

    // Returns the log probability that the symbol was asserted with.
    double asserted(int64_t symbol) {
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
        seen_group = -1;  // of what was looked at to assert
        Seen s;
        for (int i = tree.start[symbol]; i < tree.start[symbol + 1]; ++i) {
            const int decision = tree.path[i] >> 1, answer = tree.path[i] & 1;
            if (seen_group >= 0 && tree.group[decision] != seen_group) close();
            look(decision, s);
            learn(s, decision, answer, rate);
        }
        if (seen_group >= 0) close();
        row.path[12] += 1;
    }

    void push(int64_t symbol) {
        int64_t* path = row.path;
        if (symbol < 0 || symbol >= tree.symbols) {
            std::memset(path, 0, 11 * sizeof(int64_t));  // the start of a sequence
        } else {
            std::memmove(path + 1, path, 7 * sizeof(int64_t));
            path[0] = symbol + 1;
            const int letter = tree.letter[symbol];
            if (letter) {
                uint64_t word = (uint64_t(path[8]) + uint64_t(letter)) * kF;
                path[8] = int64_t(word ^ (word >> 31));
            } else if (path[8]) {
                path[10] = path[9], path[9] = path[8], path[8] = 0;
            }
        }
        contexts();
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
        if (steps.nats) steps.nats[t * steps.stride] = known ? counts.asserted(symbol) : 0.0;
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
