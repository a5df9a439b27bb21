// SPDX-License-Identifier: MIT
//
// PooledInstance: a place in a pool, with the instance in it, if there is one now, and what is known of whoever holds
// it. Claim: who that is. InstanceFactory: where further instances come from. Read next: pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_INSTANCE_HPP
#define TOTO_DETAIL_POOL_POOL_INSTANCE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../../call_site.hpp"
#include "../executor/executor_core.hpp"
#include "../ground/seconds_text.hpp"
#include "../ground/text.hpp"
#include "../ground/this_thread.hpp"
#include "../queue/worker.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class PoolWaiter;

/// Who wants or holds an instance: how, from which source line, on which thread, since when. Trivial: it is copied
/// under the pool's mutex.
template <class Runtime>
struct Claim {
  using TimePoint = typename Runtime::Clock::time_point;
  enum class Kind : unsigned char { lease, call, transaction, coroutine, task, retirement };
  static constexpr std::size_t kShown = 32;  // bytes of a queue's name that are kept

  Kind kind = Kind::lease;
  CallSite where;
  /// The transaction in a queue that wants or holds it, if that is what does. It is there until it has given it back.
  PoolWaiter<Runtime>* transaction = nullptr;
  TimePoint since{};
  std::uint64_t thread = 0;  // its number
  std::size_t worker = 0;    // 0: not a worker
  char queue[kShown] = {};   // the worker's; or the one in which a task is to run

  /// By the calling thread, from now on.
  static Claim here(Kind kind, CallSite where) noexcept {
    Claim claim;
    claim.kind = kind;
    claim.where = where;
    claim.since = Runtime::Clock::now();
    claim.thread = detail::this_thread_number<Runtime>();
    if (const Worker<Runtime>* const worker = ThreadContext<Runtime>::current().worker) {
      claim.worker = worker->number;
      claim.name_queue(worker->core.name());
    }
    return claim;
  }

  /// By a task that is to run in that queue.
  static Claim in_queue(std::string_view name, CallSite where) noexcept {
    Claim claim;
    claim.kind = Kind::task;
    claim.where = where;
    claim.since = Runtime::Clock::now();
    claim.name_queue(name);
    return claim;
  }

  void name_queue(std::string_view name) noexcept {
    name.copy(queue, kShown - 1);  // the rest is zeros
  }

  /// "lease taken at main.cpp:12 by thread 1, 0.250 s ago"
  std::string text(TimePoint now) const {
    static constexpr const char* kWords[] = {
        "lease taken", "call", "transaction", "lease awaited", "transaction in a queue, added", "retired"};
    std::string text = kWords[static_cast<std::size_t>(kind)];
    if (where.line != 0) {
      append(text, {" at ", where.text()});
    }
    if (thread != 0) {
      append(text, {" by thread ", Digits(thread)});
    }
    if (worker != 0) {
      append(text, {", worker ", Digits(worker)});
    }
    if (queue[0] != '\0') {
      append(text, {worker != 0 ? " of queue '" : ", for queue '", queue, "'"});
    }
    detail::append(text, {", ", detail::seconds_text(now - since), " ago"});
    return text;
  }
};

/// A place for one instance. It is in exactly one of its pool's lists; whoever holds it uses `object`, alone.
template <class Runtime>
class PooledInstance {
 public:
  PooledInstance(const PooledInstance&) = delete;
  PooledInstance& operator=(const PooledInstance&) = delete;
  virtual ~PooledInstance() = default;

  /// Destroys the instance; the place is vacant then.
  virtual void clear() noexcept = 0;

  /// The instance; null: the place is vacant.
  void* object = nullptr;

  /// The holder is a call frame of the calling thread, or a lease on its stack that was taken there by a blocking call:
  /// until it is moved nobody but this thread gives the instance back.
  void bind() noexcept {
    bound_to.store(detail::this_thread_number<Runtime>(), std::memory_order_relaxed);
    ++ThisThread<Runtime>::get().bound;
  }
  void unbind() noexcept {
    if (const std::uint64_t thread = bound_to.load(std::memory_order_relaxed)) {
      bound_to.store(0, std::memory_order_relaxed);
      ThisThread<Runtime>& here = ThisThread<Runtime>::get();
      here.bound -= here.number == thread ? 1 : 0;
    }
  }

  /// The number of the thread the instance is bound to, or 0. Relaxed: whoever finds that thread in the WaitGraph sees
  /// what it wrote before it came there, or what somebody wrote since.
  typename Runtime::template Atomic<std::uint64_t> bound_to{0};

  /// How many exceptions were under way on the thread that lent it. Used by the holder; pools with on_return only.
  int exceptions = 0;

  // Guarded by the pool's mutex.
  Claim<Runtime> holder;                             // while it is leased
  typename Runtime::Clock::time_point free_since{};  // while it is free, in a pool that retires
  PooledInstance* next = nullptr;
  PooledInstance* previous = nullptr;

 protected:
  PooledInstance() = default;
};

/// `Owner` is T, T* (not owned), or a smart pointer to one.
template <class T, class Owner, class Runtime>
class OwnedInstance final : public PooledInstance<Runtime> {
 public:
  OwnedInstance() noexcept {}
  ~OwnedInstance() override {
    if (this->object != nullptr) {
      owner_.~Owner();
    }
  }

  /// Constructs the owner in place from what `make()` returns; what that points to may be null: then the place stays
  /// vacant.
  template <class Make>
  void emplace(Make&& make) {
    ::new (static_cast<void*>(std::addressof(owner_))) Owner(std::forward<Make>(make)());
    T* instance = nullptr;
    if constexpr (std::is_same_v<Owner, std::remove_cv_t<T>>) {
      instance = std::addressof(owner_);
    } else {
      instance = std::to_address(owner_);
    }
    if (instance == nullptr) {
      owner_.~Owner();
    }
    this->object = const_cast<void*>(static_cast<const volatile void*>(instance));
  }

  void clear() noexcept override {
    this->object = nullptr;
    owner_.~Owner();
  }

 private:
  union {
    Owner owner_;
  };
};

/// Makes instances on demand.
template <class Runtime>
class InstanceFactory {
 public:
  InstanceFactory() = default;
  InstanceFactory(const InstanceFactory&) = delete;
  InstanceFactory& operator=(const InstanceFactory&) = delete;
  virtual ~InstanceFactory() = default;

  /// A vacant place.
  /// Throws: std::bad_alloc.
  virtual std::unique_ptr<PooledInstance<Runtime>> new_place() = 0;
  /// Makes an instance in a vacant place. Called without any lock, by several threads at a time.
  /// Throws: what the user's factory throws; std::invalid_argument if it gives a null pointer.
  virtual void make(PooledInstance<Runtime>& place) = 0;
};

template <class T, class F, class Runtime>
class CallableFactory final : public InstanceFactory<Runtime> {
 public:
  using Owner = std::remove_cvref_t<std::invoke_result_t<F&>>;
  using Place = OwnedInstance<T, Owner, Runtime>;

  template <class Fn>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): it is never copied
  explicit CallableFactory(Fn&& factory) : factory_(std::forward<Fn>(factory)) {}

  std::unique_ptr<PooledInstance<Runtime>> new_place() override { return std::make_unique<Place>(); }
  void make(PooledInstance<Runtime>& place) override {
    static_cast<Place&>(place).emplace([this]() -> decltype(auto) { return factory_(); });
    if (place.object == nullptr) {
      throw std::invalid_argument("toto: the pool's factory gave a null pointer instead of an instance");
    }
  }

 private:
  F factory_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_INSTANCE_HPP
