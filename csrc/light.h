// One step of a few rows by recurrent weights of 8 bits, and the logits that follow from it. A step of one row reads every
// weight once, so memory limits it: with 8 bits the weights of 512 units fit into the cache of a core.
//
// A row of h is rounded to whole numbers of up to 16 bits, by a scale of its own. The products are then sums of whole
// numbers, which are exact: every instruction set and every number of rows gives the same sums.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "exact.h"
#include "gru.h"
#include "lights.h"
#include "lstm.h"
#include "rnn.h"

namespace ostinato::OSTINATO_SET {
namespace {

using Whole = typename Simd<float>::word;
typedef std::int8_t Narrow __attribute__((vector_size(OSTINATO_BYTES / 2)));
typedef std::int16_t Wide __attribute__((vector_size(OSTINATO_BYTES)));

// Returns the weights of two neighbouring h for each lane as numbers of 16 bits.
OSTINATO_INLINE Wide widened(const std::int8_t* at) {
#if defined(__AVX512BW__) && OSTINATO_BYTES == 64
    return reinterpret_cast<Wide>(_mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(at))));
#elif defined(__AVX2__) && OSTINATO_BYTES == 32
    return reinterpret_cast<Wide>(_mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(at))));
#else
    return __builtin_convertvector(*reinterpret_cast<const Narrow*>(at), Wide);
#endif
}

// Returns sum plus the two products of each lane.
OSTINATO_INLINE Whole dot(Whole sum, Wide w, std::int32_t pair) {
    const Whole h = pair - Whole{};
#if defined(__AVX512VNNI__) && OSTINATO_BYTES == 64
    return reinterpret_cast<Whole>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(w), reinterpret_cast<__m512i>(h)));
#elif defined(__AVX512BW__) && OSTINATO_BYTES == 64
    return sum + reinterpret_cast<Whole>(_mm512_madd_epi16(reinterpret_cast<__m512i>(w), reinterpret_cast<__m512i>(h)));
#elif defined(__AVX2__) && OSTINATO_BYTES == 32
    return sum + reinterpret_cast<Whole>(_mm256_madd_epi16(reinterpret_cast<__m256i>(w), reinterpret_cast<__m256i>(h)));
#elif defined(__SSE2__) && OSTINATO_BYTES == 16
    return sum + reinterpret_cast<Whole>(_mm_madd_epi16(reinterpret_cast<__m128i>(w), reinterpret_cast<__m128i>(h)));
#else
    const Whole both = reinterpret_cast<Whole>(w);
    return sum + ((both << 16) >> 16) * ((h << 16) >> 16) + (both >> 16) * (h >> 16);
#endif
}

// What a step of some rows reads and replaces.
struct LightRows {
    Index hidden, pairs;
    const float* const* input;  // (B) the input of each row, (G H)
    float *h, *c;               // (B, H)
    const std::int32_t* held;   // (B, H / 2) h in whole numbers, two in a word
    const float* size;          // (B) what these count
};

// Steps MR rows from `row` on, for the block u of units.
template <class Cell, int MR>
__attribute__((noinline)) void light_tile(const LightRows& r, const LightWeights& w, Index row, Index u) {
    constexpr int G = Cell::gates, V = lanes<float>;
    constexpr int U = MR * G <= 2 ? 8 : MR * G <= 4 ? 4 : MR * G <= 8 ? 2 : 1;  // each sum waits for the one before
    const std::int8_t* at = w.weights + u * r.pairs * G * V * 2;
    const std::int32_t* held = r.held + row * r.pairs;
    Whole sum[U][MR][G] = {};
    for (Index k = 0; k < r.pairs; k += U)
        OSTINATO_UNROLL
        for (int s = 0; s < U; ++s, at += G * V * 2) {
            Wide weights[G];
            OSTINATO_UNROLL
            for (int g = 0; g < G; ++g) weights[g] = widened(at + g * V * 2);
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i)
                OSTINATO_UNROLL
                for (int g = 0; g < G; ++g) sum[s][i][g] = dot(sum[s][i][g], weights[g], held[i * r.pairs + k + s]);
        }
    const Index first = u * V, valid = r.hidden - first;
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i) {
        const auto plus = [&](int g, Vec<float> x) {
            Whole total = sum[0][i][g];
            OSTINATO_UNROLL
            for (int s = 1; s < U; ++s) total += sum[s][i][g];
            const Vec<float> scale = load_part(w.scale + g * r.hidden + first, valid);
            return __builtin_convertvector(total, Vec<float>) * (r.size[row + i] * scale) + x;
        };
        const Index of_row = (row + i) * r.hidden;
        replace_state<Cell>(plus, r.input[row + i], w.bias, r.hidden, u, r.h + of_row,
                            Cell::states == 2 ? r.c + of_row : nullptr);
    }
}

template <class Cell, int MR>
OSTINATO_INLINE void light_tile_of(Index rows, const LightRows& r, const LightWeights& w, Index row, Index u) {
    if (rows >= MR)
        light_tile<Cell, MR>(r, w, row, u);
    else if constexpr (MR > 1)
        light_tile_of<Cell, MR - 1>(rows, r, w, row, u);
}

// Rounds a row of h to whole numbers, so that no sum of `pairs` products exceeds 32 bits. Returns what they count.
inline float rounded(const float* h, Index hidden, Index pairs, float most, std::int32_t* held) {
    constexpr int V = lanes<float>;
    Vec<float> large = {};
    for (Index k = 0; k < hidden; k += V) {
        Vec<float> x = load_part(h + k, hidden - k);
        x = x < 0.0f ? -x : x;
        large = x > large ? x : large;
    }
    float size = 0.0f;
    for (int i = 0; i < V; ++i) size = large[i] > size ? large[i] : size;
    const float each = size > 0.0f ? most / size : 0.0f;
    std::int16_t* to = reinterpret_cast<std::int16_t*>(held);
    for (Index k = 0; k < hidden; ++k) {
        const float x = h[k] * each;
        to[k] = static_cast<std::int16_t>(static_cast<std::int32_t>(x + (x < 0.0f ? -0.5f : 0.5f)));
    }
    for (Index k = hidden; k < 2 * pairs; ++k) to[k] = 0;
    return size / most;
}

template <class Cell>
void light_step(Index rows, Index hidden, const LightWeights& w, const float* const* input, float* h, float* c, void* scratch) {
    if (!w.weights) return exact_step<Cell>(rows, hidden, w, input, h, c, static_cast<float*>(scratch));
    constexpr int MR = OSTINATO_ACCUMULATORS / Cell::gates < 8 ? OSTINATO_ACCUMULATORS / Cell::gates : 8;
    const Index pairs = light_pairs(hidden);
    const float limit = 2147483647.0f / 128.0f / static_cast<float>(2 * pairs), most = limit < 32767.0f ? limit : 32767.0f;
    std::int32_t* held = static_cast<std::int32_t*>(scratch);
    float* size = reinterpret_cast<float*>(held + rows * pairs);
    for (Index b = 0; b < rows; ++b) size[b] = rounded(h + b * hidden, hidden, pairs, most, held + b * pairs);
    const LightRows r{hidden, pairs, input, h, c, held, size};
    const Index tiles = (rows + MR - 1) / MR;
    for (Index u = 0; u < blocks_of<float>(hidden); ++u)
        for (Index row = 0, left = tiles, count; row < rows; row += count, --left) {
            count = (rows - row + left - 1) / left;
            light_tile_of<Cell, MR>(count, r, w, row, u);
        }
}

// The logits of MR rows, for the block v of symbols. The order of the sums does not depend on MR.
template <int MR>
__attribute__((noinline)) void head_tile(const LightHead& head, Index inputs, const float* h, Index v, float* out) {
    constexpr int V = lanes<float>, U = 4;
    const float* panel = head.panel + v * inputs * V;
    Vec<float> sum[U][MR] = {};
    Index k = 0;
    for (; k + U <= inputs; k += U, panel += U * V)
        OSTINATO_UNROLL
        for (int s = 0; s < U; ++s) {
            const Vec<float> w = load(panel + s * V);
            OSTINATO_UNROLL
            for (int i = 0; i < MR; ++i) sum[s][i] += h[i * inputs + k + s] * w;
        }
    for (; k < inputs; ++k, panel += V)
        OSTINATO_UNROLL
        for (int i = 0; i < MR; ++i) sum[0][i] += h[i * inputs + k] * load(panel);
    const Index valid = head.symbols - v * V;
    OSTINATO_UNROLL
    for (int i = 0; i < MR; ++i)
        store_part(out + i * head.symbols + v * V,
                   ((sum[0][i] + sum[1][i]) + (sum[2][i] + sum[3][i])) + load_part(head.constant + v * V, valid), valid);
}

inline void light_head(Index rows, Index inputs, const LightHead& head, const float* h, float* out) {
    for (Index v = 0; v < blocks_of<float>(head.symbols); ++v) {
        Index row = 0;
        for (; row + 4 <= rows; row += 4) head_tile<4>(head, inputs, h + row * inputs, v, out + row * head.symbols);
        for (; row < rows; ++row) head_tile<1>(head, inputs, h + row * inputs, v, out + row * head.symbols);
    }
}

template <class Cell>
constexpr Light light(const char* name) {
    return {name, Cell::gates, light_step<Cell>};
}

constexpr Light light_cells[] = {light<Rnn<Tanh>>("rnn_tanh"), light<Rnn<Relu>>("rnn_relu"), light<Gru>("gru"),
                                 light<Lstm>("lstm")};

}  // namespace

extern const Lights lights;
const Lights lights = {OSTINATO_NAME(OSTINATO_SET), lanes<float>, sizeof(light_cells) / sizeof(light_cells[0]), light_cells,
                       light_head, exact_inputs, exact_pack};

}  // namespace ostinato::OSTINATO_SET
