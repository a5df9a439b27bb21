// SPDX-License-Identifier: MIT
//
// scrypt and random numbers, by OpenSSL.

#include "password.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace server {
namespace {

constexpr std::uint64_t kBlockSize = 8;
constexpr std::uint64_t kParallelism = 1;
constexpr std::size_t kHashSize = 32;
constexpr std::size_t kSaltSize = 16;
constexpr unsigned kMostCost = 20;

[[noreturn]] void fail(const char* what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  throw std::runtime_error(std::string("OpenSSL cannot ") + what + ": " + text);
}

std::string hexadecimal(const std::vector<unsigned char>& bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string scrypt(const std::string& password, std::string_view salt, unsigned cost) {
  std::vector<unsigned char> hash(kHashSize);
  const std::uint64_t rounds = std::uint64_t{1} << cost;
  const std::uint64_t memory = 128 * kBlockSize * (rounds + kParallelism + 2);
  if (EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     rounds, kBlockSize, kParallelism, memory, hash.data(), hash.size()) != 1) {
    fail("compute scrypt");
  }
  return hexadecimal(hash);
}

/// Cuts off and returns what stands before the next '$'.
std::string_view take_field(std::string_view& text) {
  const std::string_view field = text.substr(0, text.find('$'));
  text.remove_prefix(std::min(text.size(), field.size() + 1));
  return field;
}

}  // namespace

std::string random_text(std::size_t bytes) {
  std::vector<unsigned char> random(bytes);
  if (RAND_bytes(random.data(), static_cast<int>(bytes)) != 1) {
    fail("make random numbers");
  }
  return hexadecimal(random);
}

std::string hash_password(const std::string& password, unsigned cost) {
  const std::string salt = random_text(kSaltSize);
  return "scrypt$" + std::to_string(cost) + '$' + salt + '$' + scrypt(password, salt, cost);
}

bool is_password(const std::string& password, const std::string& hashed) {
  std::string_view rest = hashed;
  const std::string_view scheme = take_field(rest);
  const std::string_view cost_text = take_field(rest);
  const std::string_view salt = take_field(rest);
  unsigned cost = 0;
  const auto parsed = std::from_chars(cost_text.data(), cost_text.data() + cost_text.size(), cost);
  if (scheme != "scrypt" || parsed.ec != std::errc() || cost == 0 || cost > kMostCost) {
    throw std::runtime_error("this is not a hashed password");
  }
  const std::string hash = scrypt(password, salt, cost);
  return hash.size() == rest.size() && CRYPTO_memcmp(hash.data(), rest.data(), hash.size()) == 0;
}

}  // namespace server
