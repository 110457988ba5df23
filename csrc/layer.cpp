// A layer as one node of autograd: forward makes the results and what backward needs, and backward the gradients. Both
// read the tensors themselves, because that takes a tenth of the time that Python needs.
#include "layer.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "run.h"
#include "tensors.h"
#include "unlocked.h"

namespace ostinato {

namespace {

// The tensors of a layer: x, h0, c0, and for each direction w_ih, w_hh, b_ih, b_hh and w_hr.
constexpr int shared = 3, weights = 5, most = shared + 2 * weights;

// The states of all directions lie one after the other: h0 (directions, B, P). One direction may have h0 (B, P).
struct Layer {
    std::string cell;
    Seen::Kind kind;
    int directions, threads, count;  // count: of the tensors
    bool reverse[2], apart;
    Shape shape;
    Layout layout;
    Seen tensors[most];  // as they were given, with their strides
    nb::object names[3];  // lengths, base and column, which stay alive

    Layout of(int direction) const {
        Layout l = layout;
        l.reverse = reverse[direction];
        return l;
    }
    template <class T>
    Weights<T> weights_of(const Seen* seen, int direction) const {
        const Seen* w = seen + shared + weights * direction;
        return {static_cast<T*>(w[0].data), static_cast<T*>(w[1].data), static_cast<T*>(w[2].data),
                static_cast<T*>(w[3].data), static_cast<T*>(w[4].data)};
    }
    template <class Run>
    void each(const Run& run) const {
        if (directions == 1) return run(0, threads);
        run_directions(threads, apart, run);
    }
};

template <class T>
T* at(const Seen& s, Index offset) {
    return s.data ? static_cast<T*>(s.data) + offset : nullptr;
}

// Looks at the tensors of a layer, without strides, and returns whether they are what the kernels take.
template <class T>
bool fits(const Kernel<T>& kernel, Layer& l, const Seen* t, const Seen* names) {
    constexpr auto kind = sizeof(T) == 4 ? Seen::float32 : Seen::float64;
    const bool padded = names[1].kind == Seen::absent;
    const Seen &x = t[0], &h0 = t[1], &c0 = t[2];
    if (x.kind != kind || x.axes != (padded ? 3 : 2) || h0.kind != kind || h0.axes < 2) return false;
    if (h0.axes == 3 ? h0.shape[0] != l.directions : l.directions != 1) return false;
    const Index B = h0.shape[h0.axes - 2], P = h0.shape[h0.axes - 1], D = x.shape[x.axes - 1];
    const Index T_ = padded ? x.shape[0] : names[1].shape[0], places = padded ? x.shape[0] * x.shape[1] : x.shape[0];
    const Index H = kernel.states == 2 ? c0.shape[c0.axes ? c0.axes - 1 : 0] : P, GH = kernel.gates * H;
    if (padded && x.shape[1] != B) return false;
    if (kernel.states == 1 ? c0.kind != Seen::absent
        : h0.axes == 3     ? !c0.is(kind, {l.directions, B, H})
                           : !c0.is(kind, {B, H}))
        return false;
    if (!kernel.projects && P != H) return false;
    for (int d = 0; d < l.directions; ++d) {
        const Seen* w = t + shared + weights * d;
        if (!w[0].is(kind, {GH, D}) || !w[1].is(kind, {GH, P})) return false;
        for (int b = 2; b < 4; ++b)
            if (w[b].kind != Seen::absent && !w[b].is(kind, {GH})) return false;
        if (kernel.projects ? !w[4].is(kind, {P, H}) : w[4].kind != Seen::absent) return false;
    }
    for (int i = 0; i < 3; ++i)
        if (names[i].kind != Seen::absent && !(names[i].is(Seen::int64, {i == 1 ? T_ : B}) && names[i].contiguous()))
            return false;
    l.shape = {D, H, P, P * l.directions};
    l.layout = {B, T_, places, static_cast<Index*>(names[0].data), static_cast<Index*>(names[1].data),
                static_cast<Index*>(names[2].data), false};
    return true;
}

// Returns an uninitialised tensor of this shape and of the type of `like`, which is of this kind. torch makes it from a
// tensor of the same shape in half of the time that it takes to read a shape, so views of one number are kept as patterns.
nb::object fresh(nb::handle like, Seen::Kind kind, std::initializer_list<Index> shape) {
    struct Pattern {
        Seen::Kind kind;
        std::vector<Index> shape;
        nb::object* view;  // never freed, as the names of torch
    };
    static std::vector<Pattern> patterns;
    Index count = 1;
    for (Index n : shape) count *= n;
    const auto sizes = [&] {
        nb::list all;
        for (Index n : shape) all.append(n);
        return nb::tuple(all);
    };
    if (count >= torch().large) return (*torch().pooled)(like, *sizes());
    for (const Pattern& p : patterns)
        if (p.kind == kind && p.shape.size() == shape.size() && std::equal(shape.begin(), shape.end(), p.shape.begin()))
            return (*torch().empty_like)(*p.view);
    nb::object made = like.attr("new_empty")(sizes());
    if (patterns.size() < 64)
        patterns.push_back({kind, shape, new nb::object(like.attr("new_empty")(nb::make_tuple(1)).attr("expand")(sizes()))});
    return made;
}

nb::object fresh_like(nb::handle tensor, const Seen& seen) {
    if (seen.numbers() < torch().large && seen.contiguous()) return (*torch().empty_like)(tensor);
    nb::list sizes;
    for (int i = 0; i < seen.axes; ++i) sizes.append(seen.shape[i]);
    return (*torch().pooled)(tensor, *nb::tuple(sizes));
}

// What backward needs of a forward pass: how it was computed, and the numbers that it saved, until they are used.
class Pass {
  public:
    Layer layer;
    nb::object form, y;  // y: an alias of the result, which counts its changes in place without forbidding them

    template <class T>
    nb::object forward(const Kernel<T>& kernel, const Seen* t, nb::handle x, nb::handle h0, nb::handle c0, bool save) {
        const Shape& s = layer.shape;
        const Layout& l = layer.layout;
        layer.apart = layer.directions == 2 && worth_apart(kernel, s, l, layer.threads);
        nb::object y = t[0].axes == 2 ? fresh(x, layer.kind, {l.places, s.row}) : fresh(x, layer.kind, {l.steps, l.rows, s.row});
        nb::object h_n = fresh_like(h0, layer.tensors[1]), c_n = c0.is_none() ? nb::none() : fresh_like(c0, layer.tensors[2]);
        const Seen to_y = look_at(y), to_h = look_at(h_n), to_c = look_at(c_n);
        if (save) {
            const SavedSize size = saved_size(kernel, s);
            for (int d = 0; d < layer.directions; ++d)
                saved_[d].emplace(sizeof(T) * (size.head + size.width * (l.places + l.rows + 1)));
        }
        {
            const Unlocked unlocked;
            layer.each([&](int d, int threads) {
                const Index h = d * l.rows * s.outputs, c = d * l.rows * s.hidden;
                run_forward<T>(kernel, s, layer.of(d), threads, layer.weights_of<T>(t, d),
                               {at<T>(t[0], 0), at<T>(t[1], h), at<T>(t[2], c), at<T>(to_y, d * s.outputs),
                                at<T>(to_h, h), at<T>(to_c, c), save ? static_cast<T*>(saved_[d]->get()) : nullptr});
            });
        }
        if (save) this->y = y.attr(*torch().detach)();
        return nb::make_tuple(y, h_n, c_n);
    }

    bool changed() const { return nb::cast<Index>(y.attr(*torch().version)) != 0; }
    bool same_tensors(nb::tuple tensors) const {
        for (int i = 0; i < layer.count; ++i)
            if (!look_at(tensors[i]).same(layer.tensors[i])) return false;
        return true;
    }
    bool same_forms(nb::tuple tensors) const {
        for (int i = 0; i < layer.count; ++i)
            if (!look_at(tensors[i]).same_form(layer.tensors[i])) return false;
        return true;
    }

    // Returns the gradients of the tensors, and None for the argument after them. Returns None if a tensor has another form,
    // the saved numbers have been used or y was changed. If `checks`, also returns None unless the thread and the gradients
    // are plain and the tensors are those that passed the gate in forward; without it, Python has checked that.
    nb::object backward(nb::tuple tensors, nb::tuple arrived, nb::tuple needed, bool checks) {
        if (!saved_[0] || changed()) return nb::none();
        if (checks) {
            if ((*torch().grad)().ptr() != Py_False || !plain_thread(false)) return nb::none();
            for (nb::handle each : arrived)
                if (!plain(each)) return nb::none();
        }
        Seen t[most], plain[most];
        nb::object held[most + 3];
        for (int i = 0; i < layer.count; ++i) {
            t[i] = look_at(tensors[i]);
            if (checks ? !t[i].same(layer.tensors[i]) : !t[i].same_form(layer.tensors[i])) return nb::none();
            plain[i] = t[i].contiguous() ? t[i] : straightened(tensors[i], held[i]);
        }
        return layer.kind == Seen::float32 ? gradients<float>(tensors, t, plain, held + most, arrived, needed)
                                           : gradients<double>(tensors, t, plain, held + most, arrived, needed);
    }

  private:
    template <class T>
    nb::object gradients(nb::tuple tensors, const Seen* given_as, const Seen* t, nb::object* held,
                         nb::tuple arrived, nb::tuple needed) {
        const Kernel<T>& kernel = find<T>(layer.cell);
        const Shape& s = layer.shape;
        const Layout& l = layer.layout;
        Seen given[3];
        for (std::size_t i = 0; i < 3 && i < nb::len(arrived); ++i) {
            given[i] = straightened(arrived[i], held[i]);
            if (given[i].kind != Seen::absent && given[i].kind != layer.kind) return nb::none();
        }
        const Seen from_y = look_at(y);
        const auto wanted = [&](int i) { return needed[i].ptr() == Py_True; };
        bool of_weights = false;
        for (int i = shared; i < layer.count; ++i) of_weights |= wanted(i);
        PyObject* found = PyTuple_New(layer.count + 1);
        const nb::object all = nb::steal(found);
        Seen to[most];
        for (int i = 0; i <= layer.count; ++i) {
            const bool made = i < layer.count && t[i].kind != Seen::absent && (i < shared ? wanted(i) : of_weights);
            nb::object buffer = made ? fresh_like(tensors[i], given_as[i]) : nb::none();
            if (made) to[i] = look_at(buffer);
            PyTuple_SetItem(found, i, buffer.release().ptr());
        }
        std::optional<Buffer> numbers[2], other_dx;
        for (int d = 0; d < layer.directions; ++d) numbers[d].emplace(std::move(*saved_[d])), saved_[d].reset();
        T* dx[2] = {at<T>(to[0], 0), nullptr};
        const Index count = l.places * s.inputs;
        {
            const Unlocked unlocked;
            if (dx[0] && layer.directions == 2) dx[1] = static_cast<T*>(other_dx.emplace(sizeof(T) * count).get());
            layer.each([&](int d, int) {
                const Index h = d * l.rows * s.outputs, c = d * l.rows * s.hidden;
                const Weights<T> g = layer.weights_of<T>(to, d);
                const auto out = [](const T* at) { return const_cast<T*>(at); };
                run_backward<T>(kernel, s, layer.of(d), layer.weights_of<T>(t, d),
                                {at<T>(t[0], 0), at<T>(t[1], h), at<T>(t[2], c), at<T>(from_y, d * s.outputs),
                                 static_cast<T*>(numbers[d]->get()), at<T>(given[0], d * s.outputs), at<T>(given[1], h),
                                 at<T>(given[2], c), dx[d], at<T>(to[1], h), at<T>(to[2], c), of_weights},
                                {out(g.ih), out(g.hh), out(g.b_ih), out(g.b_hh), out(g.hr)});
            });
            for (Index i = 0; dx[1] && i < count; ++i) dx[0][i] += dx[1][i];
        }
        return all;
    }

    std::optional<Buffer> saved_[2];
};

// Raises unless use_torch was called: every look at a tensor needs the names that it looks up.
void require_torch() {
    if (!torch().grad)
        throw std::runtime_error("the engine does not know torch yet: call use_torch, as ostinato.ops.engine.layer does at import");
}

// Runs a layer of the form (cell, (lengths, base, column), (reverse of each direction)).
// Returns y, h_n, c_n and the pass, which is None unless numbers are saved; or None if the kernels cannot take a tensor.
nb::object forward(nb::tuple form, nb::tuple tensors, int threads, bool save) {
    require_torch();
    const std::string cell = nb::cast<std::string>(form[0]);
    const nb::tuple layout = nb::cast<nb::tuple>(form[1]), reverse = nb::cast<nb::tuple>(form[2]);
    Seen names[3], t[most];
    nb::object held[most], made = nb::cast(new Pass, nb::rv_policy::take_ownership);
    Pass& pass = nb::cast<Pass&>(made);
    Layer& l = pass.layer;
    pass.form = form;
    l.cell = cell, l.threads = threads, l.directions = static_cast<int>(nb::len(reverse));
    l.count = shared + weights * l.directions;
    for (int d = 0; d < l.directions; ++d) l.reverse[d] = reverse[d].ptr() == Py_True;
    for (int i = 0; i < 3; ++i) names[i] = look_at(l.names[i] = layout[i]);
    for (int i = 0; i < l.count; ++i) {
        t[i] = l.tensors[i] = look_at(tensors[i]);
        if (t[i].kind == Seen::other) return nb::none();
        if (t[i].kind != Seen::absent && !t[i].contiguous()) t[i] = straightened(tensors[i], held[i]);
    }
    l.kind = t[0].kind;
    const auto run = [&](auto& kernel) -> nb::object {
        if (!fits(kernel, l, t, names)) return nb::none();
        const nb::object results = pass.forward(kernel, t, tensors[0], tensors[1], tensors[2], save);
        return nb::make_tuple(results[0], results[1], results[2], save ? made : nb::none());
    };
    if (l.kind == Seen::float32) return run(find<float>(cell));
    return l.kind == Seen::float64 ? run(find<double>(cell)) : nb::none();
}

// Returns 0 unless kernels may take the addresses of these tensors, 2 if autograd must see the call, else 1.
int gate(nb::tuple tensors, nb::tuple layout) {
    require_torch();
    bool saves = false;
    if ((*torch().grad)().ptr() == Py_True)
        for (nb::handle t : tensors)
            if (!t.is_none() && t.attr(*torch().requires_grad).ptr() == Py_True) {
                saves = true;
                break;
            }
    if (!plain_thread(saves)) return 0;
    for (nb::handle t : tensors)
        if (!plain(t)) return 0;
    for (nb::handle t : layout)
        if (!plain(t)) return 0;
    return 1 + saves;
}

// Returns whether the parameters of a network are those that torch.nn has listed: the same names in the same order, and each
// of them the tensor that its weak reference holds. A parameter that was replaced, removed or parametrized is not.
bool listed(nb::object parameters, nb::object names, nb::object references) {
    if (!nb::isinstance<nb::dict>(parameters) || !nb::isinstance<nb::list>(names) || !nb::isinstance<nb::list>(references)) return false;
    const std::size_t count = nb::len(names);
    if (nb::len(references) != count) return false;
    std::size_t i = 0;
    PyObject *name, *parameter;
    for (Py_ssize_t place = 0; PyDict_Next(parameters.ptr(), &place, &name, &parameter); ++i) {
        if (i == count || parameter == Py_None || !(names[i].ptr() == name || names[i].equal(nb::handle(name)))) return false;
        const nb::handle reference = references[i];  // None for a weight that was never there
        if (reference.is_none() || reference().ptr() != parameter) return false;
    }
    return i == count;
}

void use_torch(nb::object table, nb::object module, nb::object pooled, Index large, nb::tuple threads) {
    Torch& t = torch();
    const dlpack::Table* found =
        table.is_none() ? nullptr : static_cast<dlpack::Table*>(PyCapsule_GetPointer(table.ptr(), "dlpack_exchange_api"));
    if (!found) PyErr_Clear();
    t.table = found && found->major == 1 && found->look ? found : nullptr;
    const auto keep = [&](const char* name) { return new nb::object(module.attr(name)); };
    t.empty_like = keep("empty_like"), t.float32 = keep("float32"), t.float64 = keep("float64"), t.int64 = keep("int64");
    t.tensor = keep("Tensor"), t.grad = keep("is_grad_enabled");
    const auto within = [](nb::object at, std::initializer_list<const char*> names) {
        for (const char* name : names) at = at.attr(name);
        return new nb::object(at);
    };
    t.parameter = within(module, {"nn", "Parameter"});
    t.forward_ad = within(module, {"autograd", "forward_ad"});
    t.included = within(module, {"_C", "_dispatch_tls_local_include_set"});
    t.excluded = within(module, {"_C", "_dispatch_tls_is_dispatch_key_excluded"});
    t.autocast = within(module, {"_C", "DispatchKey", "AutocastCPU"});
    t.functions = within(module, {"_C", "_len_torch_function_stack"});
    // an older torch, such as 2.7, does not tell of hooks for saved tensors: then Python decides, as without a table
    const nb::object autograd = module.attr("_C").attr("_autograd");
    const nb::object hooks = nb::getattr(autograd, "_top_saved_tensors_default_hooks", nb::none());
    t.hooks = new nb::object(hooks);
    if (hooks.is_none()) t.table = nullptr;
    for (int i = 0; i < 2; ++i) t.plain[i] = new nb::object(threads[i]);
    const auto name = [](const char* text) { return new nb::object(nb::steal(PyUnicode_InternFromString(text))); };
    t.is_neg = name("is_neg"), t.requires_grad = name("requires_grad");
    t.level = name("_current_level"), t.detach = name("detach"), t.version = name("_version");
    t.pooled = new nb::object(pooled);
    t.large = large;
}

nb::object keys_of_thread() {
    const ThreadKeys* keys = thread_keys();
    return keys ? nb::object(nb::make_tuple(keys->included, keys->excluded)) : nb::none();
}

void read_keys(std::uint64_t included, std::uint64_t excluded) { torch().inference = {included, excluded}, torch().reads_keys = true; }

}  // namespace

void bind_layer(nb::module_& m) {
    m.def("use_torch", use_torch, nb::arg("table").none(), nb::arg("module"), nb::arg("pooled"), nb::arg("large"),
          nb::arg("threads"));
    m.def("keys_of_thread", keys_of_thread);
    m.def("read_keys", read_keys, nb::arg("included"), nb::arg("excluded"));
    m.def("gate", gate);
    m.def("listed", listed);
    m.def("layer_forward", forward);
    nb::class_<Pass>(m, "Pass")
        .def_prop_ro("form", [](const Pass& p) { return p.form; })
        .def("same_tensors", &Pass::same_tensors)
        .def("same_forms", &Pass::same_forms)
        .def("backward", &Pass::backward);
}

}  // namespace ostinato
