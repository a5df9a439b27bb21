// SPDX-License-Identifier: MIT
//
// The version of this copy of toto, and a check that refuses to mix it with another one in a translation unit.
// Everything public lives in the inline namespace toto::v0_1, so another minor version never shares a symbol with this
// one.

#ifndef TOTO_VERSION_HPP
#define TOTO_VERSION_HPP

// A missing include ends the compilation, whereas after an #error alone further errors would follow.
#if defined(TOTO_VERSION) && TOTO_VERSION != 100
#error "toto: two different versions of the library are included in this translation unit; keep one on the include path"
#include <nothing more: two versions of toto>
#endif

#if defined(_MSVC_LANG)
#if _MSVC_LANG < 202002L
#error "toto needs C++20: compile with /std:c++20"
#include <nothing more: toto needs C++20>
#endif
#elif __cplusplus < 202002L
#error "toto needs C++20: compile with -std=c++20"
#include <nothing more: toto needs C++20>
#endif

#if !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#error "toto reports errors with exceptions: compile without -fno-exceptions"
#include <nothing more: toto needs exceptions>
#endif

#define TOTO_VERSION_MAJOR 0
#define TOTO_VERSION_MINOR 1
#define TOTO_VERSION_PATCH 0
#define TOTO_VERSION 100  // major * 10000 + minor * 100 + patch

#endif  // TOTO_VERSION_HPP
