// SPDX-License-Identifier: MIT
//
// For programs in which many files use the library: what does not depend on their types is compiled in one file,
// compiled.cpp; all others, which define TOTO_COMPILED, only declare it. The idea is that of Asio's separate
// compilation.

#ifndef TOTO_DETAIL_COMPILED_TEMPLATES_HPP
#define TOTO_DETAIL_COMPILED_TEMPLATES_HPP

#include "../task_queue.hpp"
#include "executor/timer.hpp"
#include "gather/gathering.hpp"
#include "ground/block_cache.hpp"
#include "loop/loop_core.hpp"
#include "pool/pool_core.hpp"
#include "queue/queue_core.hpp"
#include "queue/queue_gate.hpp"
#include "queue/watchdog.hpp"
#include "task/blocking.hpp"
#include "task/supervisor.hpp"
#include "task/task_state.hpp"

// Declares each of them (`extern`), or defines it (nothing). A definition may stand behind a declaration, as it does
// in compiled.cpp if that has the headers precompiled.
#define TOTO_DETAIL_COMPILED_TEMPLATES(declare)            \
  declare template class detail::BlockCache<StdRuntime>;   \
  declare template class detail::TimerHeap<StdRuntime>;    \
  declare template class detail::TimerService<StdRuntime>; \
  declare template class detail::Watchdog<StdRuntime>;     \
  declare template class detail::Order<StdRuntime>;        \
  declare template class detail::QueueParts<StdRuntime>;   \
  declare template class detail::QueueGate<StdRuntime>;    \
  declare template class detail::QueueCore<StdRuntime>;    \
  declare template class detail::TaskState<StdRuntime>;    \
  declare template class detail::Supervisor<StdRuntime>;   \
  declare template class detail::LoopCore<StdRuntime>;     \
  declare template class detail::Gathering<StdRuntime>;    \
  declare template class detail::PoolCore<StdRuntime>;     \
  declare template class BasicTaskQueue<StdRuntime>;

namespace toto::inline v0_1 {

TOTO_DETAIL_COMPILED_TEMPLATES(extern)

}  // namespace toto::inline v0_1

#endif  // TOTO_DETAIL_COMPILED_TEMPLATES_HPP
