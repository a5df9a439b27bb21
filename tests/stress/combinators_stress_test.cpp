// SPDX-License-Identifier: MIT
//
// Several children that end at the same time on several threads: what the winner has written is visible to the
// coroutine that continues.

#include <array>
#include <toto/tasks.hpp>
#include <utility>

#include "support/catch.hpp"
#include "support/sanitizers.hpp"

using toto_tests::scaled;

TEST_CASE("the first result of two that end at once is whole, whoever was second", "[when_any][stress][I7][A9]") {
  using Numbers = std::array<int, 64>;
  const int rounds = scaled(100'000, 20'000);
  const auto numbers = [](int value) {
    return [value] {
      Numbers filled{};
      filled.fill(value);
      return filled;
    };
  };
  toto::TaskQueue queue(2, toto::Duration::never());
  toto::EventLoop loop;
  int torn = 0;
  const auto race = [&]() -> toto::Task<> {
    for (int i = 0; i < rounds; ++i) {
      auto one = queue.yield_task(numbers(i));
      auto other = queue.yield_task(numbers(i));
      const auto first = co_await toto::when_any(std::move(one), std::move(other));
      Numbers expected{};
      expected.fill(i);
      torn += first.result == expected ? 0 : 1;
    }
  };
  loop.run_sync(race());
  REQUIRE(torn == 0);
}
