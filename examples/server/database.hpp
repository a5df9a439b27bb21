// SPDX-License-Identifier: MIT
//
// Database: what turns connections, which block and which one thread may use at a time, into queries that coroutines
// await: two pools of connections, one for reading and one for writing, and the queue on whose threads they work.
//
//   const auto account = co_await database.read()(&find_account, name);   // std::optional<Account> find_account(Connection&, ...)
//
// The coroutine waits in the pool's line for a connection, holding no thread; the function then runs on the queue; the
// coroutine continues on the loop. A request that takes too long is cancelled, and that interrupts its query.

#ifndef SERVER_DATABASE_HPP
#define SERVER_DATABASE_HPP

#include <cstddef>
#include <string>
#include <toto/tasks.hpp>
#include <type_traits>
#include <utility>

#include "await.hpp"
#include "connection.hpp"
#include "http.hpp"

namespace server {

class Database {
 public:
  using Pool = toto::InstancePool<Connection>;

  /// One way to use a pool. As a temporary: it refers to the database.
  class Use {
   public:
    /// Calls `fn(connection, args...)`; takes copies.
    /// Throws: Overloaded at once if too many wait; what `fn` throws; toto::TaskCancelled.
    template <class F, class... Args>
    asio::awaitable<std::invoke_result_t<F, Connection&, const Args&...>> operator()(F fn, Args... args) const {
      return run(pool_, queue_, most_waiting_, where_, std::move(fn), std::move(args)...);
    }

   private:
    friend Database;
    Use(Pool& pool, toto::TaskQueue& queue, std::size_t most_waiting, toto::CallSite where)
        : pool_(pool), queue_(queue), most_waiting_(most_waiting), where_(where) {}

    template <class F, class... Args>
    static asio::awaitable<std::invoke_result_t<F, Connection&, const Args&...>> run(Pool& pool, toto::TaskQueue& queue,
                                                                                     std::size_t most_waiting,
                                                                                     toto::CallSite where, F fn,
                                                                                     Args... args) {
      if (pool.stats().waiting >= most_waiting) {
        throw Overloaded("too many requests wait for the database");
      }
      auto work = [fn = std::move(fn), ... args = std::move(args)](toto::StopToken stop, Connection& connection) {
        const auto interrupt = [&connection] { connection.interrupt(); };
        const toto::StdRuntime::StopCallback<decltype(interrupt)> on_stop(stop, interrupt);
        try {
          return fn(connection, args...);
        } catch (const DatabaseError&) {
          if (stop.stop_requested()) {
            throw toto::TaskCancelled("the query was interrupted");
          }
          throw;
        }
      };
      auto handle = pool.await_transaction(std::move(work), queue, where);
      co_return co_await toto::async_get(handle, asio::use_awaitable);
    }

    Pool& pool_;
    toto::TaskQueue& queue_;
    std::size_t most_waiting_;
    toto::CallSite where_;
  };

  /// Up to `connections` for reading, and as many for writing as the database can use. Makes a connection, and with it
  /// the tables.
  /// Throws: DatabaseError; std::runtime_error for a URL that is none.
  Database(const std::string& url, std::size_t connections, std::size_t most_waiting);

  /// The status page shows who holds connections by the lines that called these.
  Use read(toto::CallSite where = toto::CallSite::current()) { return {readers_, queue_, most_waiting_, where}; }
  Use write(toto::CallSite where = toto::CallSite::current()) { return {writers_, queue_, most_waiting_, where}; }

  const Backend& backend() const noexcept { return backend_; }
  const Pool& readers() const noexcept { return readers_; }
  const Pool& writers() const noexcept { return writers_; }
  const toto::TaskQueue& queue() const noexcept { return queue_; }
  std::size_t most_waiting() const noexcept { return most_waiting_; }

 private:
  const Backend backend_;
  const std::size_t most_waiting_;
  toto::TaskQueue& queue_;
  Pool readers_;
  Pool writers_;
};

}  // namespace server

#endif  // SERVER_DATABASE_HPP
