// SPDX-License-Identifier: MIT
//
// std::chrono's durations and clocks, and std::reference_wrapper, without the rest of <chrono> (calendars, streams) and
// of <functional> (searchers, hash tables), which take GCC longer than all of this library's declarations. In libstdc++
// <thread> brings them: sleep_for is defined there, and it needs reference_wrapper. That holds for GCC 11 (with all of
// <chrono>) to 15; later versions are not assumed to do so until they have been checked. The reasons are in
// docs/design.md, "Decisions and rejected options".

#ifndef TOTO_DETAIL_GROUND_LEAN_STD_HPP
#define TOTO_DETAIL_GROUND_LEAN_STD_HPP

#include <version>

#if defined(_GLIBCXX_RELEASE) && _GLIBCXX_RELEASE >= 11 && _GLIBCXX_RELEASE <= 15
#include <thread>
#else
#include <chrono>
#include <functional>
#endif

#endif  // TOTO_DETAIL_GROUND_LEAN_STD_HPP
