// SPDX-License-Identifier: MIT
//
// Outside of co_await expressions no temporary is destroyed twice: sync_wait and run_sync take everything.
// covers: [G24]

#include <toto/tasks.hpp>

#include <string>

std::size_t use(toto::TaskQueue& queue, toto::EventLoop& loop, const std::string& text) {
  const auto [a, b] = toto::sync_wait(toto::when_all(queue.yield_task([text] { return text.size(); }),
                                                     queue.yield_task([text] { return text.size(); })));
  const std::size_t c = loop.run_sync(queue.yield_task([text] { return text.size(); }).resume_on(loop));
  return a + b + c;
}
