// SPDX-License-Identifier: MIT
//
// What is not refused although it looks like its neighbours temporary_*.cpp. unit/temporaries_test.cpp runs them.
// covers: [G24]

#include <toto/tasks.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct Row {
  std::string text;
  int number;
};
struct Service {
  std::string name;
  std::size_t length(const std::string& more) const { return name.size() + more.size(); }
};
std::size_t size_of(const Row& row) {
  return row.text.size();
}
std::size_t length(const std::string& text) {
  return text.size();
}

toto::Task<> use(toto::TaskQueue& queue, toto::EventLoop& loop, std::string text, Service service) {
  const auto named = [text] { return text.size(); };
  const Row row{"text", 1};
  co_await queue.yield_task(named);
  co_await queue.yield_task(size_of, row);

  auto stored = queue.yield_task([text] { return text.size(); });
  co_await stored;
  toto::TaskHandle<std::size_t> typed = queue.yield_task([text] { return text.size(); });
  co_await std::move(typed);
  toto::TaskHandle<std::size_t> relocated = queue.yield_task(size_of, Row{"text", 1});
  co_await std::move(relocated).resume_on(loop);
  auto first = queue.yield_task([text] { return text.size(); });
  auto second = queue.yield_task(size_of, Row{"text", 1});
  co_await toto::when_all(first, second);
  std::vector<toto::TaskHandle<std::size_t>> several;
  several.push_back(queue.yield_task([text] { return text.size(); }));
  co_await toto::when_all(std::move(several));

  co_await queue.yield_task([&text] { return text.size(); });
  co_await queue.yield_task([number = 1] { return number; });
  co_await queue.yield_task(&Service::length, &service, "more");
  co_await queue.yield_task(&Service::length, std::make_shared<Service>(), text);
  co_await queue.yield_task(length, std::string("text")).resume_inline();
  co_await queue.yield_task(length, std::move(text));
  co_await queue.yield_task(std::function<std::size_t()>(named));

  toto::sync_wait(queue.yield_task([text] { return text.size(); }));
  queue.yield_task([text] { return text.size(); }).get();
}
