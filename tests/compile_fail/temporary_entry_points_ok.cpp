// SPDX-License-Identifier: MIT
//
// What is not refused at the entry points of the other temporary_*.cpp: a named callable, a handle that was stored
// first, references and trivial captures, member pointers, arguments that are no aggregates.
// covers: [G24]

#include <toto/tasks.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

using namespace std::chrono_literals;

struct Service {
  std::size_t length(const std::string& text) { return text.size(); }
};
struct Row {
  std::string text;
  int number;
};
std::size_t size_of(const Row& row) {
  return row.text.size();
}

/// `call(callable, arguments...)` gives something to be awaited.
#define TRY_EACH(call)                                                 \
  co_await call(named);                                                \
  auto stored = call([text] { return text.size(); });                  \
  co_await stored;                                                     \
  toto::TaskHandle<std::size_t> typed = call(size_of, Row{"text", 1}); \
  co_await std::move(typed);                                           \
  co_await call([&text] { return text.size(); });                      \
  co_await call([number = 1] { return number; });                      \
  co_await call(size_of, row);                                         \
  co_await call(&Service::length, &service, std::string("text"));      \
  co_await call(&Service::length, std::ref(service), text)

toto::Task<> in_a_queue(toto::TaskQueue& queue, std::string text, Row row, Service service) {
  const auto named = [text] { return text.size(); };
  TRY_EACH(queue.yield_task);
}

toto::Task<> in_a_view(toto::QueueView<> view, std::string text, Row row, Service service) {
  const auto named = [text] { return text.size(); };
  TRY_EACH(view.with({.priority = 1}).yield_task);
}

toto::Task<> where_there_is_room(toto::TaskQueue& queue, std::string text, Row row, Service service) {
  const auto named = [text] { return text.size(); };
  auto first = co_await queue.admission();
  co_await first.yield_task(named);
  auto second = co_await queue.admission();
  auto stored = second.yield_task([text] { return text.size(); });
  co_await stored;
  auto third = co_await queue.admission();
  co_await third.yield_task([&text] { return text.size(); });
  auto fourth = co_await queue.admission();
  co_await fourth.yield_task(size_of, row);
  auto fifth = co_await queue.admission();
  co_await fifth.yield_task(&Service::length, &service, text);
}

toto::Task<> in_the_frame(toto::TaskQueue& queue, std::string text, Row row, Service service) {
  const auto named = [text] { return text.size(); };
  co_await queue.call(named);
  auto stored = queue.call([text] { return text.size(); });
  co_await stored;
  auto with_row = queue.call(size_of, Row{"text", 1});
  co_await with_row;
  co_await queue.call([&text] { return text.size(); });
  co_await queue.call([number = 1] { return number; });
  co_await queue.call(size_of, row);
  co_await queue.call(&Service::length, &service, text);
}

toto::Task<> with_a_limit(toto::TaskQueue& queue, std::string text, Row row, Service service) {
  const auto named = [text] { return text.size(); };
  co_await queue.yield_task(named).timeout(1s);
  toto::TaskHandle<std::size_t> stored = queue.yield_task([text] { return text.size(); });
  co_await std::move(stored).timeout(1s);
  auto limited = queue.yield_task(size_of, Row{"text", 1}).timeout(1s);
  co_await limited;
  co_await queue.yield_task([&text] { return text.size(); }).timeout(1s);
  co_await queue.yield_task(size_of, row).timeout(1s);
  co_await queue.yield_task(&Service::length, &service, text).timeout(1s);
}

/// A callable is given the instance, and so are member pointers.
#define TRY_EACH_ON_AN_INSTANCE(call)                                \
  co_await call(named);                                              \
  auto stored = call([text](Service& s) { return s.length(text); }); \
  co_await stored;                                                   \
  co_await call([&text](Service& s) { return s.length(text); });     \
  co_await call([number = 1](Service&) { return number; })

toto::Task<> on_an_instance(toto::AwaitableInstance<Service>& awaitable, std::string text) {
  const auto named = [text](Service& service) { return service.length(text); };
  TRY_EACH_ON_AN_INSTANCE(awaitable);
  co_await awaitable(&Service::length, text);
  co_await awaitable(&Service::length, std::string("text"));
  co_await awaitable.concurrent()(&Service::length, text);
  co_await awaitable.concurrent()(named);
}

toto::Task<> on_a_pool(toto::InstancePool<Service>& pool, std::string text) {
  const auto named = [text](Service& service) { return service.length(text); };
  {
    TRY_EACH_ON_AN_INSTANCE(pool.await());
  }
  {
    TRY_EACH_ON_AN_INSTANCE(pool.await_transaction);
  }
  co_await pool.await()(&Service::length, text);
  co_await pool.await()(&Service::length, std::string("text"));
}

toto::Task<> several(toto::TaskQueue& queue, std::string text, Row row, Service service) {
  const auto named = [text] { return text.size(); };
  auto stored = queue.yield_task([text] { return text.size(); });
  co_await toto::when_all_settled(stored, queue.yield_task(named), queue.yield_task([&text] { return text.size(); }));
  co_await toto::when_all_settled(queue.yield_task(size_of, row), queue.yield_task(&Service::length, &service, text));
}
