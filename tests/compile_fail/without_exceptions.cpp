// SPDX-License-Identifier: MIT
//
// A build without exceptions is refused in a sentence, not in a hundred errors.
// covers: [R8]
// only: gcc, clang
// flags: -fno-exceptions
// expect: toto reports errors with exceptions: compile without -fno-exceptions

#include <toto/tasks.hpp>
