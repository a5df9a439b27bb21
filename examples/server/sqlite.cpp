// SPDX-License-Identifier: MIT
//
// A connection to an SQLite database, by SQLiteCpp.

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <unordered_map>

#include "connection.hpp"

namespace server {
namespace {

constexpr int kBusyTimeout = 5'000;  // ms; another process may be writing

class SqliteConnection final : public Connection {
 public:
  explicit SqliteConnection(const std::string& file)
      : database_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeout) {
    database_.exec("PRAGMA journal_mode = WAL");    // readers and the writer do not wait for each other
    database_.exec("PRAGMA synchronous = NORMAL");  // a power cut may lose the last commits, no more
    database_.exec("PRAGMA foreign_keys = ON");
  }

  std::vector<Row> query(const char* statement, std::initializer_list<std::string_view> parameters) override {
    try {
      SQLite::Statement& prepared = statements_.try_emplace(statement, database_, statement).first->second;
      const ResetAtEnd reset(prepared);
      int index = 0;
      for (const std::string_view parameter : parameters) {
        prepared.bind(++index, std::string(parameter));
      }
      std::vector<Row> rows;
      while (prepared.executeStep()) {
        Row& row = rows.emplace_back();
        for (int column = 0; column < prepared.getColumnCount(); ++column) {
          row.push_back(prepared.getColumn(column).getString());
        }
      }
      return rows;
    } catch (const SQLite::Exception& error) {
      throw DatabaseError(error.what());
    }
  }

  void interrupt() noexcept override { sqlite3_interrupt(database_.getHandle()); }
  bool usable() noexcept override { return true; }

 private:
  /// Ends a statement's transaction, also when stepping through it threw.
  class ResetAtEnd {
   public:
    explicit ResetAtEnd(SQLite::Statement& statement) : statement_(statement) {}
    ~ResetAtEnd() { statement_.tryReset(); }
    ResetAtEnd(const ResetAtEnd&) = delete;
    ResetAtEnd& operator=(const ResetAtEnd&) = delete;

   private:
    SQLite::Statement& statement_;
  };

  SQLite::Database database_;
  std::unordered_map<const char*, SQLite::Statement> statements_;
};

}  // namespace

Backend sqlite_backend(const std::string& file) {
  return {.name = "SQLite " + std::string(SQLite::getLibVersion()) + ", " + file, .writers = 1};
}

std::unique_ptr<Connection> connect_sqlite(const std::string& file) {
  try {
    return std::make_unique<SqliteConnection>(file);
  } catch (const SQLite::Exception& error) {
    throw DatabaseError(file + ": " + error.what());
  }
}

}  // namespace server
