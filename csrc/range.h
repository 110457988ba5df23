// The range coder: symbols as the digits of a number whose interval narrows by the probability of each (Martin 1979).
//
// It writes and reads bit for bit what the queue of the package constriction does (words of 32 bits, a state of 64,
// probabilities in 2^24ths, the fast rounding of a categorical distribution), so that a file of either is a file of both.
// tests/compression/test_range.py holds the two against each other.
#pragma once

#include <cstdint>
#include <vector>

namespace ostinato {

// The part of [0, 2^24) that a symbol has: every symbol has at least one 2^24th.
struct Share {
    std::uint32_t low, width;
};

// A distribution over n symbols, proportional to p (n,), all at least 0.
class Shares {
  public:
    static constexpr int precision = 24;
    static constexpr std::uint32_t whole = 1U << precision;

    // Throws std::domain_error unless the sum of p is a positive number that 2^24 can be divided by.
    Shares(const double* p, std::int64_t n);

    // Throws std::domain_error unless 0 <= symbol < n.
    Share of(std::int64_t symbol) const;
    // The symbol whose share holds a place below 2^24.
    std::int64_t at(std::uint32_t place, Share& share) const;

  private:
    std::uint32_t edge(double below, std::int64_t symbol) const {
        return static_cast<std::uint32_t>(below * scale) + static_cast<std::uint32_t>(symbol);
    }

    const double* p;
    std::int64_t n;
    double scale;
};

// The share of a number below size, each of which is as likely as the others but for what the last one is left. Throws
// std::domain_error unless 0 <= number < size <= 2^24.
Share equal(std::int64_t size, std::int64_t number);

class RangeEncoder {
  public:
    void encode(Share share);
    // The words that a decoder needs.
    std::vector<std::uint32_t> words() const;
    // The words that no later symbol changes, and those that a carry may still change; then the interval that is left.
    std::int64_t place() const { return static_cast<std::int64_t>(done.size()) + waiting; }
    std::uint64_t low() const { return lower; }
    std::uint64_t width() const { return range; }

  private:
    // Writes the words that waited for a carry.
    void release(std::vector<std::uint32_t>& out, bool carried) const;

    std::vector<std::uint32_t> done;
    std::uint64_t lower = 0, range = ~std::uint64_t{0};
    std::int64_t waiting = 0;    // words that a carry would change
    std::uint32_t first = 0;     // the first of them; the others are all ones
};

class RangeDecoder {
  public:
    explicit RangeDecoder(std::vector<std::uint32_t> words);

    // Throws std::domain_error if no encoder wrote this.
    std::int64_t decode(const Shares& shares);
    // A number below size.
    std::int64_t decode(std::int64_t size);

  private:
    // The place of the code in the interval, in 2^24ths, and the width of one of them.
    std::uint32_t place(std::uint64_t& part) const;
    void narrow(Share share, std::uint64_t part);
    std::uint32_t next() { return at < words.size() ? words[at++] : 0; }

    std::vector<std::uint32_t> words;
    std::size_t at = 0;
    std::uint64_t lower = 0, range = ~std::uint64_t{0}, point = 0;
};

// The checksum of zlib (CRC-32) of what came before it and of more bytes.
std::uint32_t checksum(std::uint32_t before, const void* bytes, std::size_t count);

}  // namespace ostinato
