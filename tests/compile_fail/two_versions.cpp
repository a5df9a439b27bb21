// SPDX-License-Identifier: MIT
//
// Another version of the library has been included before, as from a second vendored copy.
// expect: two different versions of the library are included

#define TOTO_VERSION 90909
#include <toto/tasks.hpp>
