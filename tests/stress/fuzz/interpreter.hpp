// SPDX-License-Identifier: MIT
//
// run_input(): a program of a few operations on one queue, and the schedule in which its threads take turns, both read
// from bytes. A fuzzer chooses the bytes; so does main.cpp. Read next: interpreter.cpp.

#ifndef TOTO_TESTS_STRESS_FUZZ_INTERPRETER_HPP
#define TOTO_TESTS_STRESS_FUZZ_INTERPRETER_HPP

#include <string>
#include <string_view>

namespace toto_fuzz {

/// What has happened, as text with a trace, if something went wrong; otherwise "".
std::string run_input(std::string_view input);

}  // namespace toto_fuzz

#endif  // TOTO_TESTS_STRESS_FUZZ_INTERPRETER_HPP
