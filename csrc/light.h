// One step of one row by recurrent weights of 8 bits. A step of one row reads every weight once, so memory limits it:
// with 8 bits the weights of 512 units fit into the cache of a core.
//
// A word of 32 bits holds the weights of four neighbouring h of a unit. A shift to the left by 24, 16, 8 or 0 bits makes
// each of them a whole number, whose low bits are those of the weights below it: they are a part of its value, which
// the caller allowed for when it rounded (ops/engine/light.py). So no instruction is spent on removing them.
#pragma once

#include "gru.h"
#include "lights.h"
#include "lstm.h"
#include "rnn.h"

namespace ostinato::OSTINATO_SET {
namespace {

template <class Cell>
void light_step(Index hidden, const LightWeights& w, const float* input, float* h, float* c, float* held) {
    constexpr int G = Cell::gates, V = lanes<float>;
    using Words = typename Simd<float>::word;
    const Index words = (hidden + 3) / 4;
    // all units read h before the step; behind its last number are zeros
    std::memcpy(held, h, hidden * sizeof(float));
    for (Index k = hidden; k < words * 4; ++k) held[k] = 0.0f;
    const std::int32_t* at = w.words;
    for (Index u = 0; u < blocks_of<float>(hidden); ++u) {
        Vec<float> sum[2][G] = {};
        for (Index k = 0; k < words; ++k, at += G * V)
            OSTINATO_UNROLL
            for (int g = 0; g < G; ++g) {
                const Words word = *reinterpret_cast<const Words*>(at + g * V);
                OSTINATO_UNROLL
                for (int i = 0; i < 4; ++i)
                    sum[i % 2][g] += held[4 * k + i] * __builtin_convertvector(word << (24 - 8 * i), Vec<float>);
            }
        const Index first = u * V, valid = hidden - first;
        Given<float, G> in;
        OSTINATO_UNROLL
        for (int g = 0; g < G; ++g) {
            const Index row = g * hidden + first;
            const Vec<float> x = load_part(input + row, valid);
            in.x[g] = x;
            in.sum[g] = (sum[0][g] + sum[1][g]) * load_part(w.scale + row, valid) +
                        (g >= G - Cell::apart ? load_part(w.bias + row, valid) : x);
        }
        in.h = load_part(held + first, valid);
        if constexpr (Cell::states == 2) in.c = load_part(c + first, valid);
        After<float, Cell::slots> out;
        Cell::template forward<float>(in, out);
        store_part(h + first, out.h, valid);
        if constexpr (Cell::states == 2) store_part(c + first, out.c, valid);
    }
}

template <class Cell>
constexpr Light light(const char* name) {
    return {name, light_step<Cell>};
}

constexpr Light light_cells[] = {light<Rnn<Tanh>>("rnn_tanh"), light<Rnn<Relu>>("rnn_relu"), light<Gru>("gru"),
                                 light<Lstm>("lstm")};

}  // namespace

extern const Lights lights;
const Lights lights = {OSTINATO_NAME(OSTINATO_SET), lanes<float>, sizeof(light_cells) / sizeof(light_cells[0]), light_cells};

}  // namespace ostinato::OSTINATO_SET
