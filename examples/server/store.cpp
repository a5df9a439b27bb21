// SPDX-License-Identifier: MIT
//
// Statements that SQLite and PostgreSQL understand alike.

#include "store.hpp"

#include <chrono>

namespace server {
namespace {

std::string now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
}

}  // namespace

void make_tables(Connection& connection) {
  connection.query(
      "CREATE TABLE IF NOT EXISTS accounts ("
      " name TEXT PRIMARY KEY, password TEXT NOT NULL, created BIGINT NOT NULL)",
      {});
  connection.query(
      "CREATE TABLE IF NOT EXISTS sessions ("
      " token TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (name), created BIGINT NOT NULL)",
      {});
  connection.query(
      "CREATE TABLE IF NOT EXISTS notes ("
      " id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (name), written BIGINT NOT NULL,"
      " text TEXT NOT NULL)",
      {});
  connection.query("CREATE INDEX IF NOT EXISTS notes_of_account ON notes (account, written)", {});
}

bool add_account(Connection& connection, const std::string& name, const std::string& password_hash) {
  return !connection
              .query(
                  "INSERT INTO accounts (name, password, created) VALUES ($1, $2, $3)"
                  " ON CONFLICT (name) DO NOTHING RETURNING name",
                  {name, password_hash, now()})
              .empty();
}

std::optional<std::string> find_password_hash(Connection& connection, const std::string& name) {
  const std::vector<Row> rows = connection.query("SELECT password FROM accounts WHERE name = $1", {name});
  return rows.empty() ? std::nullopt : std::optional(rows.front().front());
}

void add_session(Connection& connection, const std::string& token, const std::string& name) {
  connection.query("INSERT INTO sessions (token, account, created) VALUES ($1, $2, $3)", {token, name, now()});
}

bool add_note(Connection& connection, const std::string& token, const std::string& id, const std::string& text) {
  return !connection
              .query(
                  "INSERT INTO notes (id, account, written, text)"
                  " SELECT $1, account, CAST($2 AS BIGINT), $3 FROM sessions WHERE token = $4 RETURNING id",
                  {id, now(), text, token})
              .empty();
}

std::optional<std::vector<Note>> find_notes(Connection& connection, const std::string& token) {
  // With a session and no notes there is one row of nulls.
  const std::vector<Row> rows = connection.query(
      "SELECT notes.id, notes.written, notes.text FROM sessions LEFT JOIN notes ON notes.account = sessions.account"
      " WHERE sessions.token = $1 ORDER BY notes.written DESC, notes.id LIMIT 100",
      {token});
  if (rows.empty()) {
    return std::nullopt;
  }
  std::vector<Note> notes;
  for (const Row& row : rows) {
    if (!row[0].empty()) {
      notes.push_back({row[0], row[1], row[2]});
    }
  }
  return notes;
}

}  // namespace server
