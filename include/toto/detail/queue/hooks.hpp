// SPDX-License-Identifier: MIT
//
// What the user has set on a queue: what is called with exceptions that no one will observe, and what each thread calls
// when it begins and when it ends. Read next: queue_parts.hpp, worker_loop.hpp.

#ifndef TOTO_DETAIL_QUEUE_HOOKS_HPP
#define TOTO_DETAIL_QUEUE_HOOKS_HPP

#include <exception>

#include "../../stats.hpp"
#include "../ground/callable.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
using ErrorHook = AnyFunction<Runtime, void(std::exception_ptr, const TaskInfo&)>;
template <class Runtime>
using ThreadHook = AnyFunction<Runtime, void()>;

/// Guarded by the queue's mutex. Whoever calls one copies it first, and calls it without the mutex, maybe on several
/// threads at a time: it may do anything.
template <class Runtime>
struct Hooks {
  ThreadHook<Runtime> thread_start;
  ThreadHook<Runtime> thread_end;
  bool start_failed = false;  // `thread_start` has thrown, has been reported, and has not succeeded since
  ErrorHook<Runtime> error;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_HOOKS_HPP
