// SPDX-License-Identifier: MIT
//
// BasicStopSource, BasicStopToken, BasicStopCallback: std::stop_source, std::stop_token and std::stop_callback over a
// runtime policy. They are used where the standard library does not have these classes yet, and under the simulator,
// which must see what each thread waits for. Their meaning is the standard's; only the members that the library needs
// are here.

#ifndef TOTO_DETAIL_GROUND_STOP_TOKEN_HPP
#define TOTO_DETAIL_GROUND_STOP_TOKEN_HPP

#include <atomic>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "annotations.hpp"
#include "linked_list.hpp"
#include "lock.hpp"
#include "ref.hpp"
#include "wait_list.hpp"

namespace toto::inline v0_1::detail {

/// A registered callback, as its stop state sees it: a link in a list, and how to run it.
struct StopNode {
  explicit StopNode(void (*run_it)(StopNode&) noexcept) noexcept : run(run_it) {}

  void (*const run)(StopNode&) noexcept;
  StopNode* next = nullptr;
  StopNode* previous = nullptr;
};

/// What the sources, tokens and callbacks of one stop request share.
///
/// Invariants:
///  T1  A node is listed, or running (running_ points to it), or over; its state changes under mutex_ only.
///  T2  The requester touches a node again only if running_ still points to it when it has the lock back.
///  T3  A callback runs without the lock.
/// Thread safety: Thread-safe.
template <class Runtime>
class StopState final : public RefCounted<Runtime> {
 public:
  void add_source() noexcept {
    sources_.fetch_add(1, std::memory_order_relaxed);  // no pair: a count alone
  }
  void remove_source() noexcept {
    // Pairs with the load in stop_possible().
    sources_.fetch_sub(1, std::memory_order_release);
  }

  bool stop_requested() const noexcept {
    // Pairs with the store in request_stop().
    return requested_.load(std::memory_order_acquire);
  }
  bool stop_possible() const noexcept {
    // Reads the sources first: the last source may request the stop and then be destroyed. Pairs with remove_source().
    return sources_.load(std::memory_order_acquire) != 0 || stop_requested();
  }

  /// Requests a stop, and runs the callbacks on this thread. Returns false if a stop was requested before.
  bool request_stop() noexcept {
    Lock lock(mutex_);
    if (requested_.load(std::memory_order_relaxed)) {  // no pair: written under mutex_ only
      return false;
    }
    requested_.store(true, std::memory_order_release);  // pairs with stop_requested()
    requester_ = this_thread();
    while (!nodes_.empty()) {
      StopNode& node = nodes_.pop_front();
      running_ = &node;
      lock.unlock();
      node.run(node);
      lock.lock();
      if (running_ == &node) {
        running_ = nullptr;
        over_.notify_all();
      }
    }
    return true;
  }

  /// Adds the node to the list. Returns false, and does not add it, if a stop has been requested.
  bool attach(StopNode& node) noexcept {
    const Lock lock(mutex_);
    if (requested_.load(std::memory_order_relaxed)) {  // no pair: written under mutex_ only
      return false;
    }
    nodes_.push_front(node);
    return true;
  }

  /// Once this has returned, the node is not touched again.
  /// Blocks: while another thread runs this very callback.
  void detach(StopNode& node) noexcept {
    const Lock lock(mutex_);
    if (nodes_.holds(node)) {
      nodes_.remove(node);
    } else if (running_ == &node && requester_ == this_thread()) {
      running_ = nullptr;  // the callback destroys itself
    } else {
      over_.wait(mutex_, [&]() TOTO_REQUIRES(mutex_) { return running_ != &node; });
    }
  }

 private:
  struct Tag;

  // Every thread has its own; the address is only ever compared for equality.
  static const void* this_thread() noexcept { return &Runtime::template Local<char, Tag>::get(); }

  typename Runtime::template Atomic<std::size_t> sources_{0};
  typename Runtime::template Atomic<bool> requested_{false};
  typename Runtime::Mutex mutex_;
  LinkedList<StopNode> nodes_ TOTO_GUARDED_BY(mutex_);
  StopNode* running_ TOTO_GUARDED_BY(mutex_) = nullptr;
  WaitList<Runtime> over_ TOTO_GUARDED_BY(mutex_);  // those who destroy the node that runs
  const void* requester_ TOTO_GUARDED_BY(mutex_) = nullptr;
};

template <class Runtime, class Callback>
class BasicStopCallback;

/// Shows whether a stop was requested. Default-constructed: never.
/// Thread safety: One thread at a time. Different tokens of one state may be used by different threads.
template <class Runtime>
class BasicStopToken {
 public:
  BasicStopToken() noexcept = default;

  [[nodiscard]] bool stop_requested() const noexcept { return state_ && state_->stop_requested(); }
  /// Returns true if a stop was requested, or a source that may request one still exists.
  [[nodiscard]] bool stop_possible() const noexcept { return state_ && state_->stop_possible(); }

  [[nodiscard]] friend bool operator==(const BasicStopToken&, const BasicStopToken&) noexcept = default;

 private:
  template <class>
  friend class BasicStopSource;
  template <class, class>
  friend class BasicStopCallback;

  explicit BasicStopToken(Ref<StopState<Runtime>> state) noexcept : state_(std::move(state)) {}

  Ref<StopState<Runtime>> state_;
};

/// Requests a stop.
/// Thread safety: One thread at a time. Different sources of one state may be used by different threads.
template <class Runtime>
class BasicStopSource {
 public:
  /// Throws: std::bad_alloc.
  BasicStopSource() : state_(Ref<StopState<Runtime>>::adopt(new StopState<Runtime>)) { state_->add_source(); }
  BasicStopSource(const BasicStopSource& other) noexcept : state_(other.state_) {
    if (state_) {
      state_->add_source();
    }
  }
  BasicStopSource(BasicStopSource&& other) noexcept = default;
  BasicStopSource& operator=(BasicStopSource other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~BasicStopSource() {
    if (state_) {
      state_->remove_source();
    }
  }

  /// If this is the first request, runs the callbacks on this thread. Returns whether it was the first.
  /// Lifetime: a callback may destroy this source.
  bool request_stop() noexcept {
    const Ref<StopState<Runtime>> kept = state_;
    return kept && kept->request_stop();
  }

  [[nodiscard]] bool stop_requested() const noexcept { return state_ && state_->stop_requested(); }
  [[nodiscard]] bool stop_possible() const noexcept { return static_cast<bool>(state_); }
  [[nodiscard]] BasicStopToken<Runtime> get_token() const noexcept { return BasicStopToken<Runtime>(state_); }

  [[nodiscard]] friend bool operator==(const BasicStopSource&, const BasicStopSource&) noexcept = default;

 private:
  Ref<StopState<Runtime>> state_;
};

/// Calls `callback` when a stop is requested, on the thread that requests it; at once if that has happened already.
///
/// Blocks: the destructor, while another thread runs this very callback.
template <class Runtime, class Callback>
class BasicStopCallback : private StopNode {
 public:
  using callback_type = Callback;

  /// Throws: what constructing the callback throws.
  template <class Init>
    requires std::is_constructible_v<Callback, Init>
  explicit BasicStopCallback(BasicStopToken<Runtime> token,
                             Init&& callback) noexcept(std::is_nothrow_constructible_v<Callback, Init>)
      : StopNode(&run_callback), callback_(std::forward<Init>(callback)), state_(std::move(token.state_)) {
    if (state_ && !state_->attach(*this)) {
      run_callback(*this);
    }
  }
  ~BasicStopCallback() {
    if (state_) {
      state_->detach(*this);
    }
  }
  BasicStopCallback(const BasicStopCallback&) = delete;
  BasicStopCallback& operator=(const BasicStopCallback&) = delete;

 private:
  static void run_callback(StopNode& node) noexcept {
    std::forward<Callback>(static_cast<BasicStopCallback&>(node).callback_)();
  }

  Callback callback_;
  Ref<StopState<Runtime>> state_;
};

template <class Runtime, class Callback>
BasicStopCallback(BasicStopToken<Runtime>, Callback) -> BasicStopCallback<Runtime, Callback>;

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_STOP_TOKEN_HPP
