// The engine on a processor that has no Python here: gradients against finite differences, one step against a whole call,
// two threads against one, and a digest of the functions that must have the same bits on every machine.
//
// tools/cross builds it for another processor, runs it under an emulator, and compares the digest with that of this machine.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "filter.h"
#include "run.h"

using namespace ostinato;

namespace {

int failures = 0;

void check(bool holds, const std::string& what, double size) {
    std::printf("%s %s (%.2g)\n", holds ? "ok  " : "FAIL", what.c_str(), size);
    failures += !holds;
}

struct Random {
    std::uint64_t state = 88172645463325252ull;
    double operator()() {  // xorshift64, to a number from -1 to 1
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return static_cast<double>(static_cast<std::int64_t>(state >> 11)) / 4503599627370496.0 - 1.0;
    }
};

template <class T>
std::vector<T> draw(Random& random, Index count, double size = 1) {
    std::vector<T> out(static_cast<std::size_t>(count));
    for (T& one : out) one = static_cast<T>(size * random());
    return out;
}

// One problem of a cell: B rows of T steps.
struct Problem {
    const Cell& cell;
    Index B = 3, T = 7, D = 5, H = 11, P = 11, G = cell.float64.gates;
    std::vector<double> x, h0, c0, ih, hh, bi, bh, hr, y, hn, cn, saved, dy;
    std::vector<Index> lengths{7, 4, 1};

    explicit Problem(const Cell& one) : cell(one) {
        Random r;
        if (cell.float64.projects) P = 4;
        x = draw<double>(r, B * T * D), h0 = draw<double>(r, B * P), c0 = draw<double>(r, B * H), dy = draw<double>(r, B * T * P);
        ih = draw<double>(r, G * H * D, .4), hh = draw<double>(r, G * H * P, .3), bi = draw<double>(r, G * H, .2);
        bh = draw<double>(r, G * H, .2), hr = draw<double>(r, P * H, .5);
        y.resize(x.size() / D * P), hn.resize(B * P), cn.resize(B * H);
    }
    Shape shape() const { return {D, H, P, P}; }
    Layout layout() const { return {B, T, B * T, lengths.data(), nullptr, nullptr, false}; }
    Weights<double> weights() const { return {ih.data(), hh.data(), bi.data(), bh.data(), hr.data()}; }

    double loss(int threads = 1) {  // sum of dy * y over the steps that exist
        const SavedSize size = saved_size(cell.float64, shape());
        saved.assign(size.head + size.width * (B * T + B + 1), 0);
        run_forward<double>(cell.float64, shape(), layout(), threads, weights(),
                            {x.data(), h0.data(), c0.data(), y.data(), hn.data(), cn.data(), saved.data()});
        double sum = 0;
        for (Index t = 0; t < T; ++t)
            for (Index b = 0; b < B; ++b)
                for (Index i = 0; i < P && t < lengths[b]; ++i) sum += dy[at(t, b) * P + i] * y[at(t, b) * P + i];
        return sum;
    }
    Index at(Index t, Index b) const { return t * B + b; }  // a padded batch has the rows of a step together
};

void check_cell(const Cell& cell) {
    const std::string name = cell.name;
    Problem p(cell);
    p.loss();
    const std::vector<double> y = p.y;
    std::vector<double> masked = p.dy;
    for (Index t = 0; t < p.T; ++t)
        for (Index b = 0; b < p.B; ++b)
            for (Index i = 0; i < p.P && t >= p.lengths[b]; ++i) masked[p.at(t, b) * p.P + i] = 0;
    std::vector<double> dx(p.x.size()), dh0(p.h0.size()), dc0(p.c0.size()), ih(p.ih.size()), hh(p.hh.size()), bi(p.bi.size()),
        bh(p.bh.size()), hr(p.hr.size());
    run_backward<double>(cell.float64, p.shape(), p.layout(), p.weights(),
                         {p.x.data(), p.h0.data(), p.c0.data(), p.y.data(), p.saved.data(), masked.data(), nullptr, nullptr,
                          dx.data(), dh0.data(), dc0.data(), true},
                         {ih.data(), hh.data(), bi.data(), bh.data(), hr.data()});
    double worst = 0;
    const auto differ = [&](std::vector<double>& values, const std::vector<double>& gradient, std::size_t i) {
        const double kept = values[i], h = 1e-6;
        values[i] = kept + h;
        const double up = p.loss();
        values[i] = kept - h;
        const double down = p.loss();
        values[i] = kept;
        worst = std::fmax(worst, std::fabs((up - down) / (2 * h) - gradient[i]));
    };
    if (name != "rnn_relu")  // has corners, where a difference is no derivative
        for (std::size_t i = 0; i < 40; ++i) {
            differ(p.ih, ih, i * 37 % ih.size()), differ(p.hh, hh, i * 41 % hh.size()), differ(p.bi, bi, i * 3 % bi.size());
            differ(p.h0, dh0, i % dh0.size()), differ(p.x, dx, i % (4 * p.D));
            if (cell.float64.projects) differ(p.hr, hr, i % hr.size());
            if (cell.float64.states == 2) differ(p.c0, dc0, i % dc0.size());
        }
    check(worst < 1e-7, name + ": gradients against finite differences", worst);

    const Step<double> step(cell.float64, p.shape(), p.weights(), 1);
    std::vector<double> h(p.h0.begin(), p.h0.begin() + p.P), c(p.c0.begin(), p.c0.begin() + p.H), hn(p.P), cn(p.H);
    double apart = 0;
    for (Index t = 0; t < p.T; ++t) {
        step(p.x.data() + p.at(t, 0) * p.D, h.data(), c.data(), hn.data(), cn.data());
        for (Index i = 0; i < p.P; ++i) apart = std::fmax(apart, std::fabs(hn[i] - y[p.at(t, 0) * p.P + i]));
        h = hn, c = cn;
    }
    check(apart < 1e-12, name + ": steps one by one against a whole call", apart);
    p.loss(2);
    double threads = 0;
    for (Index t = 0; t < p.T; ++t)
        for (Index b = 0; b < p.B; ++b)
            for (Index i = 0; i < p.P && t < p.lengths[b]; ++i)
                threads = std::fmax(threads, std::fabs(p.y[p.at(t, b) * p.P + i] - y[p.at(t, b) * p.P + i]));
    check(threads < 1e-12, name + ": two threads against one", threads);
}

std::uint64_t digest = 1469598103934665603ull;
void take(const std::vector<double>& values) {  // FNV-1a over the bits
    for (double value : values) {
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        for (int i = 0; i < 8; ++i) digest = (digest ^ (bits >> 8 * i & 255)) * 1099511628211ull;
    }
}

void portable() {
    Random random;
    std::vector<double> x = draw<double>(random, 4000, 30), y(x.size());
    portable_exp(static_cast<Count>(x.size()), x.data(), y.data());
    take(y);
    std::vector<double> back(y.size());
    portable_log(static_cast<Count>(y.size()), y.data(), back.data());
    take(back);
    const std::vector<Count> orders{32, 16}, taps{256, 32, 16};
    const std::vector<double> forgets{.999, .998}, rates{.002, .004, .008}, decays{.99, .9};
    const FilterForm form{2, 2, 3, 2, 1, orders.data(), taps.data(), forgets.data(), rates.data(), decays.data(),
                          .01, .998, 1, 1, 1, 4, 1, false};
    const Count steps = 600;
    std::vector<double> memory(static_cast<std::size_t>(2 * filter_memory(form)), .01);
    std::vector<double> said(static_cast<std::size_t>((steps + 1) * 2 * filter_width(form)));
    const std::vector<double> heard = draw<double>(random, steps * 2, .5);
    const float rate = 1;
    filter_unroll(form, 1, steps, heard.data(), nullptr, &rate, memory.data(), said.data());
    take(said), take(memory);
    std::printf("digest %016llx\n", static_cast<unsigned long long>(digest));
}

}  // namespace

int main() {
    std::printf("set %s\n", set_in_use().set);
    for (int i = 0; i < set_in_use().count; ++i) check_cell(*set_in_use().cells[i]);
    portable();
    return failures != 0;
}
