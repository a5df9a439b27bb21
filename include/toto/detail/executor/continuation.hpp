// SPDX-License-Identifier: MIT
//
// Continuation: a coroutine on its way back, with memory of its own, so that handing it to an executor allocates
// nothing and cannot fail. ContinuationList: the intrusive, doubly linked list an executor keeps them in; a node whose
// coroutine is destroyed leaves it in constant time. Read next: executor_core.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_CONTINUATION_HPP
#define TOTO_DETAIL_EXECUTOR_CONTINUATION_HPP

#include <cstdint>

#include "../ground/linked_list.hpp"

namespace toto::inline v0_1::detail {

/// Where a continuation runs: on the executor it was posted to, or elsewhere, because that executor has ended with the
/// continuation still in it.
enum class Turn { on_executor, homeless };

struct Continuation {
  /// Called once. May destroy the node.
  void (*run)(Continuation&, Turn) noexcept = nullptr;
  Continuation* next = nullptr;
  Continuation* previous = nullptr;
  /// Where the node stands in its executor's order, counted by that executor. Guarded by the executor's mutex.
  std::uint64_t ticket = 0;
};

using ContinuationList = LinkedList<Continuation>;

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_CONTINUATION_HPP
