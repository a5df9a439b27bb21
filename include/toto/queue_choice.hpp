// SPDX-License-Identifier: MIT
//
// QueueChoice: a parameter that is a queue or the name of one. Read next: awaitable_instance.hpp, instance_pool.hpp.

#ifndef TOTO_QUEUE_CHOICE_HPP
#define TOTO_QUEUE_CHOICE_HPP

#include <concepts>
#include <cstddef>
#include <string_view>

#include "options.hpp"
#include "runtime.hpp"
#include "task_queue.hpp"

namespace toto::inline v0_1 {

/// A queue, the name of one, or neither, which means the default.
/// Lifetime: refers to the queue or the name from which it was made.
/// Thread safety: One thread at a time.
template <class Runtime = StdRuntime>
class QueueChoice {
 public:
  QueueChoice() noexcept = default;
  QueueChoice(BasicTaskQueue<Runtime>& queue) noexcept  // NOLINT(google-explicit-constructor)
      : queue_(&queue) {}
  QueueChoice(std::nullptr_t) = delete;  // no name; leave it out for the default queue
  /// A name, which must not be empty. If there is no queue of that name, the function to which this is passed makes it.
  /// Throws: std::invalid_argument.
  template <std::convertible_to<std::string_view> Name>
  QueueChoice(const Name& name) : name_(name) {  // NOLINT(google-explicit-constructor)
    detail::check_name(name_, "queue");
  }

  /// Only for the library: `named(name)` returns the core of the queue of that name; the name is empty for the default.
  template <class Named>
  detail::QueueCore<Runtime>& core(Named named) const {
    return queue_ != nullptr ? detail::QueueAccess::core(*queue_) : named(name_);
  }

 private:
  BasicTaskQueue<Runtime>* queue_ = nullptr;
  std::string_view name_;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_QUEUE_CHOICE_HPP
