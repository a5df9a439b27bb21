// SPDX-License-Identifier: MIT
//
// Continuation: a piece of work that already has its memory, so that handing it to an executor allocates nothing and
// cannot fail. ContinuationList: the intrusive, doubly linked list an executor keeps them in; a node whose coroutine is
// destroyed leaves it in constant time. Read next: executor_core.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_CONTINUATION_HPP
#define TOTO_DETAIL_EXECUTOR_CONTINUATION_HPP

#include <cstddef>
#include <cstdint>

#include "../ground/annotations.hpp"

namespace toto::inline v0_1::detail {

/// Where a continuation runs: on the executor it was posted to, or elsewhere, because that executor has ended with the
/// continuation still in it.
enum class Turn { on_executor, homeless };

struct Continuation {
  /// Called once. May destroy the node.
  void (*run)(Continuation&, Turn) noexcept = nullptr;
  Continuation* next = nullptr;
  Continuation* previous = nullptr;
  /// Where the node stands in its executor's order, counted by that executor. Guarded by its mutex.
  std::uint64_t ticket = 0;
};

/// One thread at a time: the executor's mutex guards it.
class ContinuationList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  Continuation* front() const noexcept { return first_; }

  void push_back(Continuation& node) noexcept { link(node, last_, nullptr); }
  void push_front(Continuation& node) noexcept { link(node, nullptr, first_); }

  /// Behind all nodes of the same or a lower ticket. The list is in the order of tickets.
  void insert_by_ticket(Continuation& node) noexcept {
    Continuation* before = last_;
    while (before != nullptr && before->ticket > node.ticket) {
      before = before->previous;
    }
    link(node, before, before != nullptr ? before->next : first_);
  }

  /// The node is in this list, or in none.
  bool holds(const Continuation& node) const noexcept { return node.previous != nullptr || first_ == &node; }

  /// The list is not empty.
  Continuation& pop_front() noexcept {
    Continuation& node = *first_;
    remove(node);
    return node;
  }

  /// The node is in this list.
  void remove(Continuation& node) noexcept {
    (node.previous != nullptr ? node.previous->next : first_) = node.next;
    (node.next != nullptr ? node.next->previous : last_) = node.previous;
    node.next = nullptr;
    node.previous = nullptr;
    --size_;
  }

 private:
  void link(Continuation& node, Continuation* previous, Continuation* next) noexcept {
    node.previous = previous;
    node.next = next;
    (previous != nullptr ? previous->next : first_) = &node;
    (next != nullptr ? next->previous : last_) = &node;
    ++size_;
  }

  Continuation* first_ = nullptr;
  Continuation* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_CONTINUATION_HPP
