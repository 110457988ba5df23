// The description of a tensor of torch: by DLPack's table of C functions, or by its attributes where torch has no table
// yet (before 2.10). Nothing is linked with torch.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

#include "engine.h"

namespace ostinato {

namespace nb = nanobind;

// The tables of DLPack 1.2 and later (dlpack.h); functions that are not called here are void*.
namespace dlpack {
struct Tensor {
    void* data;
    std::int32_t device, device_id, axes;  // device: 1 is the CPU
    std::uint8_t code, bits;               // code: 0 whole numbers, 2 floating point
    std::uint16_t lanes;
    std::int64_t *shape, *strides;
    std::uint64_t offset;
};
struct Table {
    std::uint32_t major, minor;
    Table* earlier;
    void *allocate, *export_owned, *import_owned;
    int (*look)(void* tensor, Tensor* out);
    void* stream;
};
}  // namespace dlpack

// A tensor of at most three axes.
struct Seen {
    enum Kind : std::uint8_t { absent, other, float32, float64, int64 };
    void* data = nullptr;
    Kind kind = absent;
    int axes = 0;
    Index shape[3] = {}, stride[3] = {};

    Index numbers() const {
        Index n = 1;
        for (int i = 0; i < axes; ++i) n *= shape[i];
        return n;
    }
    bool contiguous() const {
        Index step = 1;
        for (int i = axes; i-- > 0; step *= shape[i])
            if (shape[i] != 1 && stride[i] != step) return !numbers();
        return true;
    }
    bool is(Kind wanted, std::initializer_list<Index> sizes) const {
        if (kind != wanted || axes != static_cast<int>(sizes.size())) return false;
        int i = 0;
        for (Index size : sizes)
            if (shape[i++] != size) return false;
        return true;
    }
    bool same_form(const Seen& o) const {
        for (int i = 0; i < axes; ++i)
            if (shape[i] != o.shape[i]) return false;
        return kind == o.kind && axes == o.axes;
    }
    bool same(const Seen& o) const {
        for (int i = 0; i < axes; ++i)
            if (stride[i] != o.stride[i]) return false;
        return data == o.data && same_form(o);
    }
};

// The dispatch keys that torch includes and excludes in a thread, as differences from those of a thread without modes.
struct ThreadKeys {
    std::uint64_t included, excluded;
    bool operator==(const ThreadKeys& o) const { return included == o.included && excluded == o.excluded; }
};

// Returns the keys of this thread where torch's library keeps them, or null if they are not found there. To ask torch for
// them takes four calls of Python and a microsecond, in caches that the kernels have filled two.
const ThreadKeys* thread_keys();

// Names of torch that are looked up once. They are never freed, because the interpreter may end before this module.
struct Torch {
    const dlpack::Table* table = nullptr;
    nb::object *empty_like = nullptr, *pooled = nullptr, *float32 = nullptr, *float64 = nullptr, *int64 = nullptr;
    nb::object *tensor = nullptr, *parameter = nullptr;  // the classes that nothing intercepts
    nb::object *included = nullptr, *plain[2] = {};      // the dispatch keys of the thread, and those of a plain thread
    nb::object *excluded = nullptr, *autocast = nullptr, *functions = nullptr, *hooks = nullptr, *grad = nullptr;
    nb::object* forward_ad = nullptr;
    bool reads_keys = false;       // whether the keys of the thread are read (thread_keys) rather than asked for
    ThreadKeys inference = {};     // what is read in inference mode
    nb::object *is_neg = nullptr, *requires_grad = nullptr, *level = nullptr;
    nb::object *detach = nullptr, *version = nullptr;  // the last five: names of attributes
    Index large = 0;  // the count of numbers from which a buffer comes from the pool
};
Torch& torch();

// Returns whether nothing in this thread wants to see, or to change, what a call does: no mode, no transform, no autocast, no
// tangents and, if the call saves tensors, no hooks for them. False without a table, and then Python checks.
bool plain_thread(bool saves);

// Returns whether torch keeps nothing apart from the bytes of the tensor: its class is torch's own, DLPack can describe it, and
// no sign is still to be applied. True for None.
bool plain(nb::handle tensor);

// Returns the description of a tensor. The kind is `absent` for None, and `other` for whatever a kernel cannot read:
// another device or type, more axes, or memory that was freed.
Seen look_at(nb::handle tensor);

// Returns the tensor in a form without strides: itself, or a copy that `held` keeps alive.
Seen straightened(nb::handle tensor, nb::object& held);

}  // namespace ostinato
