// SPDX-License-Identifier: MIT
//
// Passwords, as they are kept: hashed by scrypt (OpenSSL), which is meant to take long. Plain functions for the queue
// "hash"; they know nothing of queues.

#ifndef SERVER_PASSWORD_HPP
#define SERVER_PASSWORD_HPP

#include <cstddef>
#include <string>

namespace server {

/// "scrypt$COST$SALT$HASH". A hash takes 2^(cost + 10) bytes of memory; 14, the usual cost, about 50 ms.
/// Throws: std::runtime_error with OpenSSL's words.
std::string hash_password(const std::string& password, unsigned cost);

/// Whether this is the password that was hashed. Takes as long for a wrong one.
/// Throws: as hash_password; std::runtime_error if `hashed` was not made by it.
bool is_password(const std::string& password, const std::string& hashed);

/// So many random bytes, as hexadecimal digits.
std::string random_text(std::size_t bytes);

}  // namespace server

#endif  // SERVER_PASSWORD_HPP
