// SPDX-License-Identifier: MIT
//
// An older language standard is refused in a sentence, before anything else is included.
// only: gcc, clang
// flags: -std=c++17
// expect: toto needs C\+\+20
// expect: compilation terminated|2 errors generated

#include <toto/tasks.hpp>
