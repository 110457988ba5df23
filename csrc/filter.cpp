#include "filter.h"

#include <cmath>
#include <cstring>
#include <vector>

namespace ostinato {
namespace {

constexpr double largest = 1e7;  // the mean variance of a weight, in units, from which a filter starts anew
constexpr Count lanes = 8;
constexpr double apart = 64.0;   // the ratio of the scales of two wide logistics
constexpr double louder = 8.0;   // how much louder than all before it a value must be for the least squares to begin anew
constexpr double early = 16.0;   // the values within which they may: later ones would lose what is known of the spectrum
constexpr double beyond = 4.0;   // how far beyond the loudest value a prediction may be
constexpr double slowest = 0.002;  // the least weight of a value in the running mean
constexpr double least_scale = 1e-5;  // that of emissions/logistic_mixture.py

// Wider vectors change no bit: every sum has a fixed order, and no product is contracted into it.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(OSTINATO_SANITIZE)
#define OSTINATO_WIDER __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define OSTINATO_WIDER
#endif

inline double bits_as_number(std::uint64_t bits) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

inline std::uint64_t bits_of(double x) {
    std::uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

// exp by 2^n e^r, |r| <= log(2) / 2, and the Taylor sum of e^r to r^13.
inline double exponential(double x) {
    x = x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x;
    const double shifter = 6755399441055744.0, shifted = x * 1.4426950408889634074 + shifter, n = shifted - shifter;
    const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return p * bits_as_number((bits_of(shifted) + 1023) << 52);  // n is in the last bits of the shifted number
}

// log of a positive normal number by m 2^n, m within [sqrt(1/2), sqrt(2)), and the series of 2 atanh((m - 1) / (m + 1)).
inline double logarithm(double x) {
    const std::uint64_t bits = bits_of(x);
    const double power = bits_as_number((bits >> 52) | 0x4330000000000000ULL) - (4503599627370496.0 + 1023.0);
    const double whole = bits_as_number((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
    const bool large = whole >= 1.4142135623730951;
    const double m = large ? whole * 0.5 : whole, n = large ? power + 1.0 : power;
    const double z = (m - 1.0) / (m + 1.0), s = z * z;
    double p = 1.0 / 21.0;
    for (int k = 19; k >= 1; k -= 2) p = p * s + 1.0 / k;
    return n * 0.69314718055994530942 + 2.0 * z * p;
}

// The sum of products in a fixed order: eight partial sums, then those in turn.
OSTINATO_WIDER double dot(const double* a, const double* b, Count n) {
    double part[lanes] = {};
    Count i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Count j = 0; j < lanes; ++j) part[j] += a[i + j] * b[i + j];
    for (Count j = 0; i < n; ++i, ++j) part[j] += a[i] * b[i];
    double sum = 0.0;
    for (double one : part) sum += one;
    return sum;
}

// The variances of n weights that nothing is known of.
void anew(Count n, double* V, double prior) {
    for (Count i = 0; i < n * n; ++i) V[i] = 0.0;
    for (Count i = 0; i < n; ++i) V[i * n + i] = prior;
}

// Recursive least squares: w moves by the gain times the error, and V, the inverse of the weighted squares, forgets.
OSTINATO_WIDER void learn(Count n, double* __restrict w, double* __restrict V, const double* __restrict x, double error, double forget,
           double prior, double* __restrict gain) {
    for (Count i = 0; i < n; ++i) gain[i] = 0.0;
    for (Count j = 0; j < n; ++j) {
        const double* row = V + j * n;
        const double xj = x[j];
        for (Count i = 0; i < n; ++i) gain[i] += row[i] * xj;
    }
    const double power = forget + dot(gain, x, n), scale = 1.0 / power, keep = 1.0 / forget;
    double trace = 0.0;
    for (Count i = 0; i < n; ++i) w[i] += gain[i] * scale * error;
    for (Count i = 0; i < n; ++i) {
        double* row = V + i * n;
        const double c = gain[i] * scale;
        for (Count j = 0; j < n; ++j) row[j] = (row[j] - c * gain[j]) * keep;
        trace += row[i];
    }
    if (!(trace < largest * static_cast<double>(n)) || !(power > 0.0)) anew(n, V, prior);
}

OSTINATO_WIDER void exponentials(Count n, const double* __restrict x, double* __restrict y) {
    for (Count i = 0; i < n; ++i) y[i] = exponential(x[i]);
}

OSTINATO_WIDER void logarithms(Count n, const double* __restrict x, double* __restrict y) {
    for (Count i = 0; i < n; ++i) y[i] = logarithm(x[i]);
}

// The greatest power of 2 that a number, rounded to a whole one, is a multiple of; 0 for 0 and for infinity.
double spacing_of(double x) {
    const double whole = std::fabs(std::rint(x));
    if (!(whole > 0.0) || std::isinf(whole)) return 0.0;
    const int zeros = whole < 0x1p62 ? 0 : std::ilogb(whole) - 52;  // a larger number than 64 bits hold ends in zeros
    const auto digits = static_cast<std::int64_t>(std::scalbn(whole, -zeros));
    return std::scalbn(static_cast<double>(digits & -digits), zeros);
}

void push(double* line, Count n, double x) {
    std::memmove(line + 1, line, static_cast<std::size_t>(n - 1) * sizeof(double));
    line[0] = x;
}

// The places of a channel's memory, in the order of ops/filter/form.py.
struct Places {
    Count history, last, squares, cascade, stack, locations, parts, scales, weights, coupling, ground, size;
    Count lags, width, levels, narrow, mixed;  // lags kept; regressors beyond the own lags; places of logistics; logistics that adapt; all

    explicit Places(const FilterForm& f) {
        lags = 0;
        for (Count r = 0; r < f.squares; ++r) lags = f.orders[r] > lags ? f.orders[r] : lags;
        width = f.cross * (f.channels - 1);
        levels = f.squares + 2;
        narrow = levels * f.memories;
        mixed = narrow + 1 + f.wider;
        history = 2;  // before it: the grid, and the steps seen
        last = history + lags;
        squares = last;
        Count at = squares;
        for (Count r = 0; r < f.squares; ++r) {
            const Count n = f.orders[r] + width;
            at += n + n * n;
        }
        cascade = at;
        for (Count c = 0; c < f.cascades; ++c) at += 2 * f.taps[c];
        stack = at;
        const Count stacked = f.squares + f.cascades;
        at += stacked + stacked * stacked;
        locations = at, at += stacked + 1;
        parts = at, at += f.cascades;
        scales = at, at += levels * f.memories;
        weights = at, at += mixed;
        coupling = at, at += f.channels + f.channels * f.channels;
        ground = at, at += f.grounded ? 3 : 0;  // the running mean, the loudest value from there, and the loudness that V is for
        size = at;
    }
};

class Row {
public:
    Row(const FilterForm& form, const Places& places, double* memory)
        : f(form), p(places), memory(memory), gain(scratch(form)), inputs(scratch(form)), error(static_cast<std::size_t>(form.channels)),
          wide(static_cast<std::size_t>(4 * places.mixed)) {}

    void predict_into(double* out) const {
        const Count M = p.mixed, W = 2 + 3 * M + f.channels;
        for (Count d = 0; d < f.channels; ++d) {
            const double* m = at(d);
            double* o = out + d * W;
            const double loc = centre(m), s = spread(m), inverse = 1.0 / s;
            o[0] = loc * f.unit, o[1] = s * f.unit;
            double* logits = o + 2;
            double *means = logits + M, *raws = means + M;
            for (Count k = 0; k < M; ++k) {
                means[k] = (location(m, k) - loc) * inverse;
                raws[k] = scale(m, k) * inverse;
            }
            logarithms(M, m + p.weights, logits);
            double* scratch = wide.data();
            std::memcpy(scratch, raws, static_cast<std::size_t>(M) * sizeof(double));
            logarithms(M, scratch, raws);
            for (Count c = 0; c < f.channels; ++c) o[2 + 3 * M + c] = c < d ? m[p.coupling + c] * spread(at(c)) * inverse : 0.0;
        }
    }

    void step(const double* x, bool learns) {
        for (Count d = 0; d < f.channels; ++d) observe(d, x, learns);
        for (Count d = 0; d < f.channels; ++d) push(at(d) + p.history, p.lags, taken[static_cast<std::size_t>(d)]);
        for (Count d = 0; d < f.channels; ++d) predict(d);
    }

    void start_step() { taken.assign(static_cast<std::size_t>(f.channels), 0.0); }

private:
    double* at(Count d) const { return memory + d * p.size; }
    double centre(const double* m) const { return m[p.locations + f.squares + f.cascades]; }
    double grid(const double* m) const { return m[0] > 0.0 ? m[0] : 1.0; }
    // the place of the logistics of a level: those of the least squares, the end of the cascade, and the stack
    Count place(Count level) const { return level < f.squares ? level : f.squares + f.cascades - (level == f.squares); }
    double location(const double* m, Count k) const {
        return k > p.narrow ? m[p.history] : k == p.narrow ? centre(m) : m[p.locations + place(k / f.memories)];
    }
    double scale(const double* m, Count k) const {
        if (k >= p.narrow) {
            double s = f.wide;
            for (Count i = p.narrow; i < k; ++i) s *= apart;
            return s;
        }
        const double s = f.width * m[p.scales + k], least = 0.05 * grid(m);
        return s > least ? s : least;
    }
    double spread(const double* m) const { return scale(m, (f.squares + 1) * f.memories + (f.memories > 1)); }

    // the level that the values of a channel are counted from
    double level(const double* m) const { return f.grounded ? m[p.ground] : 0.0; }
    // the variance of a weight of the least squares that nothing is known of
    double prior(const double* m) const {
        if (!f.grounded || !(m[p.ground + 2] > f.scale)) return f.prior;
        const double quieter = f.scale / m[p.ground + 2];
        return f.prior * quieter * quieter;
    }

    // the regressors of a least-squares filter: the own lags, then the lags of the other channels, each from its level
    void regress(Count d, Count order) {
        double* z = inputs.data();
        const double own = level(at(d));
        for (Count l = 0; l < order; ++l) z[l] = at(d)[p.history + l] - own;
        Count i = order;
        for (Count c = 0; c < f.channels; ++c)
            if (c != d) {
                const double other = level(at(c));
                for (Count l = 0; l < f.cross; ++l) z[i++] = at(c)[p.history + l] - other;
            }
    }

    // the predictions that the stack combines, from the level
    const double* predictions(const double* m) {
        const double own = level(m);
        for (Count i = 0; i < f.squares + f.cascades; ++i) inputs[static_cast<std::size_t>(i)] = m[p.locations + i] - own;
        return inputs.data();
    }

    // The first value is the level: it says nothing of how well anything predicts.
    void begin(double* m, double y) const {
        m[1] = 1.0;
        m[p.ground] = y;
        for (Count l = 0; l < p.lags; ++l) m[p.history + l] = y;
    }

    // The level moves on, and where a value is much louder than all before it, what the least squares have learned of the
    // variances of their weights says nothing of such values: they begin anew from the weights that they have.
    void settle(double* m, double y) const {
        double* g = m + p.ground;
        const double share = 1.0 / m[1];
        g[0] += (share > slowest ? share : slowest) * (y - g[0]);
        const double away = y > g[0] ? y - g[0] : g[0] - y;
        if (away > g[1]) g[1] = away;
        if (m[1] > early || !(away > louder * (g[2] > f.scale ? g[2] : f.scale))) return;
        g[2] = away;
        double* square = m + p.squares;
        for (Count r = 0; r < f.squares; ++r) {
            const Count n = f.orders[r] + p.width;
            anew(n, square + n, prior(m));
            square += n + n * n;
        }
        const Count stacked = f.squares + f.cascades;
        anew(stacked, m + p.stack + stacked, prior(m));
    }

    void observe(Count d, const double* x, bool learns) {
        double* m = at(d);
        const double y = x[d] / f.unit, middle = centre(m);
        const bool missing = !(y == y);
        error[static_cast<std::size_t>(d)] = missing ? 0.0 : y - middle;
        taken[static_cast<std::size_t>(d)] = missing ? middle : y;
        if (missing) return;
        if (!learns) {
            remember(m, y);
            return;
        }
        if (f.lattice) {
            // the coarsest lattice that holds every value so far
            const double spacing = spacing_of(y);
            if (spacing > 0.0 && (m[0] == 0.0 || spacing < m[0])) m[0] = spacing;
        }
        if (f.grounded && m[1] == 0.0) {
            error[static_cast<std::size_t>(d)] = 0.0;
            begin(m, y);
            return;
        }
        m[1] += 1.0;
        const double moved = dot(m + p.coupling, error.data(), d), v = y - moved, half = 0.5 * grid(m);
        double total = 0.0;
        double *w = m + p.weights, *sides = wide.data();
        for (Count k = 0; k < p.mixed; ++k) {
            const double b = 1.0 / scale(m, k), e = location(m, k) - v, e1 = e > 0 ? e : -e;
            // sigmoid(a + h) - sigmoid(a - h) for a <= 0 has no cancellation
            sides[k] = (e1 - half) * b, sides[p.mixed + k] = (e1 + half) * b;
        }
        exponentials(2 * p.mixed, sides, sides + 2 * p.mixed);
        for (Count k = 0; k < p.mixed; ++k) {
            const double q = 1.0 / (1.0 + sides[2 * p.mixed + k]) - 1.0 / (1.0 + sides[3 * p.mixed + k]);
            w[k] *= q > 1e-12 ? q : 1e-12;
            total += w[k];
        }
        const double keep = (1.0 - f.share) / total, floor = f.share / static_cast<double>(p.mixed);
        for (Count k = 0; k < p.mixed; ++k) w[k] = w[k] * keep + floor;
        for (Count k = 0; k < p.narrow; ++k) {
            const double a = v - location(m, k), usual = f.decays[k % f.memories], mean = 1.0 - 1.0 / m[1];
            const double decay = f.grounded && mean < usual ? mean : usual;
            m[p.scales + k] = decay * m[p.scales + k] + (1.0 - decay) * (a > 0 ? a : -a);
        }
        if (d) {
            double* g = m + p.coupling;
            learn(d, g, g + f.channels, error.data(), error[static_cast<std::size_t>(d)] - moved, f.stack_forget, prior(m), gain.data());
        }
        const Count stacked = f.squares + f.cascades;
        double *locations = m + p.locations, *stack = m + p.stack;
        const double *predicted = predictions(m), from = y - level(m);
        learn(stacked, stack, stack + stacked, predicted, from - dot(stack, predicted, stacked), f.stack_forget, prior(m), gain.data());
        double rest = y - locations[0];
        double* taps = m + p.cascade;
        for (Count c = 0; c < f.cascades; ++c) {
            const Count n = f.taps[c];
            const double left = rest - m[p.parts + c];
            double *b = taps, *line = taps + n;
            const double rate = f.rates[c] * left / (1.0 + dot(line, line, n));
            for (Count i = 0; i < n; ++i) b[i] += rate * line[i];
            push(line, n, rest);
            rest = left;
            taps += 2 * n;
        }
        double* square = m + p.squares;
        for (Count r = 0; r < f.squares; ++r) {
            const Count n = f.orders[r] + p.width;
            regress(d, f.orders[r]);
            learn(n, square, square + n, inputs.data(), y - locations[r], f.forgets[r], prior(m), gain.data());
            square += n + n * n;
        }
        if (f.grounded) settle(m, y);
    }

    // the lines of the cascade go on, and what was learned stays
    void remember(double* m, double y) {
        double rest = y - m[p.locations], *taps = m + p.cascade;
        for (Count c = 0; c < f.cascades; ++c) {
            push(taps + f.taps[c], f.taps[c], rest);
            rest -= m[p.parts + c];
            taps += 2 * f.taps[c];
        }
    }

    void predict(Count d) {
        double* m = at(d);
        double *locations = m + p.locations, *square = m + p.squares, *taps = m + p.cascade;
        for (Count r = 0; r < f.squares; ++r) {
            const Count n = f.orders[r] + p.width;
            regress(d, f.orders[r]);
            locations[r] = within(m, level(m) + dot(square, inputs.data(), n));
            square += n + n * n;
        }
        double sum = locations[0];
        for (Count c = 0; c < f.cascades; ++c) {
            const Count n = f.taps[c];
            m[p.parts + c] = dot(taps, taps + n, n);
            sum = within(m, sum + m[p.parts + c]);
            locations[f.squares + c] = sum;
            taps += 2 * n;
        }
        const Count stacked = f.squares + f.cascades;
        locations[stacked] = within(m, level(m) + dot(m + p.stack, predictions(m), stacked));
    }

    // a prediction far beyond every value so far is an error of the first steps
    double within(const double* m, double x) const {
        const double own = level(m), most = 100.0 * f.wide + (f.grounded ? beyond * m[p.ground + 1] : 0.0);
        return x > own + most ? own + most : x < own - most ? own - most : x == x ? x : own;
    }

    static std::size_t scratch(const FilterForm& form) {
        Count most = form.squares + form.cascades + form.channels;
        for (Count r = 0; r < form.squares; ++r) most = form.orders[r] > most ? form.orders[r] : most;
        return static_cast<std::size_t>(most + form.cross * form.channels);
    }

    const FilterForm& f;
    const Places& p;
    double* memory;
    std::vector<double> gain, inputs, error;
    mutable std::vector<double> wide;  // room for the numbers that are computed many at a time

public:
    std::vector<double> taken;
};

}  // namespace

Count filter_memory(const FilterForm& form) { return Places(form).size; }
Count filter_width(const FilterForm& form) { return 2 + 3 * Places(form).mixed + form.channels; }

void filter_unroll(const FilterForm& form, Count rows, Count steps, const double* x, const Count* lengths, const float* rate,
                   double* memory, double* predicted) {
    const Places places(form);
    const Count D = form.channels, W = filter_width(form);
    for (Count b = 0; b < rows; ++b) {
        Row row(form, places, memory + b * D * places.size);
        row.start_step();
        row.predict_into(predicted + b * D * W);
        for (Count t = 0; t < steps; ++t) {
            if (!lengths || t < lengths[b]) row.step(x + (t * rows + b) * D, rate[b] != 0.0F);
            row.predict_into(predicted + ((t + 1) * rows + b) * D * W);
        }
    }
}

void filter_step(const FilterForm& form, const double* x, float rate, double* memory, double* predicted) {
    FilterRows row(form, 1, memory);
    row.step(0, x, rate != 0.0F);
    row.predict(0, predicted);
}

struct FilterRows::Held {
    Held(const FilterForm& form, Count count, double* memory) : places(form) {
        rows.reserve(static_cast<std::size_t>(count));
        for (Count b = 0; b < count; ++b) {
            rows.emplace_back(form, places, memory + b * form.channels * places.size);
            rows.back().start_step();
        }
    }

    const Places places;
    std::vector<Row> rows;
};

FilterRows::FilterRows(const FilterForm& form, Count rows, double* memory) : held(std::make_unique<Held>(form, rows, memory)) {}
FilterRows::~FilterRows() = default;
void FilterRows::predict(Count b, double* predicted) const { held->rows[static_cast<std::size_t>(b)].predict_into(predicted); }
void FilterRows::step(Count b, const double* x, bool learns) { held->rows[static_cast<std::size_t>(b)].step(x, learns); }

double filter_nats(const FilterForm& form, const double* predicted, const double* x, double unit, double low, double high,
                   double* means) {
    const Count D = form.channels, W = filter_width(form), M = (W - 2 - D) / 3;
    double nats = 0.0;
    std::vector<double> e(static_cast<std::size_t>(D)), middle(static_cast<std::size_t>(D));
    for (Count d = 0; d < D; ++d) {
        const double *o = predicted + d * W, *logits = o + 2, *centres = logits + M, *raws = centres + M, *coupling = raws + M;
        const double loc = o[0], scale = o[1], half = unit / (2.0 * scale);
        e[static_cast<std::size_t>(d)] = (x[d] - loc) / scale;
        const double u = e[static_cast<std::size_t>(d)] - dot(coupling, e.data(), d);
        const double foreseen = dot(coupling, middle.data(), d);
        const double first = (low - loc) / scale - foreseen, last = (high - loc) / scale - foreseen;
        const bool lowest = unit > 0.0 && x[d] - 0.5 * unit < low, highest = unit > 0.0 && x[d] + 0.5 * unit > high;
        double weight = 0.0, mass = 0.0, mean = 0.0;
        for (Count k = 0; k < M; ++k) {
            const double w = exponential(logits[k]), b = exponential(raws[k]) + least_scale, away = (centres[k] - u) / b;
            const double e1 = away > 0 ? away : -away, h = half / b;
            double q, centre = centres[k];
            if (lowest || highest) {
                const double side = lowest ? (centres[k] - u) / b - h : (u - centres[k]) / b - h;
                q = 1.0 / (1.0 + exponential(side));
            } else if (unit > 0.0) {
                q = 1.0 / (1.0 + exponential(e1 - h)) - 1.0 / (1.0 + exponential(e1 + h));
            } else {
                const double s = 1.0 / (1.0 + exponential(e1));
                q = s * (1.0 - s) / (b * scale);
            }
            if (unit > 0.0) {
                const double under = (first - centre) / b, over = (centre - last) / b;
                centre += b * (under > -40.0 ? (under > 40.0 ? under : logarithm(1.0 + exponential(under))) : 0.0);
                centre -= b * (over > -40.0 ? (over > 40.0 ? over : logarithm(1.0 + exponential(over))) : 0.0);
            }
            weight += w, mass += w * q, mean += w * centre;
        }
        nats -= logarithm(mass > 1e-300 ? mass / weight : 1e-300);
        middle[static_cast<std::size_t>(d)] = mean / weight + foreseen;
        means[d] = loc + scale * middle[static_cast<std::size_t>(d)];
    }
    return nats;
}

OSTINATO_WIDER void portable_mixture(Count rows, Count M, Count n, const double* weights, const double* means, const double* scales,
                                     const double* edges, double* cumulative) {
    for (Count i = 0; i < rows * n; ++i) cumulative[i] = 0.0;
    for (Count r = 0; r < rows; ++r)
        for (Count k = 0; k < M; ++k) {
            const double w = weights[r * M + k], m = means[r * M + k], inverse = 1.0 / scales[r * M + k];
            for (Count i = r * n; i < (r + 1) * n; ++i) cumulative[i] += w / (1.0 + exponential((m - edges[i]) * inverse));
        }
}

void portable_exp(Count count, const double* x, double* y) {
    exponentials(count, x, y);
}
void portable_log(Count count, const double* x, double* y) {
    logarithms(count, x, y);
}

}  // namespace ostinato
