// SPDX-License-Identifier: MIT
//
// when_all, when_any and their relatives take what can be awaited and moved.
// covers: [U5]
// expect: when_all, when_any and the like accept only what can be awaited and moved
// each: LAMBDA NUMBERS CONSTANT CONSTANTS MOVED_CONSTANT OR_CANCEL SETTLED

#include <toto/tasks.hpp>

#include <utility>
#include <vector>

void use([[maybe_unused]] toto::TaskHandle<int> handle) {
#if defined(LAMBDA)
  static_cast<void>(toto::when_all(std::move(handle), []() -> toto::Task<> { co_return; }));
#elif defined(NUMBERS)
  static_cast<void>(toto::when_any(std::vector<int>()));
#elif defined(CONSTANT)
  static_cast<void>(toto::when_all(std::as_const(handle)));
#elif defined(CONSTANTS)
  const std::vector<toto::TaskHandle<int>> handles;
  static_cast<void>(toto::when_all(handles));
#elif defined(MOVED_CONSTANT)
  const toto::TaskHandle<int> constant;
  static_cast<void>(toto::when_any(std::move(constant)));
#elif defined(OR_CANCEL)
  static_cast<void>(toto::when_all_or_cancel(3));
#else
  static_cast<void>(toto::when_all_settled(3));
#endif
}
