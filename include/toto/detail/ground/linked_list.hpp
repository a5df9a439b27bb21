// SPDX-License-Identifier: MIT
//
// LinkedList: an intrusive, doubly linked list of objects that have the members `next` and `previous`. Adding and
// removing cannot fail.

#ifndef TOTO_DETAIL_GROUND_LINKED_LIST_HPP
#define TOTO_DETAIL_GROUND_LINKED_LIST_HPP

#include <cstddef>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

/// Owns nothing. One thread at a time.
template <class Node>
class LinkedList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  /// Null if the list is empty; the rest follows by `next`.
  Node* front() const noexcept { return first_; }
  /// The same from the other end, by `previous`.
  Node* back() const noexcept { return last_; }

  void push_back(Node& node) noexcept { link(node, last_, nullptr); }
  void push_front(Node& node) noexcept { link(node, nullptr, first_); }

  /// The list is not empty.
  Node& pop_front() noexcept {
    Node& node = *first_;
    remove(node);
    return node;
  }

  /// The list is not empty.
  Node& pop_back() noexcept {
    Node& node = *last_;
    remove(node);
    return node;
  }

  /// The node is in this list, or in none.
  bool holds(const Node& node) const noexcept { return node.previous != nullptr || first_ == &node; }

  /// The node is in this list.
  void remove(Node& node) noexcept {
    (node.previous != nullptr ? node.previous->next : first_) = node.next;
    (node.next != nullptr ? node.next->previous : last_) = node.previous;
    node.next = nullptr;
    node.previous = nullptr;
    --size_;
  }

 private:
  void link(Node& node, Node* previous, Node* next) noexcept {
    node.previous = previous;
    node.next = next;
    (previous != nullptr ? previous->next : first_) = &node;
    (next != nullptr ? next->previous : last_) = &node;
    ++size_;
  }

  Node* first_ = nullptr;
  Node* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_LINKED_LIST_HPP
