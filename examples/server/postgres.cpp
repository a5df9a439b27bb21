// SPDX-License-Identifier: MIT
//
// A connection to a PostgreSQL server, by libpq.

#ifdef SERVER_POSTGRES

#include <libpq-fe.h>
#include <poll.h>

#include "connection.hpp"

namespace server {
namespace {

struct Free {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  for (char& c : text) {
    c = c == '\n' || c == '\t' ? ' ' : c;
  }
  return text;
}

class PostgresConnection final : public Connection {
 public:
  explicit PostgresConnection(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    require_connection();
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
    // No query outlasts its request by much: the server gives up on both after about the same time.
    query("SET statement_timeout = '10s'", {});
  }

  std::vector<Row> query(const char* statement, std::initializer_list<std::string_view> parameters) override {
    const std::vector<std::string> texts(parameters.begin(), parameters.end());
    std::vector<const char*> values;
    for (const std::string& text : texts) {
      values.push_back(text.c_str());
    }
    const std::unique_ptr<PGresult, Free> result(PQexecParams(
        connection_.get(), statement, static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0));
    require_connection();
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw DatabaseError(one_line(PQerrorMessage(connection_.get())));
    }
    std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (int column = 0; column < PQnfields(result.get()); ++column) {
        rows[i].emplace_back(PQgetvalue(result.get(), static_cast<int>(i), column));
      }
    }
    return rows;
  }

  /// Nothing: PQcancel() would connect to the server, and wait. The statement_timeout ends the query.
  void interrupt() noexcept override {}

  /// A server that says something though nobody has asked is about to end the connection, or has ended it.
  bool usable() noexcept override {
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    return PQstatus(connection_.get()) == CONNECTION_OK && poll(&socket, 1, 0) == 0;
  }

 private:
  void require_connection() const {
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      throw ConnectionLost(one_line(PQerrorMessage(connection_.get())));
    }
  }

  std::unique_ptr<PGconn, Free> connection_;
};

}  // namespace

Backend postgres_backend(const std::string& url, std::size_t connections) {
  // The name is shown to people: without user and password, which may stand before an '@' or in the query.
  const std::string address = url.substr(0, url.find('?'));
  const std::size_t user = address.find('@');
  return {.name = "PostgreSQL, " + address.substr(user == std::string::npos ? 0 : user + 1), .writers = connections};
}

std::unique_ptr<Connection> connect_postgres(const std::string& url) {
  return std::make_unique<PostgresConnection>(url);
}

}  // namespace server

#endif  // SERVER_POSTGRES
