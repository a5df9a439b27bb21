// SPDX-License-Identifier: MIT
//
// The handlers that do something: sign up, sign in, keep notes. Each is a coroutine on the loop that awaits what blocks:
// queries on the queue "db", scrypt on the queue "hash".

#ifndef SERVER_ACCOUNTS_HPP
#define SERVER_ACCOUNTS_HPP

#include <toto/tasks.hpp>

#include "database.hpp"
#include "http.hpp"

namespace server {

class Accounts {
 public:
  /// `hashing` is bounded and rejects; `cost` as hash_password() has it.
  /// Blocks: for as long as a hash takes.
  Accounts(Database& database, toto::TaskQueue& hashing, unsigned cost);

  asio::awaitable<Response> sign_up(const Request& request);     ///< POST /accounts {"name", "password"}
  asio::awaitable<Response> sign_in(const Request& request);     ///< POST /sessions {"name", "password"} -> {"token"}
  asio::awaitable<Response> add_note(const Request& request);    ///< POST /notes {"text"}
  asio::awaitable<Response> list_notes(const Request& request);  ///< GET /notes

 private:
  Database& database_;
  toto::TaskQueue& hashing_;
  const unsigned cost_;
  const std::string nobodys_hash_;
};

}  // namespace server

#endif  // SERVER_ACCOUNTS_HPP
