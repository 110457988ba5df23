// The Python module. Arrays are passed as addresses (Tensor.data_ptr(), 0 for None), because this takes no time. The
// caller, ostinato.ops.engine, checks shapes and types. layer.cpp alone reads tensors itself.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>
#include <tuple>

#include "counts.h"
#include "filter.h"
#include "layer.h"
#include "lights.h"
#include "openmp.h"
#include "pool.h"
#include "run.h"
#include "sound.h"
#include "unlocked.h"
#include "write.h"

namespace nb = nanobind;
using namespace ostinato;
using Address = std::uintptr_t;

namespace {

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

// Sizes: rows, steps, places, inputs, hidden, outputs, reverse. Places: the addresses of lengths, base and column (see
// Layout). Five: the addresses of the weights, or of their gradients, in the order of Weights.
using Sizes = std::tuple<Index, Index, Index, Index, Index, Index, bool>;
using Places = std::tuple<Address, Address, Address>;
using Five = std::tuple<Address, Address, Address, Address, Address>;

Layout layout_of(const Sizes& s, const Places& p) {
    return {std::get<0>(s), std::get<1>(s), std::get<2>(s), at<Index>(std::get<0>(p)), at<Index>(std::get<1>(p)),
            at<Index>(std::get<2>(p)), std::get<6>(s)};
}

Shape shape_of(const Sizes& s) { return {std::get<3>(s), std::get<4>(s), std::get<5>(s), std::get<5>(s)}; }

template <class T>
Weights<T> weights_of(const Five& w) {
    return {at<T>(std::get<0>(w)), at<T>(std::get<1>(w)), at<T>(std::get<2>(w)), at<T>(std::get<3>(w)),
            at<T>(std::get<4>(w))};
}

template <class T>
void forward(const std::string& cell, const Sizes& sizes, const Places& places, const Five& weights, int threads,
             Address x, Address h0, Address c0, Address y, Address h_n, Address c_n, Address saved) {
    const Kernel<T>& kernel = find<T>(cell);
    const Unlocked unlocked;
    run_forward<T>(kernel, shape_of(sizes), layout_of(sizes, places), threads,
                   weights_of<T>(weights),
                   {at<T>(x), at<T>(h0), at<T>(c0), at<T>(y), at<T>(h_n), at<T>(c_n), at<T>(saved)});
}

template <class T>
void backward(const std::string& cell, const Sizes& sizes, const Places& places, const Five& weights, Address x,
              Address h0, Address c0, Address y, Address saved, Address dy, Address dh_n, Address dc_n, Address dx,
              Address dh0, Address dc0, const Five& gradients) {
    const Kernel<T>& kernel = find<T>(cell);
    const Five& g = gradients;
    const Unlocked unlocked;
    run_backward<T>(kernel, shape_of(sizes), layout_of(sizes, places), weights_of<T>(weights),
                    {at<T>(x), at<T>(h0), at<T>(c0), at<T>(y), at<T>(saved), at<T>(dy), at<T>(dh_n), at<T>(dc_n),
                     at<T>(dx), at<T>(dh0), at<T>(dc0), std::get<1>(g) != 0},
                    {at<T>(std::get<0>(g)), at<T>(std::get<1>(g)), at<T>(std::get<2>(g)), at<T>(std::get<3>(g)),
                     at<T>(std::get<4>(g))});
}

template <class T>
const Linear<T>& linear() {
    if constexpr (sizeof(T) == 4)
        return set_in_use().linear32;
    else
        return set_in_use().linear64;
}

// The rows, the steps, the numbers in a row, and whether the numbers are complex.
using LinearSizes = std::tuple<Index, Index, Index, bool>;

Layout padded(const LinearSizes& s, Address lengths) {
    const Index rows = std::get<0>(s), steps = std::get<1>(s);
    return {rows, steps, rows * steps, at<Index>(lengths), nullptr, nullptr, false};
}

template <class T>
void linear_forward(const LinearSizes& sizes, Address lengths, int threads, Address a, Address u, Address h0, Address y,
                    Address h_n) {
    const Unlocked unlocked;
    run_linear_forward<T>(linear<T>(), std::get<2>(sizes), std::get<3>(sizes), padded(sizes, lengths), threads,
                          {at<T>(a), at<T>(u), at<T>(h0), at<T>(y), at<T>(h_n)});
}

template <class T>
void linear_backward(const LinearSizes& sizes, Address lengths, int threads, Address a, Address h0, Address y, Address dy,
                     Address dh_n, Address du, Address dh0, Address da) {
    const Unlocked unlocked;
    run_linear_backward<T>(linear<T>(), std::get<2>(sizes), std::get<3>(sizes), padded(sizes, lengths), threads,
                           {at<T>(a), at<T>(h0), at<T>(y), at<T>(dy), at<T>(dh_n), at<T>(du), at<T>(dh0)}, at<T>(da));
}

// The rows, the steps, the seasons of a state, the error (0 additive, 1 multiplicative) and the season (0 none,
// 1 additive, 2 multiplicative).
using SmoothingSizes = std::tuple<Index, Index, Index, int, int>;

void smoothing(const SmoothingSizes& sizes, int threads, Address y, Address series, Address lengths, Address floor,
               Address theta, Address log_likelihood, Address gradient, Address mean, Address last) {
    const Unlocked unlocked;
    run_smoothing(set_in_use().smoothing, std::get<3>(sizes), std::get<4>(sizes), threads,
                  {std::get<0>(sizes), std::get<1>(sizes), std::get<2>(sizes), at<double>(y), at<Index>(series),
                   at<Index>(lengths), at<double>(floor), at<double>(theta), nullptr, at<double>(gradient),
                   at<double>(mean), at<double>(last)},
                  at<double>(log_likelihood));
}

// The rows, the steps, the symbols and the slots. Tree: the addresses of Tree. State: (address, bytes from row to row).
using CountsSizes = std::tuple<Index, Index, int, Index>;

void counts(const CountsSizes& sizes, const std::vector<Address>& tree, const std::vector<std::tuple<Address, Index>>& state,
            Address lengths, Address x, Address network, Address out, Address nats) {
    const auto [rows, steps, symbols, slots] = sizes;
    const Tree t{symbols, at<int32_t>(tree[0]), at<int32_t>(tree[1]), at<int32_t>(tree[2]), at<int32_t>(tree[3]),
                 at<int32_t>(tree[4]), at<int32_t>(tree[5]), at<int32_t>(tree[6]),
                 tree.size() > 7 ? at<int32_t>(tree[7]) : nullptr, tree.size() > 8 ? at<int32_t>(tree[8]) : nullptr};
    for (Index b = 0; b < rows; ++b) {  // the last symbol + 1 is an index
        const auto [address, stride] = state[1];
        const int64_t last = *at<int64_t>(address + Address(stride * b));
        if (last < 0 || last > symbols) throw std::invalid_argument("the path of a state of counts holds a symbol out of range");
    }
    const Unlocked unlocked;
    for (Index b = 0; b < rows; ++b) {
        const auto of = [&](int i) {
            const auto [address, stride] = state[i];
            return address ? address + Address(stride * b) : Address(0);
        };
        const Row row{at<float>(of(0)), at<int64_t>(of(1)), at<float>(of(2)), at<uint32_t>(of(3)),
                      at<float>(of(4)), at<float>(of(5)),   at<float>(of(6)), at<float>(of(7)),
                      at<uint32_t>(of(8)), at<int32_t>(of(9)), at<float>(of(10))};
        const Index own = lengths ? at<Index>(lengths)[b] : steps;
        counts_unroll(t, slots, row,
                      {own, rows, at<int64_t>(x) + b, network ? at<float>(network) + b * symbols : nullptr,
                       out ? at<float>(out) + b * symbols : nullptr, nats ? at<double>(nats) + b : nullptr});
    }
}

FilterForm filter_form(const std::tuple<Index, Index, Index, Index, Index, bool>& s, const Count* n, const double* r) {
    const auto [channels, squares, cascades, memories, cross, lattice] = s;
    const double* last = r + squares + cascades + memories;
    return {channels, squares, cascades, memories, cross, n, n + squares, r, r + squares, r + squares + cascades,
            last[0], last[1], last[2], last[3], last[4], last[5], last[6], static_cast<Count>(last[7]), last[8] != 0.0, lattice};
}

// The rows, the steps, the channels, and the numbers of least-squares filters, of the cascade, of scales and of cross lags;
// then whether the values lie on a lattice.
using FilterSizes = std::tuple<Index, Index, Index, Index, Index, Index, Index, bool>;

// Counts: the orders, then the taps. Rates: the forgetting of each filter, the rates of the cascade, the decays of the scales, and
// share, forgetting of the stack, prior, unit, scale, wide, width, the number of wider logistics, and 1 if grounded.
void filters(const FilterSizes& s, Address counts, Address rates, Address x, Address lengths, Address rate,
            Address memory, Address predicted) {
    const auto [rows, steps, channels, squares, cascades, memories, cross, lattice] = s;
    const FilterForm form = filter_form({channels, squares, cascades, memories, cross, lattice}, at<Count>(counts), at<double>(rates));
    const Unlocked unlocked;
    filter_unroll(form, rows, steps, at<double>(x), at<Count>(lengths), at<float>(rate), at<double>(memory),
                  at<double>(predicted));
}

// Returns an array in a buffer of the pool. The buffer goes back to the pool with the last reference to the array.
template <class T>
nb::ndarray<nb::numpy, T> empty(std::size_t count) {
    auto* memory = new Buffer(count * sizeof(T));
    const nb::capsule owner(memory, [](void* m) noexcept { delete static_cast<Buffer*>(m); });
    return nb::ndarray<nb::numpy, T>(memory->get(), {count}, owner);
}

// Step keeps the interpreter's lock while it runs, because it takes less time than releasing the lock.
template <class T>
void bind_step(nb::module_& m, const char* name) {
    nb::class_<Step<T>>(m, name)
        .def("__init__",
             [](Step<T>* self, const std::string& cell, Index inputs, Index hidden, Index outputs, const Five& weights, Index rows) {
                 new (self) Step<T>(find<T>(cell), {inputs, hidden, outputs, outputs}, weights_of<T>(weights), rows);
             })
        .def("__call__", [](const Step<T>& self, Address x, Address h, Address c, Address h_next, Address c_next) {
            self(at<T>(x), at<T>(h), at<T>(c), at<T>(h_next), at<T>(c_next));
        });
}

// A layer: the cell, H and D, whether it is residual, and the addresses of the members of LightWeights in their order, and of
// its inputs and their bias; 0 for none.
using WriteLayer = std::tuple<std::string, Index, Index, bool, std::tuple<Address, Address, Address, Address>, Address, Address>;

// Draws the symbols of texts, see write.h. Head: the addresses of its panel and its constant. Table: its width and its address.
// Rules: those of Readable. Texts: the addresses of before, place and ended, then of h and c of each layer; 0 for no c.
Index write_texts(const std::vector<WriteLayer>& layers, const std::tuple<Index, Address, Address>& head, const std::tuple<Index, Address>& table,
                  const std::tuple<double, double, double, Index>& choice, const std::tuple<Index, Address, Address, Address>& rules,
                  Index rows, const std::vector<Address>& texts, const std::tuple<Index, Index, Index>& steps, Address u, Address out, int threads) {
    const auto [symbols, panel, constant] = head;
    const auto [temperature, top_p, min_p, top_k] = choice;
    const auto [places, allowed, after, needed] = rules;
    const auto [count, left, end] = steps;
    Written written{&lights_in_use(), {}, {symbols, at<float>(panel), at<float>(constant)}, std::get<0>(table), at<float>(std::get<1>(table))};
    Texts moved{rows, at<Index>(texts[0]), at<Index>(texts[1]), at<bool>(texts[2]), {}};
    for (const auto& [cell, hidden, below, residual, weights, inputs, bias] : layers) {
        const Light* light = light_of(cell.c_str());
        if (!light) throw std::invalid_argument("no texts are drawn by the cell " + cell);
        const auto [whole, scale, exact, own] = weights;
        written.layers.push_back({light, hidden, below, residual,
                                  {at<std::int8_t>(whole), at<float>(scale), at<float>(exact), at<float>(own)},
                                  at<float>(inputs), at<float>(bias)});
        const std::size_t l = 3 + 2 * moved.states.size();
        moved.states.push_back({at<float>(texts[l]), at<float>(texts[l + 1])});
    }
    const Unlocked unlocked;
    return write(written, {temperature, top_p, min_p, top_k},
                 {places, symbols, at<bool>(allowed), at<Index>(after), at<Index>(needed)}, moved, count, left, end,
                 at<double>(u), at<Index>(out), threads);
}

using Words = std::vector<std::uint32_t>;
// The rows, the channels, the components of a mixture, the standard deviation and the bits of samples.
using SampleSizes = std::tuple<Index, Index, Index, double, int>;

Samples samples_of(const SampleSizes& s, Address lattice) {
    const auto [rows, channels, components, deviation, bits] = s;
    return {rows, channels, components, deviation, bits, at<Count>(lattice)};
}

void bind_sound(nb::module_& m) {
    nb::class_<RangeEncoder>(m, "RangeEncoder")
        .def(nb::init<>())
        .def("encode", [](RangeEncoder& self, Index rows, Index n, Address p, Address symbols) {
            for (Index i = 0; i < rows; ++i) self.encode(Shares(at<double>(p) + i * n, n).of(at<Count>(symbols)[i]));
        })
        .def("number", [](RangeEncoder& self, Index size, Index number) { self.encode(equal(size, number)); })
        .def("words", &RangeEncoder::words)
        .def("place", [](const RangeEncoder& self) { return std::make_tuple(self.place(), self.low(), self.width()); });
    nb::class_<RangeDecoder>(m, "RangeDecoder")
        .def(nb::init<Words>())
        .def("decode", [](RangeDecoder& self, Index rows, Index n, Address p, Address symbols) {
            for (Index i = 0; i < rows; ++i) at<Count>(symbols)[i] = self.decode(Shares(at<double>(p) + i * n, n));
        })
        .def("number", [](RangeDecoder& self, Index size) { return self.decode(size); });
    nb::class_<SoundCoder>(m, "SoundCoder")
        .def("__init__", [](SoundCoder* self, const std::tuple<bool, Index, Index, std::uint32_t, Index, Index>& place,
                            const RangeEncoder& encoder, const RangeDecoder& decoder, std::vector<Words> segments) {
            const auto [decodes, block, segment, digest, count, coded] = place;
            new (self) SoundCoder({decodes, block, segment, digest, count, coded, encoder, decoder}, std::move(segments));
        })
        .def("step", [](SoundCoder& self, const SampleSizes& s, Address lattice, Address params, Address loc, Address scale, Address coupling,
                        Address values) {
            self.step(samples_of(s, lattice), at<double>(params), at<double>(loc), at<double>(scale), at<double>(coupling), at<Count>(values));
        })
        .def("filtered", [](SoundCoder& self, const std::tuple<Index, Index, Index, Index, Index, bool>& sizes, Address counts, Address rates,
                            const SampleSizes& s, Address lattice, Index steps, Address left, Address constant, Address memory, Address values) {
            const FilterForm form = filter_form(sizes, at<Count>(counts), at<double>(rates));
            const Unlocked unlocked;
            self.filtered(form, samples_of(s, lattice), steps, at<Count>(left), at<double>(constant), at<double>(memory), at<Count>(values));
        })
        .def("ended", [](SoundCoder& self) { return std::make_tuple(std::exchange(self.digests, {}), std::exchange(self.finished, {})); })
        .def("place", [](const SoundCoder& self) {
            const Place& p = self.place;
            return std::make_tuple(p.digest, p.count, p.coded, p.encoder, p.decoder);
        });
}

}  // namespace

NB_MODULE(_engine, m) {
    if (usable_sets().empty()) throw std::runtime_error("it was compiled for another processor; install ostinato again");
    nb::module_::import_("atexit").attr("register")(nb::cpp_function(Unlocked::close));
    nb::set_leak_warnings(false);  // a graph of autograd that lives until the interpreter ends is not a leak
    bind_layer(m);
    bind_step<float>(m, "Step32");
    bind_step<double>(m, "Step64");
    m.def("write", write_texts);
    m.def("light_pairs", light_pairs);
    m.def("light_pack", [](int gates, Index hidden, Index depth, Address weights, Address panel) {
        lights_in_use().pack(gates, hidden, depth, at<float>(weights), at<float>(panel));
    });
    m.def("light_inputs", [](Index rows, Index depth, int gates, Index hidden, Address panel, Address bias, Address x, Address out) {
        const Unlocked unlocked;
        lights_in_use().inputs(rows, depth, gates, hidden, at<float>(panel), at<float>(bias), at<float>(x), at<float>(out));
    });
    m.def("light_lanes", [](const std::string& cell) { return light_of(cell.c_str()) ? lights_in_use().lanes : 0; });
    m.def("sets", [] {
        std::vector<std::string> names;
        for (const Kernels* set : usable_sets()) names.emplace_back(set->set);
        return names;
    });
    m.def("set_in_use", [] { return std::string(set_in_use().set); });
    m.def("use_set", [](const std::string& name) { use_set(name.c_str()); });
    m.def("cells", [] {
        std::vector<std::tuple<std::string, int, int, bool>> cells;
        const Kernels& set = set_in_use();
        for (int i = 0; i < set.count; ++i) {
            const Kernel<float>& kernel = set.cells[i]->float32;
            cells.emplace_back(set.cells[i]->name, kernel.gates, kernel.states, kernel.projects);
        }
        return cells;
    });
    m.def("saved_size", [](const std::string& cell, int bits, Index hidden) {
        const Shape shape{1, hidden, hidden, hidden};
        const auto s = bits == 32 ? saved_size(find<float>(cell), shape) : saved_size(find<double>(cell), shape);
        return std::make_tuple(s.head, s.width);
    });
    m.def("grid_of", [](const std::string& cell, int bits, const Sizes& sizes, int threads) {
        const Shape shape = shape_of(sizes);
        const Layout layout = layout_of(sizes, {0, 0, 0});
        const Grid grid = bits == 32 ? grid_of(find<float>(cell), shape, layout, threads)
                                     : grid_of(find<double>(cell), shape, layout, threads);
        return std::make_tuple(grid.parts, grid.team, grid.together);
    });
    m.def("force_grid", force_grid);
    m.def("use_openmp", [](Address parallel, Address rank, Address size, Address most, Address inside, bool watched) {
        const auto query = [](Address f) { return reinterpret_cast<int (*)()>(f); };
        use_openmp({reinterpret_cast<decltype(OpenMp::parallel)>(parallel), query(rank), query(size), query(most), query(inside), watched});
    }, nb::arg("parallel"), nb::arg("rank"), nb::arg("size"), nb::arg("most"), nb::arg("inside"), nb::arg("watched"));
    m.def("has_openmp", [](int count) { return openmp_with(count) != nullptr; });
    m.def("peak", [](Index loops) { return set_in_use().peak(loops); });
    m.def("empty32", empty<float>);
    m.def("empty64", empty<double>);
    nb::class_<Buffer>(m, "Buffer")
        .def(nb::init<std::size_t>())
        .def_prop_ro("address", [](const Buffer& m) { return reinterpret_cast<Address>(m.get()); });
    m.def("release_memory", release_memory);
    m.def("forward32", forward<float>);
    m.def("forward64", forward<double>);
    m.def("backward32", backward<float>);
    m.def("backward64", backward<double>);
    m.def("linear_forward32", linear_forward<float>);
    m.def("linear_forward64", linear_forward<double>);
    m.def("linear_backward32", linear_backward<float>);
    m.def("linear_backward64", linear_backward<double>);
    bind_sound(m);
    m.def("smoothing", smoothing);
    m.def("counts", counts);
    m.def("filters", filters);
    m.attr("filter_forms") = 2;  // the second form has a level
    // one step of one row, with the interpreter's lock, because it takes less time than releasing it
    m.def("filter_step", [](const std::tuple<Index, Index, Index, Index, Index, bool>& sizes, Address counts, Address rates, Address x,
                            Address rate, Address memory, Address predicted, double unit, double low, double high, Address means) {
        const FilterForm form = filter_form(sizes, at<Count>(counts), at<double>(rates));
        double* ahead = at<double>(predicted);
        const double nats = filter_nats(form, ahead, at<double>(x), unit, low, high, at<double>(means));
        filter_step(form, at<double>(x), *at<float>(rate), at<double>(memory), ahead);
        return nats;
    });
    m.def("portable_mixture", [](Index rows, Index M, Index n, Address weights, Address means, Address scales, Address edges,
                                 Address cumulative) {
        portable_mixture(rows, M, n, at<double>(weights), at<double>(means), at<double>(scales), at<double>(edges),
                         at<double>(cumulative));
    });
    m.def("portable_exp", [](Index n, Address x, Address y) { portable_exp(n, at<double>(x), at<double>(y)); });
    m.def("portable_log", [](Index n, Address x, Address y) { portable_log(n, at<double>(x), at<double>(y)); });
}
