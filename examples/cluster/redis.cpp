// SPDX-License-Identifier: MIT
//
// hiredis' part.

#include "redis.hpp"

#include <hiredis/hiredis.h>

#include <cstddef>

namespace cluster {
namespace {

constexpr std::string_view kUnix = "unix:";

redisContext* open(const std::string& address) {
  if (address.starts_with(kUnix)) {
    return redisConnectUnix(address.c_str() + kUnix.size());
  }
  const std::size_t colon = address.rfind(':');
  try {
    return redisConnect(address.substr(0, colon).c_str(), std::stoi(address.substr(colon + 1)));
  } catch (const std::logic_error&) {
    throw RedisError("'" + address + "' is not the address of a Redis server: use unix:PATH or HOST:PORT");
  }
}

}  // namespace

std::vector<Entry> entries_of(const Reply& reply) {
  std::vector<Entry> entries;
  for (const Reply& item : reply.items) {
    if (item.items.size() < 2) {
      continue;  // it was deleted meanwhile
    }
    Entry& entry = entries.emplace_back();
    entry.id = item.items[0].text;
    const std::vector<Reply>& fields = item.items[1].items;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      entry.fields[fields[i].text] = fields[i + 1].text;
    }
  }
  return entries;
}

void Redis::Free::operator()(redisContext* context) const noexcept {
  redisFree(context);
}
void Redis::Free::operator()(redisReply* reply) const noexcept {
  freeReplyObject(reply);
}

Redis::Redis(const std::string& address) : context_(open(address)) {
  if (!context_ || context_->err != 0) {
    throw RedisError(address + ": " + (context_ ? context_->errstr : "no memory"));
  }
}

Reply Redis::command(const Command& command) {
  send(command);
  return receive();
}

void Redis::transaction(const std::vector<Command>& commands) {
  send({"MULTI"});
  for (const Command& command : commands) {
    send(command);
  }
  send({"EXEC"});
  for (std::size_t i = 0; i < commands.size() + 2; ++i) {
    receive();
  }
}

void Redis::send(const Command& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(), sizes.data()) != REDIS_OK) {
    throw RedisError(context_->errstr);
  }
}

Reply Redis::receive() {
  void* received = nullptr;
  if (redisGetReply(context_.get(), &received) != REDIS_OK) {
    throw RedisError(context_->errstr);
  }
  const std::unique_ptr<redisReply, Free> reply(static_cast<redisReply*>(received));
  return reply_of(*reply);
}

Reply Redis::reply_of(const redisReply& reply) const {
  Reply result;
  switch (reply.type) {
    case REDIS_REPLY_ERROR:
      throw RedisError(std::string(reply.str, reply.len));
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      result.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_INTEGER:
      result.text = std::to_string(reply.integer);
      break;
    case REDIS_REPLY_ARRAY:
      for (std::size_t i = 0; i < reply.elements; ++i) {
        result.items.push_back(reply_of(*reply.element[i]));
      }
      break;
    default:
      break;
  }
  return result;
}

}  // namespace cluster
