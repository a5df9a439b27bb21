// SPDX-License-Identifier: MIT
//
// StartedTask: a Task as a root, a coroutine that an executor owns. Read next: ../executor/roots.hpp.

#ifndef TOTO_DETAIL_TASK_STARTED_TASK_HPP
#define TOTO_DETAIL_TASK_STARTED_TASK_HPP

#include <exception>
#include <stdexcept>
#include <utility>

#include "../../task.hpp"
#include "../executor/roots.hpp"

namespace toto::inline v0_1::detail {

template <class T, class Runtime>
class StartedTask : public Root<Runtime> {
 public:
  StartedTask(ExecutorCore<Runtime>& home, Task<T> started, Ref<RootScope<Runtime>> scope = {}) noexcept
      : Root<Runtime>(home, std::move(scope)), task(std::move(started)) {}

  void begin() override {
    TaskAccess::start(task, &Root<Runtime>::on_end, static_cast<Root<Runtime>*>(this), this->begin_strand());
  }

  Task<T> task;

 private:
  void destroy_coroutine() noexcept final { task = Task<T>(); }
  std::exception_ptr failure() const noexcept final { return TaskAccess::failure(task); }
};

/// Starts the coroutine in its turn. `home` is no queue.
/// Throws: std::bad_alloc.
template <class Runtime, class T>
void spawn_on(ExecutorCore<Runtime>& home, Task<T> task, Ref<RootScope<Runtime>> scope = {}) {
  home.roots()->spawn(*new StartedTask<T, Runtime>(home, std::move(task), std::move(scope)));
}

/// Throws: std::invalid_argument.
template <class T>
void check_not_empty(const Task<T>& task) {
  if (!task.valid()) {
    throw std::invalid_argument("toto: task is empty; pass a Task that a coroutine has returned");
  }
}

/// Throws: std::invalid_argument.
template <class Runtime>
void check_executor(const ExecutorCore<Runtime>* executor) {
  if (executor == nullptr) {
    throw std::invalid_argument("toto: executor is empty; pass a queue, a loop, or an executor of your own");
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_STARTED_TASK_HPP
