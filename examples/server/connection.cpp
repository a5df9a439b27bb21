// SPDX-License-Identifier: MIT
//
// Which database a URL means.

#include "connection.hpp"

namespace server {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

bool is_sqlite(std::string_view url) {
  return url.starts_with(kSqlite) && url.size() > kSqlite.size();
}

void require_postgres(std::string_view url) {
  if (!url.starts_with("postgresql:") && !url.starts_with("postgres:")) {
    throw std::runtime_error("'" + std::string(url) + "' is not a database: use sqlite:FILE or postgresql://...");
  }
#ifndef SERVER_POSTGRES
  throw std::runtime_error("this program was built without PostgreSQL's libpq (Debian: libpq-dev)");
#endif
}

}  // namespace

Backend backend_of(const std::string& url, [[maybe_unused]] std::size_t connections) {
  if (is_sqlite(url)) {
    return sqlite_backend(url.substr(kSqlite.size()));
  }
  require_postgres(url);
#ifdef SERVER_POSTGRES
  return postgres_backend(url, connections);
#else
  return {};
#endif
}

std::unique_ptr<Connection> connect(const std::string& url) {
  if (is_sqlite(url)) {
    return connect_sqlite(url.substr(kSqlite.size()));
  }
  require_postgres(url);
#ifdef SERVER_POSTGRES
  return connect_postgres(url);
#else
  return nullptr;
#endif
}

}  // namespace server
