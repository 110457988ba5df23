#include "tensors.h"

#if defined(__linux__)
#include <dlfcn.h>
#endif

namespace ostinato {

Torch& torch() {
    static Torch names;
    return names;
}

namespace {

Seen::Kind kind_of(int code, int bits) {
    if (code == 2 && bits == 32) return Seen::float32;
    if (code == 2 && bits == 64) return Seen::float64;
    return code == 0 && bits == 64 ? Seen::int64 : Seen::other;
}

Seen by_table(nb::handle tensor) {
    Seen s;
    dlpack::Tensor t;
    s.kind = Seen::other;
    if (torch().table->look(tensor.ptr(), &t)) {
        PyErr_Clear();
        return s;
    }
    if (t.device != 1 || t.lanes != 1 || t.axes > 3) return s;
    s.kind = kind_of(t.code, t.bits);
    s.data = static_cast<char*>(t.data) + t.offset;
    s.axes = t.axes;
    for (int i = 0; i < t.axes; ++i) s.shape[i] = t.shape[i], s.stride[i] = t.strides[i];
    return s;
}

Seen by_attributes(nb::handle tensor) {
    Seen s;
    const nb::object type = tensor.attr("dtype"), shape = tensor.attr("shape");
    s.kind = Seen::other;
    if (!nb::cast<bool>(tensor.attr("is_cpu")) || nb::len(shape) > 3) return s;
    s.kind = type.is(*torch().float32) ? Seen::float32
           : type.is(*torch().float64) ? Seen::float64
           : type.is(*torch().int64)   ? Seen::int64
                                       : Seen::other;
    s.data = reinterpret_cast<void*>(nb::cast<std::uintptr_t>(tensor.attr("data_ptr")()));
    s.axes = static_cast<int>(nb::len(shape));
    const nb::object strides = tensor.attr("stride")();
    for (int i = 0; i < s.axes; ++i)
        s.shape[i] = nb::cast<Index>(shape[i]), s.stride[i] = nb::cast<Index>(strides[i]);
    return s;
}

bool plain_keys() {
    const Torch& t = torch();
    if (t.reads_keys)
        if (const ThreadKeys* now = thread_keys()) return *now == ThreadKeys{} || *now == t.inference;
    const nb::object now = (*t.included)();
    if (!now.equal(*t.plain[0]) && !now.equal(*t.plain[1])) return false;
    return (*t.excluded)(*t.autocast).ptr() == Py_True;
}

}  // namespace

const ThreadKeys* thread_keys() {
#if defined(__linux__)
    // for a variable of each thread, dlsym returns the address of this thread's, which stays as long as the thread
    static void* const library = dlopen("libc10.so", RTLD_LAZY | RTLD_NOLOAD);
    thread_local const ThreadKeys* const own =
        library ? static_cast<const ThreadKeys*>(dlsym(library, "_ZN3c104impl26raw_local_dispatch_key_setE")) : nullptr;
    return own;
#else
    return nullptr;
#endif
}

bool plain_thread(bool saves) {
    const Torch& t = torch();
    return t.table && plain_keys() && nb::cast<int>((*t.functions)()) == 0 &&
           nb::cast<int>(t.forward_ad->attr(*t.level)) < 0 && !(saves && !(*t.hooks)(true).is_none());
}

bool plain(nb::handle tensor) {
    if (tensor.is_none()) return true;
    const auto type = reinterpret_cast<PyObject*>(Py_TYPE(tensor.ptr()));
    return (type == torch().tensor->ptr() || type == torch().parameter->ptr()) && look_at(tensor).kind != Seen::other &&
           tensor.attr(*torch().is_neg)().ptr() == Py_False;
}

Seen look_at(nb::handle tensor) {
    if (tensor.is_none()) return {};
    Seen s = torch().table ? by_table(tensor) : by_attributes(tensor);
    if (!s.data && s.numbers()) s.kind = Seen::other;
    return s;
}

Seen straightened(nb::handle tensor, nb::object& held) {
    Seen s = look_at(tensor);
    if (s.kind == Seen::absent || s.kind == Seen::other || s.contiguous()) return s;
    held = tensor.attr("contiguous")();
    return look_at(held);
}

}  // namespace ostinato
