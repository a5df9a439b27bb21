// SPDX-License-Identifier: MIT
//
// What the library of this test offers to the program that loads it.

#ifndef TOTO_TESTS_PROCESS_UNLOAD_PLUGIN_HPP
#define TOTO_TESTS_PROCESS_UNLOAD_PLUGIN_HPP

#include <atomic>

#define TOTO_TEST_EXPORT __attribute__((visibility("default")))

extern "C" {
/// What use() returned when the library's static objects were made.
TOTO_TEST_EXPORT int use_while_loading();
/// Waits for a hundred tasks with results: 4950.
TOTO_TEST_EXPORT int use();
/// Adds a task that takes so long and then counts.
TOTO_TEST_EXPORT void start_slow_task(int milliseconds, std::atomic<int>* done);
/// Adds a coroutine that sleeps 100 ms twice, and counts each time.
TOTO_TEST_EXPORT void start_sleeping(std::atomic<int>* slept);
TOTO_TEST_EXPORT void set_exit_limit(int milliseconds);
TOTO_TEST_EXPORT bool shutdown(int milliseconds);
}

#endif  // TOTO_TESTS_PROCESS_UNLOAD_PLUGIN_HPP
