// SPDX-License-Identifier: MIT
//
// Types that have a lambda in their name, but are none: they have constructors, and are not refused. The lambda inside
// has a name: as a temporary it would be destroyed twice, which the library cannot see. unit/temporaries_test.cpp runs
// all of this.
// covers: [G24]

#include <toto/tasks.hpp>

#include <functional>
#include <memory>
#include <string>

std::size_t length(const std::string& text) {
  return text.size();
}

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  const auto named = [text] { return text.size(); };
  co_await queue.yield_task(std::bind(named));
  class Local {
   public:
    explicit Local(std::string inside) : text_(std::move(inside)) {}
    std::size_t operator()() const { return text_.size(); }

   private:
    std::string text_;
  };
  co_await queue.yield_task(Local(text));
  const auto inside_a_lambda = [&]() -> toto::Task<> {
    class Inner : public Local {
      using Local::Local;
    };
    co_await queue.yield_task(Inner(text));
  };
  co_await inside_a_lambda();
}
