#include "write.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "team.h"

namespace ostinato {

namespace {

using Index = std::int64_t;

// The rows from which a thread of its own pays.
constexpr Index rows_of_thread = 8;

// Draws a symbol from logits (V), -inf for those that are not drawn, by a uniform number u. p and order are scratch.
Index pick(const Choice& choice, const float* logits, Index count, double u, std::vector<double>& p, std::vector<Index>& order) {
    const Index top = std::max_element(logits, logits + count) - logits;
    if (choice.temperature == 0.0) return top;
    const double high = logits[top];
    for (Index v = 0; v < count; ++v) {
        // the maximum is subtracted before the division, because a low temperature would overflow
        const double z = logits[v] - high;
        p[v] = std::exp(choice.temperature == 1.0 ? z : z / choice.temperature);
    }
    const bool narrows = choice.top_p < 1.0 || choice.top_k || choice.min_p > 0;
    if (narrows) {
        for (Index v = 0; v < count; ++v) order[v] = v;
        std::stable_sort(order.begin(), order.begin() + count, [&](Index a, Index b) { return p[a] > p[b]; });
        const Index kept = choice.top_k ? std::min(choice.top_k, count) : count;
        double total = 0.0, before = 0.0;
        for (Index i = 0; i < kept; ++i) total += p[order[i]];
        // the logits are rounded to 32 bits, so a set that reaches top_p but for that is enough
        const double enough = choice.top_p < 1.0 ? choice.top_p * total * (1 - 1e-6) : std::numeric_limits<double>::infinity();
        const double least = choice.min_p * p[order[0]];
        Index i = 0;
        for (; i < kept && before < enough && p[order[i]] >= least; ++i) before += p[order[i]];
        count = i;
    }
    double reached = 0.0;
    const auto weight = [&](Index i) { return narrows ? p[order[i]] : p[i]; };
    for (Index i = 0; i < count; ++i) reached += weight(i);
    // rounding must not lift u times the total to the total itself, which no sum exceeds
    const double at = std::min(u * reached, std::nextafter(reached, 0.0));
    reached = 0.0;
    for (Index i = 0; i < count; ++i)
        if ((reached += weight(i)) > at) return narrows ? order[i] : i;
    return top;  // no probability is a number
}

// Draws the symbols of the rows [begin, stop), and returns the steps made.
Index write_rows(const Written& n, const Choice& choice, const Readable& readable, const Texts& texts, Index begin, Index stop,
                 Index steps, Index left, Index end, const double* u, Index* out) {
    const Index rows = stop - begin, symbols = readable.symbols;
    std::vector<const float*> input(rows);
    std::vector<std::int32_t> scratch(rows * (light_pairs(n.hidden) + 1));
    std::vector<float> logits(rows * symbols);
    std::vector<double> p(symbols);
    std::vector<Index> order(symbols);
    float *h = texts.h + begin * n.hidden, *c = texts.c ? texts.c + begin * n.hidden : nullptr;
    const Index most = *std::max_element(readable.needed, readable.needed + readable.places);
    for (Index t = 0; t < steps; ++t) {
        for (Index b = 0; b < rows; ++b) input[b] = n.table + texts.before[begin + b] * n.width;
        n.cell->step(rows, n.hidden, n.weights, input.data(), h, c, scratch.data());
        n.set->head(rows, n.hidden, n.head, h, logits.data());
        bool going = false;
        for (Index b = 0; b < rows; ++b) {
            Index& place = texts.place[begin + b];
            float* own = logits.data() + b * symbols;
            const bool* allowed = readable.allowed + place * symbols;
            const Index *after = readable.after + place * symbols, more = left - t - 1;
            for (Index v = 0; v < symbols; ++v)
                if (!allowed[v] || (more < most && readable.needed[after[v]] > more)) own[v] = -std::numeric_limits<float>::infinity();
            const Index drawn = pick(choice, own, symbols, u[t * texts.rows + begin + b], p, order);
            bool& ended = texts.ended[begin + b];
            out[t * texts.rows + begin + b] = ended ? -1 : drawn;
            ended |= drawn == end;
            going |= !ended;
            place = after[drawn], texts.before[begin + b] = drawn;
        }
        if (!going) return t + 1;
    }
    return steps;
}

}  // namespace

Index write(const Written& network, const Choice& choice, const Readable& readable, const Texts& texts, Index steps, Index left,
            Index end, const double* u, Index* out, int threads) {
    const int parts = static_cast<int>(std::max<Index>(1, std::min<Index>(threads, texts.rows / rows_of_thread)));
    std::vector<Index> made(parts, 0);
    std::fill_n(out, steps * texts.rows, Index(-1));
    deal_out(parts, [&](int i) {
        made[i] = write_rows(network, choice, readable, texts, texts.rows * i / parts, texts.rows * (i + 1) / parts, steps, left,
                             end, u, out);
    });
    return *std::max_element(made.begin(), made.end());
}

}  // namespace ostinato
