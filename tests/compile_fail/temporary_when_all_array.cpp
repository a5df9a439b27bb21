// SPDX-License-Identifier: MIT
//
// Handles from such temporaries, in a range made in the same expression.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <array>
#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await toto::when_all(
      std::array{queue.yield_task([text] { return text.size(); }), queue.yield_task([text] { return text.size(); })});
}
