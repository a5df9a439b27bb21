// SPDX-License-Identifier: MIT
//
// What the two shared libraries of this test offer to its program. Each includes toto's headers for itself.

#ifndef TOTO_TESTS_PROCESS_TWO_LIBRARIES_SHARED_HPP
#define TOTO_TESTS_PROCESS_TWO_LIBRARIES_SHARED_HPP

#include <toto/tasks.hpp>

namespace one {
toto::TaskQueue* named_queue();
toto::TaskQueue* current_queue();
toto::TaskHandle<int> add(int value);
toto::Task<int> coroutine(int value);
void throw_queue_closed();
}  // namespace one

namespace two {
toto::TaskQueue* named_queue();
toto::TaskQueue* current_queue();
toto::TaskHandle<int> add(int value);
toto::Task<int> coroutine(int value);
}  // namespace two

#endif  // TOTO_TESTS_PROCESS_TWO_LIBRARIES_SHARED_HPP
