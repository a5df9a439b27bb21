// SPDX-License-Identifier: MIT
//
// The SQL: accounts, sessions and notes. Plain functions that take a connection and block; see database.hpp for how
// coroutines call them.

#ifndef SERVER_STORE_HPP
#define SERVER_STORE_HPP

#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"

namespace server {

struct Note {
  std::string id;
  std::string written;  ///< seconds since 1970
  std::string text;
};

// All of these block, and throw DatabaseError.

void make_tables(Connection& connection);

/// False: there is one of that name.
bool add_account(Connection& connection, const std::string& name, const std::string& password_hash);

/// Empty: there is no such account.
std::optional<std::string> find_password_hash(Connection& connection, const std::string& name);

void add_session(Connection& connection, const std::string& token, const std::string& name);

/// False: the token is not, or no longer, valid.
bool add_note(Connection& connection, const std::string& token, const std::string& id, const std::string& text);

/// The most recent ones, 100 at the most. Empty: the token is not valid.
std::optional<std::vector<Note>> find_notes(Connection& connection, const std::string& token);

}  // namespace server

#endif  // SERVER_STORE_HPP
