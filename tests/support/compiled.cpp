// SPDX-License-Identifier: MIT
//
// What does not depend on a program's types, compiled once for a test program whose other files define TOTO_COMPILED.

#define TOTO_COMPILED_HERE
#include <toto/tasks.hpp>
