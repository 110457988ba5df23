// The diagonal linear recurrence h_t = a h_{t-1} + u_t in one pass over memory, real or complex.
//
// A block runs 32 units of one row. Its CHUNKS warps take LENGTH steps each of a tile of CHUNKS * LENGTH steps: every warp
// runs its chunk from zero, the ends of the chunks are combined in shared memory, and each warp runs its chunk again,
// from registers, from the state that it inherits. So a tile is read once and written once, with all its reads in flight.
// Compiled with -D COMPLEX (0 or 1).

typedef long long i64;

#define INLINE __device__ __forceinline__
constexpr int CHUNKS = 16, LENGTH = COMPLEX ? 6 : 8, TILE = CHUNKS * LENGTH;

#if COMPLEX
struct __align__(8) Number {
    float re, im;
};
INLINE Number zero() { return {0.f, 0.f}; }
INLINE Number conjugate(Number a) { return {a.re, -a.im}; }
// a b + c
INLINE Number fma_(Number a, Number b, Number c) {
    return {fmaf(a.re, b.re, fmaf(-a.im, b.im, c.re)), fmaf(a.re, b.im, fmaf(a.im, b.re, c.im))};
}
#else
struct Number {
    float re;
};
INLINE Number zero() { return {0.f}; }
INLINE Number conjugate(Number a) { return a; }
INLINE Number fma_(Number a, Number b, Number c) { return {fmaf(a.re, b.re, c.re)}; }
#endif

struct Arguments {
    // forward: u, h0, a -> h, last. backward: dh, h, h0, a, dlast -> du, dh0, da (of each row)
    const Number *in, *h, *h0, *a, *dlast;
    Number *out, *end, *da;
    const i64* lengths;
    int T, B, H;
};

INLINE int steps_of(const Arguments& g, int row) {
    if (!g.lengths) return g.T;
    const i64 n = g.lengths[row];
    return n < 0 ? 0 : n > g.T ? g.T : int(n);
}

// Return the state before each chunk, given the state before the tile, and replace that by the state after the tile.
// ends: where each chunk ends if it begins with zero; power: a to the LENGTH.
INLINE Number inherited(Number ends[CHUNKS][32], Number power, Number& carry, int warp, int lane) {
    Number state = carry, mine = carry;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        if (c == warp) mine = state;
        state = fma_(power, state, ends[c][lane]);
    }
    carry = state;
    return mine;
}

extern "C" __global__ void __launch_bounds__(CHUNKS * 32) linear_forward(const Arguments g) {
    __shared__ Number ends[2][CHUNKS][32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, groups = (g.H + 31) / 32;
    const int row = blockIdx.x / groups, unit = blockIdx.x % groups * 32 + lane;
    const bool on = unit < g.H;
    const int steps = steps_of(g, row);
    const i64 pitch = i64(g.B) * g.H, at = i64(row) * g.H + (on ? unit : 0);
    const Number a = on ? g.a[unit] : zero();
    Number power = a, carry = on ? g.h0[at] : zero();
#pragma unroll
    for (int i = 1; i < LENGTH; i++) power = fma_(power, a, zero());
    Number next[LENGTH];
    auto fetch = [&](int tile) {
#pragma unroll
        for (int i = 0; i < LENGTH; i++) {
            const int t = tile + warp * LENGTH + i;
            next[i] = on && t < steps ? g.in[t * pitch + at] : zero();
        }
    };
    fetch(0);
    int odd = 0;
    for (int tile = 0; tile < g.T; tile += TILE, odd ^= 1) {
        Number u[LENGTH], end = zero();
#pragma unroll
        for (int i = 0; i < LENGTH; i++) u[i] = next[i];
        if (tile + TILE < steps) fetch(tile + TILE);
#pragma unroll
        for (int i = 0; i < LENGTH; i++) end = fma_(a, end, u[i]);
        ends[odd][warp][lane] = end;
        // one barrier a tile: the other buffer is written in the next
        __syncthreads();
        Number h = inherited(ends[odd], power, carry, warp, lane);
#pragma unroll
        for (int i = 0; i < LENGTH; i++) {
            const int t = tile + warp * LENGTH + i;
            h = fma_(a, h, u[i]);
            if (on && t < g.T) {
                g.out[t * pitch + at] = t < steps ? h : zero();
                if (t == steps - 1) g.end[at] = h;
            }
        }
    }
    if (warp == 0 && on && steps == 0) g.end[at] = g.h0[at];
}

// d_t = dh_t + conj(a) d_{t+1}; du = d, dh0 = conj(a) d_0, da = the sum of d_t conj(h_{t-1})
extern "C" __global__ void __launch_bounds__(CHUNKS * 32) linear_backward(const Arguments g) {
    __shared__ Number ends[2][CHUNKS][32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, groups = (g.H + 31) / 32;
    const int row = blockIdx.x / groups, unit = blockIdx.x % groups * 32 + lane;
    const bool on = unit < g.H;
    const int steps = steps_of(g, row);
    const i64 pitch = i64(g.B) * g.H, at = i64(row) * g.H + (on ? unit : 0);
    const Number a = on ? conjugate(g.a[unit]) : zero(), start = on ? g.h0[at] : zero();
    const Number dlast = on && g.dlast ? g.dlast[at] : zero();
    Number power = a, carry = zero(), slope = zero();
#pragma unroll
    for (int i = 1; i < LENGTH; i++) power = fma_(power, a, zero());
    Number next[LENGTH], next_h[LENGTH];
    // step s of the reversed row is t = steps - 1 - s
    auto fetch = [&](int tile) {
#pragma unroll
        for (int i = 0; i < LENGTH; i++) {
            const int t = steps - 1 - (tile + warp * LENGTH + i);
            next[i] = on && t >= 0 && g.in ? g.in[t * pitch + at] : zero();
            next_h[i] = on && t > 0 ? g.h[(t - 1) * pitch + at] : t == 0 ? start : zero();
        }
    };
    fetch(0);
    int odd = 0;
    for (int tile = 0; tile < steps; tile += TILE, odd ^= 1) {
        Number u[LENGTH], h[LENGTH], end = zero();
#pragma unroll
        for (int i = 0; i < LENGTH; i++) u[i] = next[i], h[i] = next_h[i];
        if (tile == 0 && warp == 0) {
            u[0].re += dlast.re;
#if COMPLEX
            u[0].im += dlast.im;
#endif
        }
        if (tile + TILE < steps) fetch(tile + TILE);
#pragma unroll
        for (int i = 0; i < LENGTH; i++) end = fma_(a, end, u[i]);
        ends[odd][warp][lane] = end;
        __syncthreads();
        Number d = inherited(ends[odd], power, carry, warp, lane);
#pragma unroll
        for (int i = 0; i < LENGTH; i++) {
            const int t = steps - 1 - (tile + warp * LENGTH + i);
            d = fma_(a, d, u[i]);
            if (on && t >= 0) {
                g.out[t * pitch + at] = d;
                slope = fma_(d, conjugate(h[i]), slope);
                if (t == 0) g.end[at] = fma_(a, d, zero());
            }
        }
    }
    for (int t = steps + warp; t < g.T; t += CHUNKS)
        if (on) g.out[t * pitch + at] = zero();
    __syncthreads();
    ends[0][warp][lane] = slope;
    __syncthreads();
    if (warp == 0 && on) {
        Number sum = zero();
        for (int c = 0; c < CHUNKS; c++) {
            sum.re += ends[0][c][lane].re;
#if COMPLEX
            sum.im += ends[0][c][lane].im;
#endif
        }
        g.da[at] = sum;
        if (steps == 0) g.end[at] = dlast;
    }
}
