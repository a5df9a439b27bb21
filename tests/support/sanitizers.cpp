// SPDX-License-Identifier: MIT
//
// What the sanitizers of an instrumented test do unless ASAN_OPTIONS and the like say otherwise. The runtimes call
// these functions, by name, if a program has them; in any other build they are not called.

extern "C" {

const char* __asan_default_options();
const char* __lsan_default_options();
const char* __tsan_default_options();
const char* __ubsan_default_options();

// A frame that is used after its function returned is a classic of coroutines and of callers that wait.
const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_init_order=1:check_initialization_order=1:detect_leaks=1";
}

const char* __lsan_default_options() {
  return "report_objects=1";
}

const char* __tsan_default_options() {
  return "second_deadlock_stack=1:history_size=4";
}

const char* __ubsan_default_options() {
  return "print_stacktrace=1";
}

}  // extern "C"
