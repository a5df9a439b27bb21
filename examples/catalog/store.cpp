// SPDX-License-Identifier: MIT
//
// The SQL. Whatever can fail runs inside `naming`, so that an error says which database, and what was tried.

#include "store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>

namespace catalog {
namespace {

constexpr int busy_timeout_ms = 30'000;     // another run may be writing
constexpr int application_id = 0x746f746f;  // "toto": distinguishes a catalogue from other SQLite databases
constexpr int layout_version = 1;

constexpr const char* schema = R"(
  CREATE TABLE files (
    id          INTEGER PRIMARY KEY,
    path        BLOB    NOT NULL UNIQUE,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    changed_ns  INTEGER NOT NULL,
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    sha256      BLOB    NOT NULL
  );
  -- For people: sqlite3 catalog.db 'SELECT * FROM listing LIMIT 10'
  CREATE VIEW listing AS
    SELECT lower(hex(sha256)) AS sha256, size, datetime(modified_ns / 1000000000, 'unixepoch') AS modified,
           CAST(path AS TEXT) AS path
    FROM files;
)";

/// The contents of which there are several. Hard links, which share device and inode, count as one.
const std::string duplicated =
    "(SELECT sha256, (count(*) - 1) * size AS spare"
    " FROM (SELECT DISTINCT sha256, size, device, inode FROM files"
    "       WHERE path >= ?1 AND path < ?2 AND size > 0)"
    " GROUP BY sha256 HAVING count(*) > 1)";

template <class Work>
auto naming(const std::string& database, const char* what, Work&& work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw std::runtime_error(fmt::format("cannot {} database '{}': {}", what, database, error.what()));
  }
}

SQLite::Database connect(const std::string& name, int flags) {
  // Absolute, because SQLite takes names such as ":memory:" for something else than a file.
  return SQLite::Database(std::filesystem::absolute(name).string(), flags, busy_timeout_ms);
}

SQLite::Database open_for_writing(const std::string& name) {
  return naming(name, "open", [&] {
    SQLite::Database connection = connect(name, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    SQLite::Transaction transaction(connection, SQLite::TransactionBehavior::IMMEDIATE);
    const int found_id = connection.execAndGet("PRAGMA application_id").getInt();
    const int tables = connection.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    if (found_id == 0 && tables == 0) {
      connection.exec(schema);
      connection.exec(fmt::format("PRAGMA application_id = {}", application_id));
      connection.exec(fmt::format("PRAGMA user_version = {}", layout_version));
    } else if (found_id != application_id) {
      throw SQLite::Exception("it is the database of another program");
    } else if (const int version = connection.execAndGet("PRAGMA user_version").getInt(); version != layout_version) {
      throw SQLite::Exception(fmt::format("its layout is version {}, not {}", version, layout_version));
    }
    transaction.commit();
    connection.exec("PRAGMA journal_mode = WAL");    // readers and the writer do not wait for each other
    connection.exec("PRAGMA synchronous = NORMAL");  // a power cut may lose the last batches, no more
    return connection;
  });
}

SQLite::Database open_for_reading(const std::string& name) {
  return naming(name, "open", [&] {
    // Not read-only for SQLite: whichever connection closes last has to tidy up the files next to the
    // database.
    SQLite::Database connection = connect(name, SQLite::OPEN_READWRITE);
    connection.exec("PRAGMA query_only = ON");
    return connection;
  });
}

SQLite::Statement prepare(const std::string& name, const SQLite::Database& connection, const char* query) {
  return naming(name, "use", [&] { return SQLite::Statement(connection, query); });
}

void bind_blob(SQLite::Statement& statement, int index, std::string_view bytes) {
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

void bind_range(SQLite::Statement& statement, const PathRange& range) {
  bind_blob(statement, 1, range.from);
  bind_blob(statement, 2, range.until);
}

std::string_view blob(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

std::uint64_t unsigned_number(const SQLite::Column& column) {
  return static_cast<std::uint64_t>(column.getInt64());
}

Digest digest_of(const SQLite::Column& column) {
  Digest digest{};
  const std::string_view bytes = blob(column);
  std::memcpy(digest.data(), bytes.data(), std::min(bytes.size(), digest.size()));
  return digest;
}

/// Gives a statement back ready for its next use, also when stepping through it threw.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(SQLite::Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.tryReset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  SQLite::Statement& statement_;
};

}  // namespace

Reader::Reader(const std::string& database)
    : name_(database),
      connection_(open_for_reading(database)),
      slice_(prepare(database, connection_,
                     "SELECT id, path, size, modified_ns, changed_ns, inode FROM files "
                     "WHERE path >= ?1 AND path < ?2 ORDER BY path")) {}

// Both sides are sorted by path, so one pass over the two finds what is new, changed and gone.
Differences Reader::compare(const Batch& batch) {
  return naming(name_, "read", [&] {
    Differences differences;
    const ResetAtEnd reset(slice_);
    bind_range(slice_, batch.range);
    auto file = batch.files.begin();
    const auto hash_all_before = [&](std::string_view path) {
      for (; file != batch.files.end() && file->path < path; ++file) {
        differences.to_hash.push_back({file->path, 0});
      }
    };
    while (slice_.executeStep()) {
      const RowId id = slice_.getColumn(0).getInt64();
      const SQLite::Column path = slice_.getColumn(1);
      hash_all_before(blob(path));
      if (file == batch.files.end() || file->path != blob(path)) {
        differences.removed.push_back(id);
        continue;
      }
      const Stamp known{.size = slice_.getColumn(2).getInt64(),
                        .modified_ns = slice_.getColumn(3).getInt64(),
                        .changed_ns = slice_.getColumn(4).getInt64(),
                        .device = 0,
                        .inode = unsigned_number(slice_.getColumn(5))};
      if (same_content(known, file->stamp)) {
        ++differences.unchanged_files;
        differences.unchanged_bytes += static_cast<std::uint64_t>(file->stamp.size);
      } else {
        differences.to_hash.push_back({file->path, id});
      }
      ++file;
    }
    hash_all_before(batch.range.until);
    return differences;
  });
}

Totals Reader::totals(const PathRange& range) {
  return naming(name_, "read", [&] {
    SQLite::Statement query(connection_,
                            "SELECT count(*), ifnull(sum(size), 0) FROM files WHERE path >= ?1 AND path < ?2");
    bind_range(query, range);
    query.executeStep();
    return Totals{.files = unsigned_number(query.getColumn(0)), .bytes = unsigned_number(query.getColumn(1))};
  });
}

DuplicateTotals Reader::duplicate_totals(const PathRange& range) {
  return naming(name_, "read", [&] {
    SQLite::Statement query(connection_, "SELECT count(*), ifnull(sum(spare), 0) FROM " + duplicated);
    bind_range(query, range);
    query.executeStep();
    return DuplicateTotals{.groups = unsigned_number(query.getColumn(0)),
                           .spare_bytes = unsigned_number(query.getColumn(1))};
  });
}

void Reader::each_file(const PathRange& range, const std::function<void(const Record&)>& visit) {
  naming(name_, "read", [&] {
    SQLite::Statement query(connection_,
                            "SELECT path, size, sha256 FROM files WHERE path >= ?1 AND path < ?2 ORDER BY path");
    bind_range(query, range);
    while (query.executeStep()) {
      Record record{.path = std::string(blob(query.getColumn(0))), .stamp = {}, .digest = {}};
      record.stamp.size = query.getColumn(1).getInt64();
      record.digest = digest_of(query.getColumn(2));
      visit(record);
    }
  });
}

void Reader::each_duplicate(const PathRange& range, const std::function<void(const Duplicate&)>& visit) {
  naming(name_, "read", [&] {
    SQLite::Statement query(connection_, "SELECT sha256, size, path FROM files JOIN " + duplicated +
                                             " USING (sha256) WHERE path >= ?1 AND path < ?2"
                                             " ORDER BY spare DESC, sha256, path");
    bind_range(query, range);
    while (query.executeStep()) {
      visit({.digest = digest_of(query.getColumn(0)),
             .size = unsigned_number(query.getColumn(1)),
             .path = std::string(blob(query.getColumn(2)))});
    }
  });
}

Writer::Writer(const std::string& database)
    : name_(database),
      connection_(open_for_writing(database)),
      insert_(prepare(database, connection_,
                      "INSERT INTO files (path, size, modified_ns, changed_ns, device, inode, sha256) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                      "ON CONFLICT (path) DO UPDATE SET size = excluded.size, modified_ns = excluded.modified_ns, "
                      "changed_ns = excluded.changed_ns, device = excluded.device, inode = excluded.inode, "
                      "sha256 = excluded.sha256")),
      remove_(prepare(database, connection_, "DELETE FROM files WHERE id = ?1")) {}

void Writer::apply(const Changes& changes) {
  naming(name_, "write to", [&] {
    SQLite::Transaction transaction(connection_, SQLite::TransactionBehavior::IMMEDIATE);
    for (const RowId id : changes.removed) {
      const ResetAtEnd reset(remove_);
      remove_.bind(1, id);
      remove_.exec();
    }
    for (const Record& record : changes.records) {
      const ResetAtEnd reset(insert_);
      bind_blob(insert_, 1, record.path);
      insert_.bind(2, record.stamp.size);
      insert_.bind(3, record.stamp.modified_ns);
      insert_.bind(4, record.stamp.changed_ns);
      insert_.bind(5, static_cast<std::int64_t>(record.stamp.device));
      insert_.bind(6, static_cast<std::int64_t>(record.stamp.inode));
      insert_.bind(7, record.digest.data(), static_cast<int>(record.digest.size()));
      insert_.exec();
    }
    transaction.commit();
  });
}

}  // namespace catalog
