// SPDX-License-Identifier: MIT
//
// What can be refused without the database is refused first; nothing is held while something is awaited.

#include "accounts.hpp"

#include <boost/json/array.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "await.hpp"
#include "password.hpp"
#include "store.hpp"

namespace server {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kShortestPassword = 8;
constexpr std::size_t kLongestPassword = 1024;
constexpr std::size_t kLongestNote = 16 * 1024;
constexpr std::size_t kTokenBytes = 24;
constexpr std::size_t kIdBytes = 12;

struct Credentials {
  std::string name;
  std::string password;
};

Credentials credentials_in(const Request& request) {
  const json::object body = json_body(request);
  return {.name = text_in(body, "name", 1, kLongestName),
          .password = text_in(body, "password", kShortestPassword, kLongestPassword)};
}

[[noreturn]] void refuse_token() {
  throw HttpError(http::status::unauthorized, "the token is not valid: sign in with POST /sessions");
}

}  // namespace

Accounts::Accounts(Database& database, toto::TaskQueue& hashing, unsigned cost)
    : database_(database),
      hashing_(hashing),
      cost_(cost),
      nobodys_hash_(hash_password(random_text(kTokenBytes), cost)) {}

asio::awaitable<Response> Accounts::sign_up(const Request& request) {
  const Credentials given = credentials_in(request);
  const std::string hash = co_await run_on(hashing_, &hash_password, given.password, cost_);
  const bool added = co_await database_.write()(&add_account, given.name, hash);
  if (!added) {
    throw HttpError(http::status::conflict, "there is an account of that name");
  }
  co_return json_answer(http::status::created, {{"name", given.name}});
}

asio::awaitable<Response> Accounts::sign_in(const Request& request) {
  const Credentials given = credentials_in(request);
  const std::optional<std::string> hash = co_await database_.read()(&find_password_hash, given.name);
  // An unknown name takes as long as a wrong password, so that nobody can find out which names exist.
  const bool right = co_await run_on(hashing_, &is_password, given.password, hash.value_or(nobodys_hash_));
  if (!right || !hash) {
    throw HttpError(http::status::unauthorized, "wrong name or password");
  }
  const std::string token = random_text(kTokenBytes);
  co_await database_.write()(&add_session, token, given.name);
  co_return json_answer(http::status::created, {{"token", token}});
}

asio::awaitable<Response> Accounts::add_note(const Request& request) {
  const std::string token = bearer_token(request);
  const std::string text = text_in(json_body(request), "text", 1, kLongestNote);
  const std::string id = random_text(kIdBytes);
  const bool added = co_await database_.write()(&server::add_note, token, id, text);
  if (!added) {
    refuse_token();
  }
  co_return json_answer(http::status::created, {{"id", id}});
}

asio::awaitable<Response> Accounts::list_notes(const Request& request) {
  const std::optional<std::vector<Note>> found = co_await database_.read()(&find_notes, bearer_token(request));
  if (!found) {
    refuse_token();
  }
  json::array notes;
  for (const Note& note : *found) {
    notes.push_back({{"id", note.id}, {"written", std::stoll(note.written)}, {"text", note.text}});
  }
  json::object content;
  content["notes"] = std::move(notes);
  co_return json_answer(http::status::ok, content);
}

}  // namespace server
