// SPDX-License-Identifier: MIT
//
// A build without exceptions is refused in a sentence, and nothing follows it.
// covers: [R8]
// only: gcc, clang
// flags: -fno-exceptions
// expect: toto reports errors with exceptions: compile without -fno-exceptions
// expect: compilation terminated|2 errors generated

#include <toto/tasks.hpp>
