#include "sound.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace ostinato {
namespace {

constexpr int taken_together = 6;      // the bits that are coded at a time
constexpr double least_scale = 1e-5;   // that of emissions/logistic_mixture.py
constexpr double negligible = 1e-13;   // a mass below it says nothing about its parts

double on_grid(double x, double fineness) { return std::rint(x * fineness) / fineness; }

int bits_of(Count lattice) {
    int bits = 0;
    while ((lattice >> bits) > 1) ++bits;
    return bits;
}

std::size_t size(Count n) { return static_cast<std::size_t>(n); }

}  // namespace

SoundCoder::SoundCoder(Place at, std::vector<std::vector<std::uint32_t>> given) : place(std::move(at)), segments(std::move(given)) {}

void SoundCoder::symbol(const double* p, Count n, Count& symbol) {
    if (place.coded && place.coded % place.segment == 0) {
        if (!place.decodes)
            finished.push_back(std::exchange(place.encoder, {}));
        else if (opened < segments.size())  // version 1 has one segment for all symbols
            place.decoder = RangeDecoder(segments[opened++]);
    }
    place.digest = checksum(place.digest, p, size(n) * sizeof(double));
    if (++place.count >= place.block) digests.push_back(std::exchange(place.digest, 0)), place.count = 0;
    ++place.coded;
    const Shares shares(p, n);
    if (place.decodes) {
        symbol = place.decoder.decode(shares);
        return;
    }
    if (symbol < 0 || symbol >= n) throw std::domain_error("a sample lies outside the lattice of its file");
    place.encoder.encode(shares.of(symbol));
}

void SoundCoder::cells(const std::vector<Count>& own, int bits, Count half) {
    for (const Count r : own) low[size(r)] = 0;
    const double last = static_cast<double>(2 * half - 1);
    for (int left = bits; left > 0;) {
        const int taken = std::min(taken_together, left);
        left -= taken;
        const Count parts = Count{1} << taken, width = Count{1} << left;
        for (const Count r : own) {
            const Count start = low[size(r)], M = components;
            for (Count i = 0; i <= parts; ++i) edges[size(i)] = static_cast<double>(start + width * i) - 0.5;
            portable_mixture(1, M, parts + 1, &weights[size(r * M)], &means[size(r * M)], &scales[size(r * M)], edges.data(), below.data());
            for (Count i = 0; i <= parts; ++i) {  // the first and the last cell hold the tails
                if (edges[size(i)] < 0.0) below[size(i)] = 0.0;
                if (edges[size(i)] > last) below[size(i)] = 1.0;
            }
            const double mass = below[size(parts)] - below[0];
            for (Count i = 0; i < parts; ++i) {
                const double one = below[size(i + 1)] - below[size(i)];
                // far in a tail nothing is left of the difference: every part is then as likely as the others
                p[size(i)] = mass > negligible ? (one > 0.0 ? one : 0.0) / mass + 1e-8 : 1.0;
            }
            Count part = (cell[size(r)] - start) >> left;
            symbol(p.data(), parts, part);
            low[size(r)] = start + (part << left);
        }
    }
}

void SoundCoder::step(const Samples& of, const double* params, const double* loc, const double* scale, const double* coupling,
                      Count* values) {
    const Count n = of.rows, D = of.channels, M = of.components, P = 1 + 3 * M;
    components = M;
    for (auto* one : {&weights, &means, &scales}) one->resize(size(n * M));
    for (auto* one : {&edges, &below, &p}) one->resize((std::size_t{1} << taken_together) + 1);
    innovations.resize(size(n * D)), cell.resize(size(n)), low.resize(size(n));
    std::vector<Count> kinds(of.lattice, of.lattice + n), own;
    std::sort(kinds.begin(), kinds.end());
    kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
    for (Count d = 0; d < D; ++d) {
        for (Count r = 0; r < n; ++r) {
            const int shift = bits_of(of.lattice[r]);
            if (of.bits - shift < 1) throw std::domain_error("the lattice of a file is wider than its samples");
            const double unit = static_cast<double>(of.lattice[r]) / of.deviation, half = static_cast<double>(Count{1} << (of.bits - shift - 1));
            const double *o = params + (r * D + d) * P, *logits = o + 1, *centres = logits + M, *raws = centres + M;
            double explained = 0.0;
            for (Count c = 0; coupling && c < d; ++c) explained += coupling[(r * D + d) * D + c] * innovations[size(r * D + c)];
            const double s = scale[r * D + d], middle = loc[r * D + d] + s * (explained + o[0]), wide = s / unit;
            const double most = *std::max_element(logits, logits + M);
            double *w = &weights[size(r * M)], *m = &means[size(r * M)], *b = &scales[size(r * M)], of_wide = 0.0;
            portable_log(1, &wide, &of_wide);
            for (Count k = 0; k < M; ++k) {
                w[k] = std::max(on_grid(logits[k] - most, 256.0), -40.0);
                m[k] = on_grid((middle / unit + wide * centres[k]) + half, 64.0);
                b[k] = std::min(raws[k], 20.0);
            }
            portable_exp(M, b, b);
            for (Count k = 0; k < M; ++k) b[k] += least_scale;
            portable_log(M, b, b);
            for (Count k = 0; k < M; ++k) b[k] = std::clamp(on_grid(b[k] + of_wide, 256.0), -5.0, 30.0);
            portable_exp(M, b, b);
            portable_exp(M, w, w);
            double total = w[0];
            for (Count k = 1; k < M; ++k) total += w[k];
            for (Count k = 0; k < M; ++k) w[k] /= total;
            cell[size(r)] = (values[r * D + d] >> shift) + (Count{1} << (of.bits - shift - 1));
        }
        for (const Count kind : kinds) {
            own.clear();
            for (Count r = 0; r < n; ++r)
                if (of.lattice[r] == kind) own.push_back(r);
            const int bits = of.bits - bits_of(kind);
            const Count half = Count{1} << (bits - 1);
            cells(own, bits, half);
            for (const Count r : own) values[r * D + d] = (low[size(r)] - half) * kind;
        }
        for (Count r = 0; r < n; ++r) {
            const double taken = static_cast<double>(static_cast<float>(static_cast<double>(values[r * D + d]) / of.deviation));
            innovations[size(r * D + d)] = (taken - loc[r * D + d]) / scale[r * D + d];
        }
    }
}

void SoundCoder::filtered(const FilterForm& form, const Samples& of, Count steps, const Count* left, const double* constant, double* memory,
                          Count* values) {
    const Count n = of.rows, D = of.channels, M = of.components, P = 1 + 3 * M, W = filter_width(form);
    if (W != 2 + 3 * M + D) throw std::domain_error("the filters predict another mixture than samples are coded by");
    FilterRows filters(form, n, memory);
    std::vector<Count> rows, lattice, given;
    std::vector<double> ahead(size(D * W)), params, loc, scale, coupling;
    z.resize(size(D));
    for (Count t = 0; t < steps; ++t) {
        rows.clear(), lattice.clear(), given.clear(), params.clear(), loc.clear(), scale.clear(), coupling.clear();
        for (Count r = 0; r < n; ++r) {
            if (t >= left[r]) continue;
            rows.push_back(r), lattice.push_back(of.lattice[r]);
            filters.predict(r, ahead.data());
            for (Count d = 0; d < D; ++d) {
                const double *o = &ahead[size(d * W)], *more = constant + d * P;
                loc.push_back(o[0]), scale.push_back(o[1]);
                params.push_back(more[0]);
                for (Count k = 0; k < 3 * M; ++k) params.push_back(more[1 + k] + o[2 + k]);
                coupling.insert(coupling.end(), o + 2 + 3 * M, o + W);
                given.push_back(values[(t * n + r) * D + d]);
            }
        }
        if (rows.empty()) return;
        Samples own = of;
        own.rows = static_cast<Count>(rows.size()), own.lattice = lattice.data();
        step(own, params.data(), loc.data(), scale.data(), D > 1 ? coupling.data() : nullptr, given.data());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            Count* out = values + (t * n + rows[i]) * D;
            for (Count d = 0; d < D; ++d) {
                out[d] = given[i * size(D) + size(d)];
                z[size(d)] = static_cast<double>(static_cast<float>(static_cast<double>(out[d]) / of.deviation));
            }
            filters.step(rows[i], z.data(), true);
        }
    }
}

}  // namespace ostinato
