// Memory that is kept between calls. A page of fresh memory costs microseconds at its first touch, more than the
// arithmetic done on it; so what a call gives back serves the next, up to a limit.
#pragma once

#include <cstddef>

namespace ostinato {

// Aligned to 128 bytes at least; large pieces lie on huge pages where the system has them. Raises std::bad_alloc.
void* take_memory(std::size_t bytes);

// bytes as in take_memory. What would exceed the limit (256 MB kept) goes back to the system.
void give_memory(void* at, std::size_t bytes) noexcept;

// All that is kept goes back to the system. Returns how many bytes that was.
std::size_t release_memory() noexcept;

class Buffer {
  public:
    explicit Buffer(std::size_t bytes) : bytes_(bytes), at_(take_memory(bytes)) {}
    Buffer(Buffer&& other) noexcept : bytes_(other.bytes_), at_(other.at_) { other.at_ = nullptr; }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() {
        if (at_) give_memory(at_, bytes_);
    }
    void* get() const { return at_; }

  private:
    std::size_t bytes_;
    void* at_;
};

}  // namespace ostinato
