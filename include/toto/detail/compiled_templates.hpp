// SPDX-License-Identifier: MIT
//
// For programs in which many files use the library: what does not depend on their types is compiled in one of them,
// the one that defines TOTO_COMPILED_HERE; the others define TOTO_COMPILED. The idea is that of Asio's separate
// compilation. Included by tasks.hpp.

#ifndef TOTO_DETAIL_COMPILED_TEMPLATES_HPP
#define TOTO_DETAIL_COMPILED_TEMPLATES_HPP

#include "../tasks.hpp"

#if defined(TOTO_COMPILED_HERE)
#define TOTO_DETAIL_EXTERN
#else
#define TOTO_DETAIL_EXTERN extern
#endif

namespace toto::inline v0 {

TOTO_DETAIL_EXTERN template class detail::BlockCache<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::TimerHeap<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::TimerService<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::Watchdog<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::QueueCore<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::TaskStateBase<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::Supervisor<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::LoopCore<StdRuntime>;
TOTO_DETAIL_EXTERN template class detail::PoolCore<StdRuntime>;
TOTO_DETAIL_EXTERN template class BasicTaskQueue<StdRuntime>;

}  // namespace toto::inline v0

#undef TOTO_DETAIL_EXTERN

#endif  // TOTO_DETAIL_COMPILED_TEMPLATES_HPP
