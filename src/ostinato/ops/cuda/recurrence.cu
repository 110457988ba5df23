// A recurrence in one launch: a cluster of C = UNITS / OWNED blocks runs 8 rows of a batch from their first step to their last.
//
// Each block keeps the recurrent weights of OWNED units in registers, as the A operand of mma.m16n8k16. The state h of 8
// rows is the B operand. It is exchanged through distributed shared memory after each step: a block copies its part to
// every block of the cluster, and the copy completes on a barrier of the receiver. Nothing waits for the whole cluster,
// and nothing is read back from global memory. A thread owns one unit of one row.
//
// Compiled by NVRTC at first use with -D CELL, HIDDEN (units), UNITS (padded), OWNED (the units of a block), TYPE (of the
// tensors), SPLIT_OPERANDS, and SHARED_FORWARD, SHARED_BACKWARD, FORWARD_BYTES and BACKWARD_BYTES (of the launch).
// No header of the toolkit is needed.

typedef unsigned u32;
typedef unsigned long long u64;
typedef long long i64;
typedef unsigned short u16;

struct bf16 {
    u16 bits;
};
struct f16 {
    u16 bits;
};

#define INLINE __device__ __forceinline__

// ------------------------------------------------------------------------------------------------ types of tensors
INLINE float wide(float v) { return v; }
INLINE float wide(bf16 v) { return __uint_as_float(u32(v.bits) << 16); }
INLINE float wide(f16 v) {
    float to;
    asm("cvt.f32.f16 %0,%1;" : "=f"(to) : "h"(v.bits));
    return to;
}
INLINE void narrow(float& to, float v) { to = v; }
INLINE void narrow(bf16& to, float v) { asm("cvt.rn.bf16.f32 %0,%1;" : "=h"(to.bits) : "f"(v)); }
INLINE void narrow(f16& to, float v) { asm("cvt.rn.f16.f32 %0,%1;" : "=h"(to.bits) : "f"(v)); }

// The operands of the products: bfloat16 for bfloat16 tensors, float16 for those of float32 and float16. A float16 number has the
// mantissa of TF32 in half of its bytes, but a small range: weights and gradients are scaled by powers of two.
template <class X>
struct Operand;
template <>
struct Operand<bf16> {
    static constexpr bool small_range = false;
    static INLINE u32 pair(float low, float high) {
        u32 v;
        asm("cvt.rn.bf16x2.f32 %0,%1,%2;" : "=r"(v) : "f"(high), "f"(low));
        return v;
    }
    static INLINE u16 one(float v) {
        u16 o;
        asm("cvt.rn.bf16.f32 %0,%1;" : "=h"(o) : "f"(v));
        return o;
    }
    static INLINE float left(float) { return 0.f; }
    static INLINE void product(float* c, const u32* a, u32 b0, u32 b1) {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};
template <>
struct Operand<float> {
    static constexpr bool small_range = true;
    static INLINE u32 pair(float low, float high) {
        u32 v;
        asm("cvt.rn.f16x2.f32 %0,%1,%2;" : "=r"(v) : "f"(high), "f"(low));
        return v;
    }
    static INLINE u16 one(float v) {
        u16 o;
        asm("cvt.rn.f16.f32 %0,%1;" : "=h"(o) : "f"(v));
        return o;
    }
    // What the rounding to an operand leaves.
    static INLINE float left(float v) {
        float back;
        asm("cvt.f32.f16 %0,%1;" : "=f"(back) : "h"(one(v)));
        return v - back;
    }
    static INLINE void product(float* c, const u32* a, u32 b0, u32 b1) {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};

template <>
struct Operand<f16> : Operand<float> {};

// The power of two that brings numbers of at most this size to [2^TARGET, 2^(TARGET + 1)), and its inverse. `most` is
// the bits of the largest absolute value: as integers, they are in the order of the numbers.
template <int TARGET>
struct Scale {
    float up, down;
    INLINE explicit Scale(u32 most) {
        u32 e = most >> 23;
        e = e < TARGET + 1 ? TARGET + 1 : e;
        up = __uint_as_float((254 + TARGET - e) << 23);
        down = __uint_as_float((e - TARGET) << 23);
    }
};
INLINE u32 size_bits(float v) { return __float_as_uint(v) & 0x7fffffffu; }

// ------------------------------------------------------------------------------------------------ functions of cells
// Subnormal numbers count as zero: a sigmoid that small is zero next to its cell.
constexpr float LOG2_E = 1.442695041f;
INLINE float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0,%1;" : "=f"(y) : "f"(x));
    return y;
}
INLINE float inverse(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0,%1;" : "=f"(y) : "f"(x));
    return y;
}
template <bool FAST>
INLINE float tanh_(float x) {
    if (FAST) {
        float y;
        asm("tanh.approx.f32 %0,%1;" : "=f"(y) : "f"(x));
        return y;
    }
    return fmaf(2.f, inverse(1.f + power_of_two(-2.f * LOG2_E * x)), -1.f);
}
template <bool FAST>
INLINE float sigmoid_(float x) {
    if (FAST) return 0.5f * tanh_<true>(0.5f * x) + 0.5f;
    return inverse(1.f + power_of_two(-LOG2_E * x));
}

// A cell. sum: the recurrent products with their bias, x: the products of the inputs, both per gate. `kept` is what
// backward needs of a step. `apart`: the gradients of the sums and of the inputs differ in the last gate, so backward
// writes one gradient more. `late`: the last gate takes the product with m = r h in the place of that with h.
// `unbounded`: h has no bound, so the operand needs a scale.
struct Seen {
    float h, c, c_now;  // before the step, and c after it
};
struct Lstm {
    static constexpr int gates = 4, kept = 4;
    static constexpr bool apart = false, late = false, unbounded = false, cell_state = true, needs_h = false;
    template <bool F>
    static INLINE void forward(const float* sum, const float* x, float& h, float& c, float* keep) {
        const float i = sigmoid_<F>(sum[0] + x[0]), f = sigmoid_<F>(sum[1] + x[1]), g = tanh_<F>(sum[2] + x[2]),
                    o = sigmoid_<F>(sum[3] + x[3]);
        c = f * c + i * g;
        h = o * tanh_<F>(c);
        keep[0] = i, keep[1] = f, keep[2] = g, keep[3] = o;
    }
    template <bool F>
    static INLINE float backward(const float* keep, const Seen& seen, float d, float& dc, float* e, float&) {
        const float i = keep[0], f = keep[1], g = keep[2], o = keep[3], tc = tanh_<F>(seen.c_now);
        e[3] = d * tc * o * (1.f - o);
        dc += d * o * (1.f - tc * tc);
        e[0] = dc * g * i * (1.f - i);
        e[1] = dc * seen.c * f * (1.f - f);
        e[2] = dc * i * (1.f - g * g);
        dc *= f;
        return 0.f;
    }
};
struct Gru {
    static constexpr int gates = 3, kept = 4;
    static constexpr bool apart = true, late = false, unbounded = false, cell_state = false, needs_h = true;
    template <bool F>
    static INLINE void forward(const float* sum, const float* x, float& h, float&, float* keep) {
        const float r = sigmoid_<F>(sum[0] + x[0]), z = sigmoid_<F>(sum[1] + x[1]), n = tanh_<F>(x[2] + r * sum[2]);
        h = n + z * (h - n);
        keep[0] = r, keep[1] = z, keep[2] = n, keep[3] = sum[2];
    }
    // e: the gradients of the sums; apart: that of x[2]
    template <bool F>
    static INLINE float backward(const float* keep, const Seen& seen, float d, float&, float* e, float& apart_) {
        const float r = keep[0], z = keep[1], n = keep[2];
        apart_ = d * (1.f - z) * (1.f - n * n);
        e[0] = apart_ * keep[3] * r * (1.f - r);
        e[1] = d * (seen.h - n) * z * (1.f - z);
        e[2] = apart_ * r;
        return d * z;
    }
};
struct GruBefore {
    static constexpr int gates = 3, kept = 3;
    static constexpr bool apart = false, late = true, unbounded = false, cell_state = false, needs_h = true;
    template <bool F>
    static INLINE float first(const float* sum, const float* x, float h, float* keep) {
        keep[0] = sigmoid_<F>(sum[0] + x[0]), keep[1] = sigmoid_<F>(sum[1] + x[1]);
        return keep[0] * h;
    }
    template <bool F>
    static INLINE void forward(const float* sum, const float* x, float& h, float&, float* keep) {
        const float n = keep[2] = tanh_<F>(x[2] + sum[2]);
        h = n + keep[1] * (h - n);
    }
    // the gradients of z and n; r waits for dm
    template <bool F>
    static INLINE float backward(const float* keep, const Seen& seen, float d, float&, float* e, float&) {
        const float z = keep[1], n = keep[2];
        e[1] = d * (seen.h - n) * z * (1.f - z);
        e[2] = d * (1.f - z) * (1.f - n * n);
        return d * z;
    }
};
template <bool RELU>
struct Rnn {
    static constexpr int gates = 1, kept = 1;
    static constexpr bool apart = false, late = false, unbounded = RELU, cell_state = false, needs_h = false;
    template <bool F>
    static INLINE void forward(const float* sum, const float* x, float& h, float&, float* keep) {
        const float a = sum[0] + x[0];
        // the comparison keeps NaN
        keep[0] = h = RELU ? (a < 0.f ? 0.f : a) : tanh_<F>(a);
    }
    template <bool F>
    static INLINE float backward(const float* keep, const Seen&, float d, float&, float* e, float&) {
        e[0] = RELU ? (keep[0] > 0.f ? d : 0.f) : d * (1.f - keep[0] * keep[0]);
        return 0.f;
    }
};
typedef Rnn<false> RnnTanh;
typedef Rnn<true> RnnRelu;

// ------------------------------------------------------------------------------------------------ the cluster
INLINE u32 shared_address(const void* p) { return u32(__cvta_generic_to_shared(p)); }
INLINE u32 rank_in_cluster() {
    u32 o;
    asm("mov.u32 %0,%%cluster_ctarank;" : "=r"(o));
    return o;
}
INLINE u32 at_peer(u32 address, u32 rank) {
    u32 o;
    asm("mapa.shared::cluster.u32 %0,%1,%2;" : "=r"(o) : "r"(address), "r"(rank));
    return o;
}
INLINE void cluster_sync() { asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory"); }
INLINE void arm(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _,[%0],%1;" ::"r"(barrier), "r"(bytes) : "memory");
}
// A wait that never ends would hang the card for everyone: it becomes an error of the launch.
INLINE void wait_for(u32 barrier, u32 parity) {
    u32 done, tries = 0;
    do {
        asm volatile(
            "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p,[%1],%2;\nselp.u32 %0,1,0,p;\n}"
            : "=r"(done)
            : "r"(barrier), "r"(parity)
            : "memory");
        if (++tries > (1u << 20)) __trap();
    } while (!done);
}
INLINE void load_tiles(u32* b, u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                 : "r"(address)
                 : "memory");
}
INLINE void load_two_tiles(u32* b, u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1},[%2];" : "=r"(b[0]), "=r"(b[1]) : "r"(address) : "memory");
}
INLINE void fetch_ahead(const void* p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }

// The operand of a product lies in slices of 32 units each. A slice has E entries for each unit (1 for h, the gates for
// gradients), as tiles of 8 entries by 8 rows of 16 bytes: entry p = 32 e + unit of row b is number p % 8 in tile p / 8.
// The rows of a tile are rotated by its number, so that neither writing nor reading it meets a bank twice. A split slice
// holds the leading halves of all entries and then what they leave. A scaled slice ends with the scale of each row.
template <int E, bool SPLIT, bool SCALED>
struct Slice {
    static constexpr int k16 = 2 * E, rest = 512 * E, scales = rest * (SPLIT ? 2 : 1), bytes = scales + (SCALED ? 32 : 0);
    static INLINE int place(int p, int b) { return (p >> 3) * 128 + ((b + (p >> 3)) & 7) * 16 + (p & 7) * 2; }
};

// Keeps the compiler from computing a number again where it is used.
INLINE u32 kept_in_register(u32 v) {
    asm volatile("" : "+r"(v));
    return v;
}

// The exchange of slices between the blocks of a cluster. Exchanges of type 0 and 1 alternate; they are equal for most
// cells. A block writes its slices into its own buffer, and copies them from there into the buffers of the others. Two
// buffers suffice: whoever sends has received from all, so all have read what they received before.
template <int C, int OWN, int WARPS, int BYTES0, int BYTES1>
struct Exchange {
    static constexpr int BUFFER = C * OWN * (BYTES0 > BYTES1 ? BYTES0 : BYTES1), total = 2 * BUFFER, EACH = (C + WARPS - 1) / WARPS;
    unsigned char* memory;
    u32 base, barriers, rank;
    u32 peer[EACH], peer_barriers[EACH];  // of the blocks that this warp sends to
    u32 sent, taken;
    INLINE Exchange(unsigned char* shared, u64* bars) : memory(shared), sent(0), taken(0) {
        rank = C > 1 ? kept_in_register(rank_in_cluster()) : 0;
        base = kept_in_register(shared_address(shared));
        barriers = kept_in_register(shared_address(bars));
        if (C > 1) {
            if (threadIdx.x == 0) {
                asm volatile("mbarrier.init.shared::cta.b64 [%0],1;\nmbarrier.init.shared::cta.b64 [%1],1;\n"
                             "fence.mbarrier_init.release.cluster;" ::"r"(barriers), "r"(barriers + 8)
                             : "memory");
                arm(barriers, (C - 1) * OWN * BYTES0);
                arm(barriers + 8, (C - 1) * OWN * BYTES1);
            }
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                const u32 to = (threadIdx.x >> 5) + i * WARPS;
                // lane 0 sends, and nothing to its own block
                const bool sends = (threadIdx.x & 31) == 0 && to < C && to != rank;
                peer[i] = at_peer(base, sends ? to : rank);
                peer_barriers[i] = sends ? at_peer(barriers, to) : 0;
            }
            __syncthreads();
            cluster_sync();
        }
    }
    // Where this block writes its slices before it sends them.
    INLINE unsigned char* stage() const { return memory + own(); }
    INLINE u32 own() const { return (sent & 1) * BUFFER + rank * (OWN * (BYTES0 == BYTES1 ? BYTES0 : sent & 1 ? BYTES1 : BYTES0)); }
    INLINE void send() {
        if (C > 1) {
            asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
            __syncthreads();
            const u32 at = own(), bytes = BYTES0 == BYTES1 ? OWN * BYTES0 : sent & 1 ? OWN * BYTES1 : OWN * BYTES0;
#pragma unroll
            for (int i = 0; i < EACH; i++)
                if (peer_barriers[i])
                    asm volatile("cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0],[%1],%2,[%3];" ::"r"(peer[i] + at),
                                 "r"(base + at), "r"(bytes), "r"(peer_barriers[i] + (sent & 1) * 8)
                                 : "memory");
        } else {
            __syncthreads();
        }
        sent++;
    }
    // The address of the slices of all blocks.
    INLINE u32 receive() {
        const u32 odd = taken & 1;
        if (C > 1) {
            wait_for(barriers + odd * 8, (taken >> 1) & 1);
            if (threadIdx.x == 0) arm(barriers + odd * 8, (C - 1) * OWN * (BYTES0 == BYTES1 ? BYTES0 : odd ? BYTES1 : BYTES0));
        }
        taken++;
        return base + odd * BUFFER;
    }
};

// The product of M rows of weights with the operand of SLICES slices. The M / 16 row tiles and, if there are warps left,
// parts of the sum are dealt out to the warps; the sums of the parts meet in shared memory.
// A part is a number of whole slices, or a fraction of one.
INLINE constexpr bool fits(int parts, int room, int slices, int k16) {
    return parts <= room && (slices % parts == 0 || (parts % slices == 0 && k16 % (parts / slices) == 0));
}
template <class O, int M, int E, int SLICES, int WARPS, bool SPLIT, bool SCALED>
struct Product {
    using S = Slice<E, SPLIT, SCALED>;
    static constexpr int TILES = M / 16, K16 = SLICES * S::k16, ROOM = WARPS / TILES;
    static constexpr int PARTS = fits(4, ROOM, SLICES, S::k16) ? 4 : fits(2, ROOM, SLICES, S::k16) ? 2 : 1;
    static constexpr int KS = K16 / PARTS, PER = KS < S::k16 ? KS : S::k16, RUNS = KS / PER, PITCH = M + 4;
    static constexpr int sums = PARTS * 8 * PITCH;
    u32 a[KS][4], rest[SPLIT ? KS : 1][4];
    u32 lane_place[2], slice_place;
    int tile, part, slice, k16, to_place;  // slice and k16: where the part begins
    INLINE void start() {
        const int w = threadIdx.x >> 5, l = threadIdx.x & 31, r = l & 7, m = l >> 3;
        tile = w % TILES, part = w / TILES;
        slice = part * KS / S::k16, k16 = part * KS % S::k16;
        slice_place = kept_in_register(slice * S::bytes + S::scales + (l & 3) * 8);
        for (int i = 0; i < 2; i++)
            lane_place[i] = kept_in_register(slice * S::bytes + (2 * k16 + m) * 128 + ((r + 2 * k16 + m + 4 * i) & 7) * 16);
        to_place = kept_in_register((part * 8 + (l & 3) * 2) * PITCH + tile * 16 + (l >> 2));
    }
    // weight(row, slice, k16, entry of 16) is a number of the matrix
    template <class W>
    INLINE void load(W weight, float scale) {
        const int l = threadIdx.x & 31;
        if (part >= PARTS) return;
#pragma unroll
        for (int k = 0; k < KS; k++) {
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const int row = tile * 16 + (l >> 2) + (j & 1) * 8, o = (l & 3) * 2 + (j >> 1) * 8;
                const float low = weight(row, slice + k / PER, k16 + k % PER, o) * scale;
                const float high = weight(row, slice + k / PER, k16 + k % PER, o + 1) * scale;
                a[k][j] = O::pair(low, high);
                if (SPLIT) rest[k][j] = O::pair(O::left(low), O::left(high));
            }
            // all loads at once would not fit into the registers
            if (k % 2 == 1) asm volatile("" ::: "memory");
        }
    }
    // The sums are multiplied by `down`, the inverse of the scale of the weights.
    INLINE void run(u32 operand, float* to, float down) const {
        if (part >= PARTS) return;
        float out[4] = {0.f, 0.f, 0.f, 0.f};
        float acc[4][4] = {};
#pragma unroll
        for (int run = 0; run < RUNS; run++) {
            float scale0 = 1.f, scale1 = 1.f;
            if (SCALED) {
                const u32 at = operand + slice_place + run * S::bytes;
                asm volatile("ld.shared.v2.f32 {%0,%1},[%2];" : "=f"(scale0), "=f"(scale1) : "r"(at) : "memory");
            }
#pragma unroll
            for (int k = 0; k < PER; k += 2) {
                const int n = run * PER + k;
                const u32 at = operand + run * S::bytes + k * 256;
#pragma unroll
                for (int half = 0; half < (SPLIT ? 2 : 1); half++) {
                    // the tiles of the rest have numbers that are 4 E higher, so their rotation differs if E is odd
                    const u32 from = at + half * S::rest + lane_place[((k >> 1) + half * E) & 1];
                    u32 b[4];
                    if (k + 1 < PER) load_tiles(b, from);
                    else load_two_tiles(b, from);
                    O::product(acc[k & 1], a[n], b[0], b[1]);
                    if (SPLIT && half == 0) O::product(acc[2 + (k & 1)], rest[n], b[0], b[1]);
                    if (k + 1 < PER) {
                        O::product(acc[(k + 1) & 1], a[n + 1], b[2], b[3]);
                        if (SPLIT && half == 0) O::product(acc[2 + ((k + 1) & 1)], rest[n + 1], b[2], b[3]);
                    }
                }
            }
            if (SCALED || run + 1 == RUNS) {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float v = SPLIT ? (acc[0][j] + acc[1][j]) + (acc[2][j] + acc[3][j]) : acc[0][j] + acc[1][j];
                    out[j] = SCALED ? (run ? out[j] : 0.f) + v * (j & 1 ? scale1 : scale0) : v;
#pragma unroll
                    for (int i = 0; i < 4; i++) acc[i][j] = 0.f;
                }
            }
        }
#pragma unroll
        for (int j = 0; j < 4; j++) to[to_place + (j & 1) * PITCH + (j >> 1) * 8] = out[j] * down;
    }
    static INLINE float sum(const float* from, int b, int row) {
        float v = from[b * PITCH + row];
        if (PARTS == 2) v += from[(8 + b) * PITCH + row];
        if (PARTS == 4) v = (v + from[(8 + b) * PITCH + row]) + (from[(16 + b) * PITCH + row] + from[(24 + b) * PITCH + row]);
        return v;
    }
};

// ------------------------------------------------------------------------------------------------ the rows of a batch
// Step t of row b is place base[t] + column[b] of the tensors; base null: t * stride, column null: b.
struct Layout {
    const i64 *lengths, *base, *column, *order;  // order: the row that each number of the launch stands for
    int stride, places, T, B, reverse, unused;
};
struct Row {
    int column, length, steps;  // steps: of the longest of the 8 rows
    const Layout& a;
    INLINE Row(const Layout& layout, int first, int number, int& row) : column(0), length(0), steps(0), a(layout) {
        row = 0;
        for (int i = 0; i < 8; i++) {
            const int k = first + i;
            if (k >= a.B) break;
            const int which = a.order ? int(a.order[k]) : k;
            const i64 given = a.lengths ? a.lengths[which] : a.T;
            const int here = given < 0 ? 0 : given > a.T ? a.T : int(given);
            steps = here > steps ? here : steps;
            if (i == number) length = here, row = which, column = a.column ? int(a.column[which]) : which;
        }
    }
    INLINE int place(int s) const {
        const int t = a.reverse ? length - 1 - s : s;
        return (a.base ? int(a.base[t]) : t * a.stride) + column;
    }
};

// The place of the next step of a row, as it walks in one direction; it stays where the row ends. Where the places come
// from a table, they are read a step before they are needed.
struct Walk {
    int place, delta, after;
    const i64* table;
    INLINE Walk(const Row& row, bool down) : place(0), after(0), table(row.a.base) {
        const int from = down ? row.length - 1 : 0, next = down ? row.length - 2 : 1;
        delta = (down != bool(row.a.reverse)) ? -row.a.stride : row.a.stride;
        if (row.length > 0) place = row.place(from);
        if (row.length > 1) after = row.place(next);
    }
    // next: the step after the next one, in the order of the row; more: whether the row has it
    INLINE void advance(const Row& row, bool moves, int next, bool more) {
        if (table) {
            if (moves) {
                delta = after - place;
                place = after;
                if (more) after = row.place(next);
            }
        } else {
            place += moves ? delta : 0;
        }
    }
};

// The bits of the largest absolute value of `count` numbers in each of `runs` stretches, over the whole block.
template <int WARPS, class X>
INLINE u32 largest(const X* w, int runs, i64 pitch, int count, u32* scratch) {
    // the lanes take neighbours: stretches are long in forward, and many in backward
    const bool wide_runs = count > 64;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int at = wide_runs ? int(threadIdx.x) : lane, step = wide_runs ? WARPS * 32 : 32;
    u32 most = 0;
    for (int r = wide_runs ? 0 : warp; r < runs; r += wide_runs ? 1 : WARPS)
#pragma unroll 4
        for (int i = at; i < count; i += step) {
            const u32 s = size_bits(wide(w[r * pitch + i]));
            most = s > most ? s : most;
        }
    most = __reduce_max_sync(~0u, most);
    if (lane == 0) scratch[warp] = most;
    __syncthreads();
    for (int i = 0; i < WARPS; i++) most = scratch[i] > most ? scratch[i] : most;
    return most;
}

struct Forward {
    const void *x, *w, *bias, *h0, *c0;
    void *y, *h_n, *c_n, *kept, *h_before, *c_before, *m, *c_last;
    Layout rows;
};
struct Backward {
    const void *dy, *dh_n, *dc_n, *w, *kept, *h_before, *c_before, *c_last;
    void *dg, *db, *dh0, *dc0;
    Layout rows;
};

static_assert(sizeof(Forward) == FORWARD_BYTES && sizeof(Backward) == BACKWARD_BYTES, "the launch packs these structures");

template <class O, bool SPLIT, bool SCALED, class S, int ENTRIES>
INLINE void put(unsigned char* stage, const float* v, int u, int b) {
    unsigned char* to = stage + (u >> 5) * S::bytes;
    float up = 1.f;
    if (SCALED) {
        u32 most = 0;
#pragma unroll
        for (int e = 0; e < ENTRIES; e++) {
            const u32 s = size_bits(v[e]);
            most = s > most ? s : most;
        }
        // the 32 lanes of a warp are the units of one slice and one row
        const Scale<13> scale(__reduce_max_sync(~0u, most));
        up = scale.up;
        if ((threadIdx.x & 31) == 0) *(float*)(to + S::scales + b * 4) = scale.down;
    }
#pragma unroll
    for (int e = 0; e < ENTRIES; e++) {
        const float scaled = SCALED ? v[e] * up : v[e];
        *(u16*)(to + S::place(e * 32 + (u & 31), b)) = O::one(scaled);
        if (SPLIT) *(u16*)(to + S::rest + S::place(e * 32 + (u & 31), b + 4 * ENTRIES)) = O::one(O::left(scaled));
    }
}

// ------------------------------------------------------------------------------------------------ forward
template <class Cell, int H, int HP, int n, class X, bool SPLIT, bool SAVE>
INLINE void forward(const Forward& a) {
    using O = Operand<X>;
    constexpr int C = H / HP, G = Cell::gates, WARPS = HP / 4, FIRST = Cell::late ? 2 : G, KEPT = Cell::kept;
    constexpr bool SCALED = SPLIT || (O::small_range && Cell::unbounded), FAST = !O::small_range;
    using S = Slice<1, SPLIT, SCALED>;
    using P = Product<O, FIRST * HP, 1, H / 32, WARPS, SPLIT, SCALED>;
    using Late = Product<O, HP, 1, H / 32, WARPS, SPLIT, SCALED>;
    using Link = Exchange<C, HP / 32, WARPS, S::bytes, S::bytes>;
    static_assert(Link::total == SHARED_FORWARD, "the launch gives the shared memory that the kernel uses");
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ __align__(16) float sums[P::sums > Late::sums ? P::sums : Late::sums];
    __shared__ __align__(8) u64 barriers[2];
    __shared__ u32 scratch[WARPS];

    const int tid = threadIdx.x, u = tid % HP, b = tid / HP, lane = tid & 31;
    const int unit0 = rank_in_cluster() * HP, unit = unit0 + u, first = blockIdx.x / C * 8;
    // what lies outside of the batch or the layer reads what lies inside, and writes nothing
    const int column = n == H || unit < n ? unit : 0;
    int row;
    const Row mine(a.rows, first, b, row);
    const bool on = (n == H || unit < n) && first + b < a.rows.B;
    const int length = on ? mine.length : 0;

    const X* w = (const X*)a.w;
    auto weight = [&](int gate0) {
        return [=](int r, int slice, int k16, int entry) {
            const int to = unit0 + r % HP, from = slice * 32 + k16 * 16 + entry;
            return n == H || (to < n && from < n) ? wide(w[(i64(gate0 + r / HP) * n + to) * n + from]) : 0.f;
        };
    };
    P product;
    Late late;
    product.start();
    if (Cell::late) late.start();
    float up = 1.f, down = 1.f;
    if (O::small_range) {
        const int rows = n - unit0 < HP ? n - unit0 : HP;
        const Scale<7> scale(largest<WARPS>(w + i64(unit0) * n, G, i64(n) * n, rows * n, scratch));
        up = scale.up, down = scale.down;
    }
    product.load(weight(0), up);
    if (Cell::late) late.load(weight(2), up);

    Link link(shared, barriers);
    const i64 at_row = i64(row) * n + column;
    float bias[G], h = on ? wide(((const X*)a.h0)[at_row]) : 0.f, c = Cell::cell_state && on ? wide(((const X*)a.c0)[at_row]) : 0.f;
#pragma unroll
    for (int g = 0; g < G; g++) bias[g] = a.bias ? wide(((const X*)a.bias)[g * n + column]) : 0.f;

    const X* gx = (const X*)a.x + column;
    // a lane fetches the inputs of one gate into the second cache, for all 32 lanes
    const X* ahead = (const X*)a.x + (unit0 + (u & ~31) < n ? unit0 + (u & ~31) : 0) + (lane < G ? lane : 0) * n;
    X *y = (X*)a.y + column, *kept = (X*)a.kept + column, *h_kept = (X*)a.h_before + column, *m_kept = (X*)a.m + column;
    float* c_kept = (float*)a.c_before + column;
    Walk walk(mine, false);
    X next[G] = {};
    if (mine.steps > 0) {
#pragma unroll
        for (int g = 0; g < G; g++) next[g] = gx[i64(walk.place) * (G * n) + g * n];
        put<O, SPLIT, SCALED, S, 1>(link.stage(), &h, u, b);
        link.send();
    }
#pragma unroll 2
    for (int s = 0; s < mine.steps; s++) {
        const bool active = s < length;
        u32 operand = link.receive();
        product.run(operand, sums, down);
        __syncthreads();
        float sum[G], x[G], keep[KEPT], m = 0.f;
#pragma unroll
        for (int g = 0; g < G; g++) x[g] = wide(next[g]);
#pragma unroll
        for (int g = 0; g < FIRST; g++) sum[g] = P::sum(sums, b, g * HP + u) + bias[g];
        if constexpr (Cell::late) {
            m = Cell::template first<FAST>(sum, x, h, keep);
            put<O, SPLIT, SCALED, S, 1>(link.stage(), &m, u, b);
            link.send();
            operand = link.receive();
            late.run(operand, sums, down);
            __syncthreads();
            sum[2] = Late::sum(sums, b, u) + bias[2];
        }
        const float h_before = h, c_before = c;
        float h_new = h, c_new = c;
        Cell::template forward<FAST>(sum, x, h_new, c_new, keep);
        if (active) h = h_new, c = c_new;
        if (s + 1 < mine.steps) {
            put<O, SPLIT, SCALED, S, 1>(link.stage(), &h, u, b);
            link.send();
        }
        // what follows is done while the slices travel
        const i64 here = walk.place;
        walk.advance(mine, s + 1 < length, s + 2, s + 2 < length);
#pragma unroll
        for (int g = 0; g < G; g++) next[g] = gx[i64(walk.place) * (G * n) + g * n];
        const int far = walk.place + 3 * walk.delta;
        if (lane < G && u32(far) < u32(a.rows.places)) fetch_ahead(ahead + i64(far) * (G * n));
        if (active) {
            narrow(y[here * n], h);
            if (SAVE) {
#pragma unroll
                for (int k = 0; k < KEPT; k++) narrow(kept[here * (KEPT * n) + k * n], keep[k]);
                narrow(h_kept[here * n], h_before);
                if (Cell::cell_state) c_kept[here * n] = c_before;
                if (Cell::late) narrow(m_kept[here * n], m);
            }
        }
    }
    if (on) {
        narrow(((X*)a.h_n)[at_row], h);
        if (Cell::cell_state) {
            narrow(((X*)a.c_n)[at_row], c);
            if (SAVE) ((float*)a.c_last)[at_row] = c;
        }
    }
    // a block must not end while others write into its memory
    if (C > 1) cluster_sync();
}

// ------------------------------------------------------------------------------------------------ backward
template <class Cell, int H, int HP, int n, class X, bool SPLIT>
INLINE void backward(const Backward& a) {
    using O = Operand<X>;
    constexpr int C = H / HP, G = Cell::gates, WARPS = HP / 4, KEPT = Cell::kept, OUT = G + (Cell::apart ? 1 : 0);
    constexpr bool SCALED = O::small_range, FAST = !O::small_range;
    // late: gate n in the first exchange of a step, r and z in the second
    constexpr int E0 = Cell::late ? 1 : G, E1 = Cell::late ? 2 : G;
    using S0 = Slice<E0, SPLIT, SCALED>;
    using S1 = Slice<E1, SPLIT, SCALED>;
    using P = Product<O, HP, E1, H / 32, WARPS, SPLIT, SCALED>;
    using Late = Product<O, HP, E0, H / 32, WARPS, SPLIT, SCALED>;
    using Link = Exchange<C, HP / 32, WARPS, S0::bytes, S1::bytes>;
    static_assert(Link::total == SHARED_BACKWARD, "the launch gives the shared memory that the kernel uses");
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ __align__(16) float sums[P::sums > Late::sums ? P::sums : Late::sums];
    __shared__ __align__(8) u64 barriers[2];
    __shared__ u32 scratch[WARPS];

    const int tid = threadIdx.x, u = tid % HP, b = tid / HP, lane = tid & 31;
    const int unit0 = rank_in_cluster() * HP, unit = unit0 + u, first = blockIdx.x / C * 8;
    const int column = n == H || unit < n ? unit : 0;
    int row;
    const Row mine(a.rows, first, b, row);
    const bool on = (n == H || unit < n) && first + b < a.rows.B;
    const int length = on ? mine.length : 0;

    const X* w = (const X*)a.w;
    auto weight = [&](int gate0) {
        return [=](int r, int slice, int k16, int entry) {
            const int to = unit0 + r, from = slice * 32 + k16 % 2 * 16 + entry;
            return n == H || (to < n && from < n) ? wide(w[(i64(gate0 + k16 / 2) * n + from) * n + to]) : 0.f;
        };
    };
    P product;
    Late late;
    product.start();
    if (Cell::late) late.start();
    float up = 1.f, down = 1.f;
    if (O::small_range) {
        const int columns = n - unit0 < HP ? n - unit0 : HP;
        const Scale<7> scale(largest<WARPS>(w + unit0, G * n, n, columns, scratch));
        up = scale.up, down = scale.down;
    }
    product.load(weight(0), up);
    if (Cell::late) late.load(weight(2), up);

    Link link(shared, barriers);
    const i64 at_row = i64(row) * n + column;
    float dh = on && a.dh_n ? wide(((const X*)a.dh_n)[at_row]) : 0.f;
    float dc = Cell::cell_state && on && a.dc_n ? wide(((const X*)a.dc_n)[at_row]) : 0.f;
    float hold = dh, db[OUT] = {};

    // without a gradient of the outputs, something else is read and not used
    const bool given = a.dy;
    const X *kept = (const X*)a.kept + column, *dy = (const X*)(given ? a.dy : a.kept) + column, *h_kept = (const X*)a.h_before + column;
    const float* c_kept = (const float*)a.c_before + column;
    X* dg = (X*)a.dg + column;
    // a lane fetches one of the saved tensors into the second cache, for all 32 lanes
    const int corner = unit0 + (u & ~31) < n ? unit0 + (u & ~31) : 0;
    const char* ahead = (const char*)((const X*)a.kept + corner + (lane < KEPT ? lane : 0) * n);
    int pitch = KEPT * n * sizeof(X);
    if (lane == KEPT) ahead = (const char*)(dy - column + corner), pitch = n * sizeof(X);
    if (lane == KEPT + 1 && Cell::needs_h) ahead = (const char*)((const X*)a.h_before + corner), pitch = n * sizeof(X);
    if (lane == KEPT + 1 && Cell::cell_state) ahead = (const char*)((const float*)a.c_before + corner), pitch = n * 4;

    X next_keep[KEPT] = {}, next_dy = {}, next_h = {};
    float next_c = 0.f, c_now = Cell::cell_state && on ? ((const float*)a.c_last)[at_row] : 0.f;
    Walk walk(mine, true);
    auto fetch = [&]() {
        const i64 at = walk.place;
#pragma unroll
        for (int k = 0; k < KEPT; k++) next_keep[k] = kept[at * (KEPT * n) + k * n];
        next_dy = dy[at * n];
        if (Cell::needs_h) next_h = h_kept[at * n];
        if (Cell::cell_state) next_c = c_kept[at * n];
    };
    if (mine.steps > 0) fetch();
#pragma unroll 2
    for (int t = mine.steps - 1; t >= -1; t--) {
        if (t + 1 < mine.steps) {
            const u32 operand = link.receive();
            product.run(operand, sums, down);
            __syncthreads();
            dh = hold + P::sum(sums, b, u);
        }
        if (t < 0) break;
        const bool active = t < length;
        float keep[KEPT], e[G] = {}, apart = 0.f;
#pragma unroll
        for (int k = 0; k < KEPT; k++) keep[k] = wide(next_keep[k]);
        const Seen seen = {wide(next_h), next_c, c_now};
        const float d = dh + (given ? wide(next_dy) : 0.f);
        hold = dh;
        if (active) hold = Cell::template backward<FAST>(keep, seen, d, dc, e, apart);
        if (Cell::late) {
            put<O, SPLIT, SCALED, S0, E0>(link.stage(), e + (G - 1), u, b);
            link.send();
            const u32 operand = link.receive();
            late.run(operand, sums, down);
            __syncthreads();
            const float dm = Late::sum(sums, b, u);
            if (active) {
                e[0] = dm * seen.h * keep[0] * (1.f - keep[0]);
                hold += dm * keep[0];
            }
        }
        put<O, SPLIT, SCALED, S1, E1>(link.stage(), e, u, b);
        link.send();
        // what follows is done while the slices travel
        const i64 here = walk.place;
        walk.advance(mine, active && t > 0, t - 2, t > 1);
        if (active) {
            c_now = seen.c;
            // the gradients of the products of the inputs come first, then that of the last sum if it differs
#pragma unroll
            for (int g = 0; g < G; g++) {
                const float v = Cell::apart && g == G - 1 ? apart : e[g];
                narrow(dg[here * (OUT * n) + g * n], v);
                db[g] += v;
            }
            if (Cell::apart) {
                narrow(dg[here * (OUT * n) + G * n], e[G - 1]);
                db[OUT - 1] += e[G - 1];
            }
        }
        fetch();
        const int far = walk.place + 3 * walk.delta;
        if (lane < KEPT + 2 && u32(far) < u32(a.rows.places)) fetch_ahead(ahead + i64(far) * pitch);
    }
    if (on) {
        narrow(((X*)a.dh0)[at_row], dh);
        if (Cell::cell_state) narrow(((X*)a.dc0)[at_row], dc);
#pragma unroll
        for (int g = 0; g < OUT; g++) ((float*)a.db)[i64(row) * OUT * n + g * n + column] = db[g];
    }
    if (C > 1) cluster_sync();
}

#define KERNEL(name) extern "C" __global__ void __cluster_dims__(UNITS / OWNED, 1, 1) __launch_bounds__(OWNED * 8, 1) name
KERNEL(run)(const Forward a) { forward<CELL, UNITS, OWNED, HIDDEN, TYPE, SPLIT_OPERANDS, false>(a); }
KERNEL(run_and_save)(const Forward a) { forward<CELL, UNITS, OWNED, HIDDEN, TYPE, SPLIT_OPERANDS, true>(a); }
KERNEL(differentiate)(const Backward a) { backward<CELL, UNITS, OWNED, HIDDEN, TYPE, SPLIT_OPERANDS>(a); }
