#include "write.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "team.h"

namespace ostinato {

namespace {

using Index = std::int64_t;

// The rows from which a thread of its own pays. Each thread reads all weights, which takes as long as the sums of 3 rows in
// float32; few more rows than that are worth another core.
constexpr Index rows_of_thread = 4;

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

// The rows [begin, begin + rows) of the network, one step after the other.
class Stepper {
  public:
    Stepper(const Written& n, const Texts& texts, Index begin, Index rows) : n_(n), rows_(rows), input_(rows) {
        Index words = 0, products = 0, widest = n.width;
        for (const WrittenLayer& layer : n.layers) {
            words = std::max(words, light_words(layer.hidden));
            products = std::max(products, layer.below ? layer.cell->gates * layer.hidden : 0);
            widest = std::max(widest, layer.hidden);
        }
        scratch_.resize(rows * words);
        products_.resize(rows * products);
        sums_.resize(rows * widest);
        for (std::size_t l = 0; l < n.layers.size(); ++l) {
            const WrittenState& state = texts.states[l];
            const Index from = begin * n.layers[l].hidden;
            states_.push_back({state.h + from, state.c ? state.c + from : nullptr});
        }
    }

    // Takes in the last symbols, and writes the logits (B, S) of the next ones.
    void operator()(const Index* before, float* logits) {
        const float* x = nullptr;
        for (std::size_t l = 0; l < n_.layers.size(); ++l) {
            const WrittenLayer& layer = n_.layers[l];
            const auto symbol = [&](Index b) { return n_.table + before[b] * n_.width; };
            if (l == 0 && layer.below) {
                for (Index b = 0; b < rows_; ++b) std::copy_n(symbol(b), n_.width, sums_.data() + b * n_.width);
                x = sums_.data();
            }
            if (layer.below) n_.set->inputs(rows_, layer.below, layer.cell->gates, layer.hidden, layer.inputs, layer.bias, x, products_.data());
            for (Index b = 0; b < rows_; ++b)
                input_[b] = layer.below ? products_.data() + b * layer.cell->gates * layer.hidden : symbol(b);
            const WrittenState& state = states_[l];
            layer.cell->step(rows_, layer.hidden, layer.weights, input_.data(), state.h, state.c, scratch_.data());
            if (layer.residual) {
                for (Index i = 0; i < rows_ * layer.hidden; ++i) sums_[i] = x[i] + state.h[i];
                x = sums_.data();
            } else {
                x = state.h;
            }
        }
        n_.set->head(rows_, n_.layers.back().hidden, n_.head, x, logits);
    }

  private:
    const Written& n_;
    Index rows_;
    std::vector<const float*> input_;
    std::vector<WrittenState> states_;
    std::vector<std::int32_t> scratch_;
    std::vector<float> products_, sums_;
};

// Draws the symbols of the rows [begin, stop), and returns the steps made.
Index write_rows(const Written& n, const Choice& choice, const Readable& readable, const Texts& texts, Index begin, Index stop,
                 Index steps, Index left, Index end, const double* u, Index* out) {
    const Index rows = stop - begin, symbols = readable.symbols;
    Stepper step(n, texts, begin, rows);
    std::vector<float> logits(rows * symbols);
    std::vector<double> p(symbols);
    std::vector<Index> order(symbols);
    const Index most = *std::max_element(readable.needed, readable.needed + readable.places);
    for (Index t = 0; t < steps; ++t) {
        step(texts.before + begin, logits.data());
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
