// SPDX-License-Identifier: MIT
//
// Permit: something that one user at a time may hold. Claim: who holds or awaits it, for reports and for the WaitGraph.
// Read next: permits.hpp, ../queue/wait_graph.hpp.

#ifndef TOTO_DETAIL_TASK_CLAIM_HPP
#define TOTO_DETAIL_TASK_CLAIM_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../../call_site.hpp"
#include "../executor/executor_core.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/text.hpp"
#include "../ground/this_thread.hpp"
#include "../queue/worker.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class WaitGraph;

/// A task in a queue that holds something from before it begins to after its end.
template <class Runtime>
class HoldingTask {
 public:
  /// Whether it may begin, and give back what it holds, once it has it; see Awaited.
  virtual bool may_give_back(const WaitGraph<Runtime>& graph) = 0;

 protected:
  ~HoldingTask() = default;
};

/// How, from which source line, on which thread, since when. Trivial: it is copied under a mutex.
template <class Runtime>
struct Claim {
  using TimePoint = typename Runtime::Clock::time_point;

  const char* how = "";  // "lease taken"
  CallSite where;
  TimePoint since{};
  std::uint64_t thread = 0;              // its number
  std::size_t worker = 0;                // 0: not a worker
  char queue[32] = {};                   // the worker's, or the one in which a task is to run; cut off
  HoldingTask<Runtime>* task = nullptr;  // or none; it is there until it has given back what it holds

  /// By the calling thread, from now on.
  static Claim here(const char* how, CallSite where) noexcept {
    Claim claim{how, where, Runtime::Clock::now(), detail::this_thread_number<Runtime>()};
    if (const Worker<Runtime>* const running = ThreadContext<Runtime>::current().worker) {
      claim.worker = running->number;
      claim.name_queue(running->core.name());
    }
    return claim;
  }
  /// By a task that is to run in that queue.
  static Claim in_queue(const char* how, std::string_view name, CallSite where) noexcept {
    Claim claim{how, where, Runtime::Clock::now()};
    claim.name_queue(name);
    return claim;
  }

  /// "lease taken at main.cpp:12 by thread 1, 0.250 s ago"
  /// Throws: std::bad_alloc.
  std::string text(TimePoint now) const {
    std::string text = how;
    if (where.line != 0) {
      detail::append(text, {" at ", where.text()});
    }
    if (thread != 0) {
      detail::append(text, {" by thread ", Digits(thread)});
    }
    if (worker != 0) {
      detail::append(text, {", worker ", Digits(worker)});
    }
    if (queue[0] != '\0') {
      detail::append(text, {worker != 0 ? " of queue '" : ", for queue '", queue, "'"});
    }
    detail::append(text, {", ", detail::seconds_text(now - since), " ago"});
    return text;
  }

 private:
  void name_queue(std::string_view name) noexcept { name.copy(queue, sizeof(queue) - 1); }
};

/// The claims of the first nodes, and how many more there are, with `before` in front of each.
/// Throws: std::bad_alloc.
template <class Runtime, class Node>
std::string claims_text(const LinkedList<Node>& nodes, std::string_view before, const Claim<Runtime>& (*of)(Node&)) {
  constexpr std::size_t kMostShown = 16;
  const typename Claim<Runtime>::TimePoint now = Runtime::Clock::now();
  std::string text;
  std::size_t shown = 0;
  for (Node* node = nodes.front(); node != nullptr && shown < kMostShown; node = node->next, ++shown) {
    detail::append(text, {before, of(*node).text(now)});
  }
  if (nodes.size() > shown) {
    detail::append(text, {before, Digits(nodes.size() - shown), " more"});
  }
  return text;
}

/// Only its holder uses it, and returns it once. While it is bound, only one thread does: a call frame of that thread
/// holds it, or an object on its stack that was never moved.
template <class Runtime>
class Permit {
 public:
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

  /// Binds it to the calling thread. The holder does so.
  void bind() noexcept {
    thread_.store(detail::this_thread_number<Runtime>(), std::memory_order_relaxed);
    ++ThisThread<Runtime>::get().bound;
  }
  void unbind() noexcept {
    if (const std::uint64_t thread = bound_to()) {
      thread_.store(0, std::memory_order_relaxed);
      ThisThread<Runtime>& here = ThisThread<Runtime>::get();
      here.bound -= here.number == thread ? 1 : 0;
    }
  }
  /// The number of the thread, or 0. Relaxed: whoever finds that thread in the WaitGraph sees what it wrote before it
  /// came there, or what somebody wrote since.
  std::uint64_t bound_to() const noexcept { return thread_.load(std::memory_order_relaxed); }

  /// Binds it for a scope, unless it is bound already.
  class Here {
   public:
    explicit Here(Permit& held) noexcept : held_(held.bound_to() == 0 ? &held : nullptr) {
      if (held_ != nullptr) {
        held_->bind();
      }
    }
    ~Here() {
      if (held_ != nullptr) {
        held_->unbind();
      }
    }
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;

   private:
    Permit* const held_;
  };

  // Guarded by the mutex of Permits; used by LinkedList.
  Claim<Runtime> holder;  // while it is held; afterwards its owner may note since when it is free
  Permit* next = nullptr;
  Permit* previous = nullptr;

 protected:
  Permit() = default;
  ~Permit() = default;

 private:
  typename Runtime::template Atomic<std::uint64_t> thread_{0};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_CLAIM_HPP
