// SPDX-License-Identifier: MIT
//
// Connection: one connection to a database, SQLite's (sqlite.cpp) or PostgreSQL's (postgres.cpp), with as much of SQL as
// the two have in common. Nothing here knows of queues: what makes connections usable by many coroutines is in
// database.hpp.

#ifndef SERVER_CONNECTION_HPP
#define SERVER_CONNECTION_HPP

#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace server {

/// The text is the database's own.
class DatabaseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The connection is gone. Another one may work.
class ConnectionLost : public DatabaseError {
 public:
  using DatabaseError::DatabaseError;
};

/// A null is an empty text.
using Row = std::vector<std::string>;

/// One thread at a time, except for interrupt().
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  /// Executes one statement, whose parameters are $1, $2, ... in this order. It lives as long as the program, because
  /// it may be kept prepared.
  /// Blocks: until the database has answered.
  /// Throws: DatabaseError.
  virtual std::vector<Row> query(const char* statement, std::initializer_list<std::string_view> parameters) = 0;

  /// Makes a query that is being executed end soon, with an error. Does not block. Thread-safe.
  virtual void interrupt() noexcept = 0;

  /// False if the connection is known to be broken. Does not ask the database.
  virtual bool usable() noexcept = 0;
};

struct Backend {
  std::string name;  ///< for people: "SQLite 3.40.1, notes.db"
  /// How many connections may write at a time without waiting for each other.
  std::size_t writers = 1;
};

/// What kind of database a URL means: "sqlite:FILE", or "postgresql://..." as libpq understands it.
/// Throws: std::runtime_error if it is neither.
Backend backend_of(const std::string& url, std::size_t connections);

/// Throws: DatabaseError; std::runtime_error as backend_of.
std::unique_ptr<Connection> connect(const std::string& url);

// What the above choose from.
Backend sqlite_backend(const std::string& file);
std::unique_ptr<Connection> connect_sqlite(const std::string& file);
#ifdef SERVER_POSTGRES
Backend postgres_backend(const std::string& url, std::size_t connections);
std::unique_ptr<Connection> connect_postgres(const std::string& url);
#endif

}  // namespace server

#endif  // SERVER_CONNECTION_HPP
