// SPDX-License-Identifier: MIT
//
// A file is hashed between two looks at its stamp. If they differ, the file was written to meanwhile and the hash
// may be of a mixture that never existed, so the file is read again, and reported as unsteady after a few
// attempts.

#include "hash.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "interrupt.hpp"

namespace catalog {
namespace {

constexpr int attempts = 3;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void update(const unsigned char* data, std::size_t size) {
    require(EVP_DigestUpdate(context_.get(), data, size) == 1);
  }

  Digest finish() {
    Digest digest{};
    require(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return digest;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };

  static void require(bool success) {
    if (!success) {
      throw std::runtime_error("OpenSSL cannot compute SHA-256");
    }
  }

  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

class OpenFile {
 public:
  // O_NONBLOCK: should it have become a pipe since it was found, opening it must not wait for a writer.
  explicit OpenFile(const std::string& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  bool is_open() const noexcept { return descriptor_ >= 0; }
  bool look(struct stat& status) const noexcept { return fstat(descriptor_, &status) == 0; }

 private:
  int descriptor_;
};

Outcome without_hash(Fate fate) {
  Outcome outcome;
  outcome.fate = fate;
  return outcome;
}

Outcome failure(int error) {
  const bool gone = error == ENOENT || error == ENOTDIR || error == ELOOP;
  Outcome outcome = without_hash(gone ? Fate::gone : Fate::unreadable);
  outcome.error = error;
  return outcome;
}

/// File times advance in ticks of up to 10 ms. A file written within the present tick could be written once
/// more without its times showing it, so let the tick pass first.
void wait_for_a_new_tick(const Stamp& stamp) {
  constexpr std::chrono::milliseconds tick{20};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = now - std::chrono::nanoseconds(stamp.changed_ns);
  if (age >= age.zero() && age < tick) {
    std::this_thread::sleep_for(tick - age);
  }
}

/// Reads to the end of the file as it is now.
Outcome read_once(const OpenFile& file, Meter& meter) {
  unsigned char block[64 * 1024];
  Sha256 hash;
  for (;;) {
    if (interrupted()) {
      return without_hash(Fate::interrupted);
    }
    const ssize_t size = read(file.descriptor(), block, sizeof block);
    if (size == 0) {
      Outcome outcome = without_hash(Fate::hashed);
      outcome.digest = hash.finish();
      return outcome;
    }
    if (size > 0) {
      hash.update(block, static_cast<std::size_t>(size));
      meter.bytes.fetch_add(static_cast<std::uint64_t>(size), std::memory_order_relaxed);
    } else if (errno != EINTR) {
      return failure(errno);
    }
  }
}

Outcome read_steadily(const OpenFile& file, Meter& meter) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    struct stat before = {};
    struct stat after = {};
    if (!file.look(before)) {
      return failure(errno);
    }
    if (!S_ISREG(before.st_mode)) {
      return without_hash(Fate::gone);
    }
    wait_for_a_new_tick(stamp_of(before));
    if (lseek(file.descriptor(), 0, SEEK_SET) != 0) {
      return failure(errno);
    }
    Outcome outcome = read_once(file, meter);
    if (outcome.fate != Fate::hashed) {
      return outcome;
    }
    if (!file.look(after)) {
      return failure(errno);
    }
    if (same_content(stamp_of(before), stamp_of(after))) {
      outcome.stamp = stamp_of(after);
      return outcome;
    }
  }
  return without_hash(Fate::unsteady);
}

}  // namespace

Outcome hash_file(const std::string& path, Meter& meter) {
  if (interrupted()) {
    return without_hash(Fate::interrupted);
  }
  const OpenFile file(path);
  const Outcome outcome = file.is_open() ? read_steadily(file, meter) : failure(errno);
  meter.files.fetch_add(1, std::memory_order_relaxed);
  return outcome;
}

}  // namespace catalog
