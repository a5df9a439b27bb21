// SPDX-License-Identifier: MIT
//
// Redis: one connection to a Redis server, by hiredis, which blocks. Nothing here knows of queues: the programs wrap each
// connection in an AwaitableInstance.

#ifndef CLUSTER_REDIS_HPP
#define CLUSTER_REDIS_HPP

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct redisContext;
struct redisReply;

namespace cluster {

/// The text is the server's own, or hiredis'.
class RedisError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Command = std::vector<std::string>;

/// An array, or a text; a number is a text, and nil is neither.
struct Reply {
  std::string text;
  std::vector<Reply> items;
};

/// An entry of a stream.
struct Entry {
  std::string id;
  std::map<std::string, std::string> fields;
};

/// What XRANGE and its relatives reply, inside of what the others wrap around it.
std::vector<Entry> entries_of(const Reply& reply);

/// One thread at a time.
class Redis {
 public:
  /// `address` is "unix:PATH" or "HOST:PORT".
  /// Blocks, like all of this.
  /// Throws: RedisError, like all of this.
  explicit Redis(const std::string& address);

  Reply command(const Command& command);

  /// All of them or, if the connection or this process ends meanwhile, none.
  void transaction(const std::vector<Command>& commands);

 private:
  struct Free {
    void operator()(redisContext* context) const noexcept;
    void operator()(redisReply* reply) const noexcept;
  };

  void send(const Command& command);
  Reply receive();
  Reply reply_of(const redisReply& reply) const;

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace cluster

#endif  // CLUSTER_REDIS_HPP
