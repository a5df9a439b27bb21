// SPDX-License-Identifier: MIT
//
// TimerNode: a continuation that is due at a point in time. TimerHeap: the container in which a loop and the
// TimerService keep timers. Read next: timer.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_TIMER_HEAP_HPP
#define TOTO_DETAIL_EXECUTOR_TIMER_HEAP_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "executor_core.hpp"

namespace toto::inline v0_1::detail {

/// A continuation that is due at a point in time.
template <class Runtime>
struct TimerNode : Continuation {
  static constexpr std::size_t kNotWaiting = (std::numeric_limits<std::size_t>::max)();

  typename Runtime::Clock::time_point deadline{};
  std::uint64_t sequence = 0;       // timers of one deadline fire in order
  std::size_t place = kNotWaiting;  // in the heap
  /// Where the continuation runs; null: on the timer thread. Owned while the timer waits in the TimerService; tells a
  /// loop whether it still has the timer.
  ExecutorCore<Runtime>* home = nullptr;
};

/// A binary heap of timers, from which any timer can be removed. Its owner's mutex guards it.
template <class Runtime>
class TimerHeap {
 public:
  using Node = TimerNode<Runtime>;

  bool empty() const noexcept { return nodes_.empty(); }
  std::size_t size() const noexcept { return nodes_.size(); }
  Node& first() const noexcept { return *nodes_.front(); }

  /// Throws: std::bad_alloc.
  void add(Node& node) {
    nodes_.push_back(&node);
    node.sequence = ++sequence_;
    node.place = nodes_.size() - 1;
    rise(node.place);
  }

  void remove(Node& node) noexcept {
    const std::size_t place = node.place;
    Node* const last = nodes_.back();
    nodes_.pop_back();
    node.place = Node::kNotWaiting;
    if (last != &node) {
      put(*last, place);
      rise(place);
      sink(last->place);
    }
    if (nodes_.empty() && nodes_.capacity() > kKept) {
      std::vector<Node*>().swap(nodes_);  // releases the memory of a burst
    }
  }

  /// Forgets every timer without touching it, because no one waits for it any more.
  void forget() noexcept {
    for (Node* const node : nodes_) {
      node->place = Node::kNotWaiting;
    }
    nodes_.clear();
  }

 private:
  static constexpr std::size_t kKept = 64;  // so that a repeating timer needs no memory

  static bool before(const Node& a, const Node& b) noexcept {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }
  void put(Node& node, std::size_t place) noexcept {
    nodes_[place] = &node;
    node.place = place;
  }
  void exchange(std::size_t a, std::size_t b) noexcept {
    Node& moved = *nodes_[a];
    put(*nodes_[b], a);
    put(moved, b);
  }
  void rise(std::size_t place) noexcept {
    while (place > 0 && before(*nodes_[place], *nodes_[(place - 1) / 2])) {
      exchange(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }
  void sink(std::size_t place) noexcept {
    for (;;) {
      std::size_t least = place;
      for (const std::size_t child : {2 * place + 1, 2 * place + 2}) {
        if (child < nodes_.size() && before(*nodes_[child], *nodes_[least])) {
          least = child;
        }
      }
      if (least == place) {
        return;
      }
      exchange(place, least);
      place = least;
    }
  }

  std::vector<Node*> nodes_;
  std::uint64_t sequence_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_TIMER_HEAP_HPP
