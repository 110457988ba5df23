#include "range.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace ostinato {
namespace {

constexpr std::uint64_t small = std::uint64_t{1} << 32;  // a range below it takes in a word

// The tables of a checksum of eight bytes at a time.
std::array<std::array<std::uint32_t, 256>, 8> tables() {
    std::array<std::array<std::uint32_t, 256>, 8> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320U ^ (c >> 1) : c >> 1;
        t[0][i] = c;
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 255];
    return t;
}

}  // namespace

Shares::Shares(const double* given, std::int64_t count) : p(given), n(count), scale(0.0) {
    double sum = 0.0;  // in this order alone: the digits of the sum are a part of the code
    for (std::int64_t i = 0; i < n; ++i) sum += p[i];
    scale = static_cast<double>(whole - static_cast<std::uint32_t>(n)) / sum;
    // a sum below 1e-301 is normal, but has no scale
    if (!std::isnormal(sum) || sum < 0.0 || !std::isfinite(scale)) throw std::domain_error("the probabilities of a symbol have no sum");
}

Share Shares::of(std::int64_t symbol) const {
    if (symbol < 0 || symbol >= n) throw std::domain_error("a symbol lies outside of its distribution");
    double below = 0.0;
    for (std::int64_t i = 0; i < symbol; ++i) below += p[i];
    const std::uint32_t low = edge(below, symbol);
    return {low, (symbol == n - 1 ? whole : edge(below + p[symbol], symbol + 1)) - low};
}

std::int64_t Shares::at(std::uint32_t place, Share& share) const {
    double below = 0.0;
    std::uint32_t low = 0;
    for (std::int64_t symbol = 0;; ++symbol) {
        below += p[symbol];
        const std::uint32_t high = symbol == n - 1 ? whole : edge(below, symbol + 1);
        if (high > place || symbol == n - 1) {
            share = {low, high - low};
            return symbol;
        }
        low = high;
    }
}

Share equal(std::int64_t size, std::int64_t number) {
    if (number < 0 || number >= size || size > Shares::whole) throw std::domain_error("a number lies outside of its range");
    const auto each = static_cast<std::uint32_t>(Shares::whole / size), low = each * static_cast<std::uint32_t>(number);
    return {low, number == size - 1 ? Shares::whole - low : each};
}

void RangeEncoder::release(std::vector<std::uint32_t>& out, bool carried) const {
    out.push_back(carried ? first + 1 : first);
    out.insert(out.end(), static_cast<std::size_t>(waiting - 1), carried ? 0U : ~0U);
}

void RangeEncoder::encode(Share share) {
    const std::uint64_t part = range >> Shares::precision, moved = lower + part * share.low;
    range = part * share.width;
    if (waiting && moved + range > moved) {  // the interval lies on one side of the carry again
        release(done, moved < lower);
        waiting = 0;
    }
    lower = moved;
    if (range >= small) return;
    const auto word = static_cast<std::uint32_t>(lower >> 32);
    range <<= 32;
    lower <<= 32;
    if (waiting)
        ++waiting;
    else if (lower + range > lower)
        done.push_back(word);
    else
        waiting = 1, first = word;
}

std::vector<std::uint32_t> RangeEncoder::words() const {
    std::vector<std::uint32_t> out = done;
    if (range == ~std::uint64_t{0} && !lower && out.empty() && !waiting) return out;
    const std::uint64_t point = lower + (small - 1);
    if (waiting) release(out, point < lower);
    const auto last = static_cast<std::uint32_t>(point >> 32);
    out.push_back(last);
    if (static_cast<std::uint32_t>((lower + range) >> 32) == last) out.push_back(0);
    return out;
}

RangeDecoder::RangeDecoder(std::vector<std::uint32_t> given) : words(std::move(given)) {
    const std::uint64_t first = next();
    point = first << 32 | next();
}

std::uint32_t RangeDecoder::place(std::uint64_t& part) const {
    part = range >> Shares::precision;
    const std::uint64_t place = (point - lower) / part;
    if (place >= Shares::whole) throw std::domain_error("the code leaves every interval");
    return static_cast<std::uint32_t>(place);
}

void RangeDecoder::narrow(Share share, std::uint64_t part) {
    lower += part * share.low;
    range = part * share.width;
    if (range < small) {
        lower <<= 32;
        range <<= 32;
        point = point << 32 | next();
    }
}

std::int64_t RangeDecoder::decode(const Shares& shares) {
    std::uint64_t part = 0;
    Share share{};
    const std::int64_t symbol = shares.at(place(part), share);
    narrow(share, part);
    return symbol;
}

std::int64_t RangeDecoder::decode(std::int64_t size) {
    if (size < 1 || size > Shares::whole) throw std::domain_error("a range of numbers is empty or too large");
    std::uint64_t part = 0;
    const std::int64_t each = Shares::whole / size, number = std::min(place(part) / each, size - 1);
    narrow(equal(size, number), part);
    return number;
}

std::uint32_t checksum(std::uint32_t before, const void* bytes, std::size_t count) {
    static const auto t = tables();
    const auto* b = static_cast<const unsigned char*>(bytes);
    std::uint32_t c = ~before;
    for (; count >= 8; count -= 8, b += 8) {
        const std::uint32_t low = c ^ (std::uint32_t{b[0]} | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 | std::uint32_t{b[3]} << 24);
        c = t[7][low & 255] ^ t[6][low >> 8 & 255] ^ t[5][low >> 16 & 255] ^ t[4][low >> 24] ^ t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]];
    }
    for (; count; --count, ++b) c = t[0][(c ^ *b) & 255] ^ (c >> 8);
    return ~c;
}

}  // namespace ostinato
