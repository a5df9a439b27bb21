// SPDX-License-Identifier: MIT
//
// main() of the test executables. Catch2 3 brings its own in a library; of Catch2 2 it is compiled here, so that it
// has the standard library and the sanitizers of the tests.

#if !__has_include(<catch2/catch_test_macros.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
