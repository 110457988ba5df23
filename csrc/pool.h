// A pool of buffers that are reused between calls. The first access to a new page costs microseconds, more than the
// arithmetic on it, so the buffers of a call are kept for the next call, up to a limit.
#pragma once

#include <cstddef>

namespace ostinato {

// Returns a buffer that is aligned to at least 128 bytes; a large one uses huge pages if the system has them. Throws
// std::bad_alloc.
void* take_memory(std::size_t bytes);

// Takes back a buffer with the same `bytes` as in take_memory. It is freed if the pool would exceed its limit of 256
// MB.
void give_memory(void* at, std::size_t bytes) noexcept;

// Frees all buffers of the pool and returns their size in bytes.
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
