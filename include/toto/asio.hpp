// SPDX-License-Identifier: MIT
//
// async_get: waits for a task as Asio's own operations are waited for, with any completion token. Opt-in: tasks.hpp does
// not include it. Needs Asio 1.19 or newer; with TOTO_BOOST_ASIO defined, Boost.Asio (Boost 1.77 or newer).

#ifndef TOTO_ASIO_HPP
#define TOTO_ASIO_HPP

#ifdef TOTO_BOOST_ASIO
#include <boost/asio/version.hpp>
#if BOOST_ASIO_VERSION < 101900
#error "toto/asio.hpp needs Boost 1.77 or newer"
#endif
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#else
#include <asio/version.hpp>
#if ASIO_VERSION < 101900
#error "toto/asio.hpp needs Asio 1.19 or newer"
#endif
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#endif

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "detail/lock.hpp"
#include "detail/ref.hpp"
#include "detail/task_state.hpp"
#include "detail/temporaries.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {
namespace detail {

// A namespace for each, so that two files of a program may use one each.
#ifdef TOTO_BOOST_ASIO
inline namespace boost_asio {
namespace net = boost::asio;
#else
inline namespace standalone_asio {
namespace net = asio;
#endif

/// Somebody waits for a task in Asio's way. Owned by the list of its context, by the task until it is over, and by the
/// handler's cancellation slot.
template <class Runtime>
class AsioWait : public RefCounted<Runtime> {
 public:
  // For the list of AsioWaits, guarded by its mutex.
  AsioWait* next = nullptr;
  AsioWait* previous = nullptr;

  /// The task is over: hands the wait to the executor of the handler, as one more owner. Runs no user code.
  virtual void post() noexcept = 0;
  /// Destroys the handler without calling it.
  virtual void abandon() noexcept = 0;
};

/// The waits whose handlers run in one execution context. Outlives the context, with which they end.
///
/// Invariant: as long as a wait is listed, its context exists; it is posted there under the mutex.
/// Thread safety: Thread-safe.
template <class Runtime>
class AsioWaits : public RefCounted<Runtime> {
 public:
  using Wait = AsioWait<Runtime>;

  /// Becomes an owner. False, and does not: the context is being destroyed.
  bool add(Wait& wait) noexcept {
    const Lock lock(mutex_);
    if (ended_) {
      return false;
    }
    wait.retain();
    wait.next = first_;
    if (first_ != nullptr) {
      first_->previous = &wait;
    }
    first_ = &wait;
    return true;
  }
  /// Posts it, unless the context has been destroyed. The caller owns it, too.
  void finish(Wait& wait) noexcept {
    const Lock lock(mutex_);
    if (!ended_) {
      remove(wait);
      wait.post();
      wait.release();
    }
  }
  /// The context is being destroyed.
  void end() noexcept {
    Lock lock(mutex_);
    ended_ = true;
    while (first_ != nullptr) {
      Wait& wait = *first_;
      remove(wait);
      lock.unlock();
      wait.abandon();
      wait.release();
      lock.lock();
    }
  }

 private:
  void remove(Wait& wait) noexcept TOTO_REQUIRES(mutex_) {
    (wait.previous != nullptr ? wait.previous->next : first_) = wait.next;
    if (wait.next != nullptr) {
      wait.next->previous = wait.previous;
    }
  }

  typename Runtime::Mutex mutex_;
  Wait* first_ TOTO_GUARDED_BY(mutex_) = nullptr;
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
};

/// How an execution context says that it is being destroyed.
template <class Runtime>
class AsioContext final : public net::execution_context::service {
 public:
  static inline net::execution_context::id id;

  explicit AsioContext(net::execution_context& context)
      : net::execution_context::service(context), waits_(Ref<AsioWaits<Runtime>>::adopt(new AsioWaits<Runtime>)) {}

  const Ref<AsioWaits<Runtime>>& waits() const noexcept { return waits_; }

 private:
  void shutdown() override { waits_->end(); }

  Ref<AsioWaits<Runtime>> waits_;
};

/// What async_get() keeps until the handler is called.
template <class T, class Runtime, class Handler>
class AsioGet final : public AsioWait<Runtime>, public Observer<Runtime> {
 public:
  /// Throws: std::bad_alloc, what the handler's moving throws; the handle keeps its task then.
  static void start(TaskHandle<T, Runtime>& handle, Handler&& handler) {
    const auto wait = Ref<AsioGet>::adopt(new AsioGet(std::move(handler)));
    if (auto slot = wait->slot(); slot.is_connected()) {
      slot.template emplace<Canceller>(wait);
    }
    wait->state_ = HandleAccess::take(handle);
    if (!wait->waits_->add(*wait)) {
      wait->abandon();
      return;
    }
    wait->retain();  // for the task
    if (!wait->state_->observe(*wait)) {
      wait->completed(nullptr, wait->state_->core());
    }
  }

  void completed(Worker<Runtime>*, QueueCore<Runtime>&) noexcept override {
    waits_->finish(*this);
    this->release();
  }
  void forgotten() noexcept override {}  // the state is dropped by this alone, which the running task owns

  void post() noexcept override {
    const Work work = std::move(work_);  // from its posting on, this belongs to the executor
    net::post(work.get_executor(), Completion(Ref<AsioGet>::share(this)));
  }
  void abandon() noexcept override {
    work_.reset();
    const std::optional<Handler> handler = std::move(handler_);  // may own what owns this
    handler_.reset();
  }

 private:
  using Executor = typename net::associated_executor<Handler>::type;
  using Work = net::executor_work_guard<Executor>;

  /// Runs on the handler's executor. Destroyed instead, with the executor's context, it destroys the handler.
  class Completion {
   public:
    explicit Completion(Ref<AsioGet> wait) noexcept : wait_(std::move(wait)) {}
    Completion(Completion&&) noexcept = default;
    Completion& operator=(Completion&&) = delete;
    ~Completion() {
      if (wait_) {
        wait_->abandon();
      }
    }
    void operator()() { complete(std::move(wait_)); }

   private:
    Ref<AsioGet> wait_;
  };

  class Canceller {
   public:
    explicit Canceller(Ref<AsioGet> wait) noexcept : wait_(std::move(wait)) {}
    void operator()(net::cancellation_type_t type) const noexcept {
      constexpr auto kRunning = net::cancellation_type_t::terminal | net::cancellation_type_t::partial;
      if ((type & kRunning) != net::cancellation_type_t::none) {
        wait_->state_->cancel();
      } else if (type != net::cancellation_type_t::none) {
        wait_->state_->cancel_queued();
      }
    }

   private:
    Ref<AsioGet> wait_;
  };

  explicit AsioGet(Handler&& handler)
      : work_(net::get_associated_executor(handler)),
        waits_(waits_of(work_.get_executor())),
        handler_(std::move(handler)) {}
  ~AsioGet() override {
    if (state_ != nullptr) {
      state_->drop();
    }
  }

  static Ref<AsioWaits<Runtime>> waits_of(const Executor& executor) {
    if constexpr (net::can_query<Executor, net::execution::context_t>::value) {
      net::execution_context& context = net::query(executor, net::execution::context);
      return net::use_service<AsioContext<Runtime>>(context).waits();
    } else {
      return Ref<AsioWaits<Runtime>>::adopt(new AsioWaits<Runtime>);  // such as that of use_future: it never ends
    }
  }
  auto slot() const noexcept { return net::get_associated_cancellation_slot(*handler_); }

  static void complete(Ref<AsioGet> wait) {
    if (auto slot = wait->slot(); slot.is_connected()) {
      slot.clear();
    }
    Handler handler = std::move(*wait->handler_);
    wait->handler_.reset();
    std::exception_ptr failure;
    if constexpr (std::is_void_v<T>) {
      try {
        wait->state_->take_resumed();
      } catch (...) {
        failure = std::current_exception();
      }
      wait = {};
      std::move(handler)(std::move(failure));
    } else {
      std::optional<T> result;
      try {
        result.emplace(wait->state_->take_resumed());
      } catch (...) {
        failure = std::current_exception();
        result.emplace();
      }
      wait = {};
      std::move(handler)(std::move(failure), std::move(*result));
    }
  }

  Work work_;
  Ref<AsioWaits<Runtime>> waits_;
  std::optional<Handler> handler_;
  TaskState<T, Runtime>* state_ = nullptr;
};

/// The completion signature of async_get().
template <class T>
struct AsioSignature {
  static_assert(std::is_default_constructible_v<T>,
                "toto: async_get passes a default-constructed result along with an exception, as Asio's co_spawn does: "
                "let the task return a std::optional, a pointer, or another type that can be default-constructed");
  using Type = void(std::exception_ptr, T);
};
template <>
struct AsioSignature<void> {
  using Type = void(std::exception_ptr);
};

}  // inline namespace boost_asio or standalone_asio
}  // namespace detail

/// Waits for a task as Asio's operations are waited for: `co_await toto::async_get(std::move(handle),
/// asio::use_awaitable)`. The completion signature is void(std::exception_ptr, T), or void(std::exception_ptr) if T is
/// void. The exception is what TaskHandle::get() would throw; T is default-constructed then.
///
/// The handler is called on its associated executor, never within this call. Until then that executor has outstanding
/// work: an io_context keeps running. If its execution context is destroyed before, so is the handler, and the task
/// runs on without anybody who waits for it.
/// Its cancellation slot cancels the task as TaskHandle::cancel() does; with cancellation_type::total alone, only if
/// the task has not begun. Whether and how the task ended is told by the handler in any case.
/// Throws: NoState, at once, if the handle has no task; std::bad_alloc, where Asio starts its operations. If memory runs
/// out when the handler is to be posted, the process ends (std::terminate), since nobody could be told.
/// Thread safety: as for Asio's operations, the slot is used by one thread at a time.
template <class T, class Runtime, class Token>
auto async_get(TaskHandle<T, Runtime>&& handle, Token&& token) {
  if (!handle.valid()) {
    detail::throw_no_task();
  }
  return detail::net::async_initiate<Token, typename detail::AsioSignature<T>::Type>(
      [](auto handler, TaskHandle<T, Runtime> moved) {
        detail::AsioGet<T, Runtime, decltype(handler)>::start(moved, std::move(handler));
      },
      token, std::move(handle));
}
template <class T, class Runtime, class Token>
auto async_get(detail::UnstoredHandle<T, Runtime>&& handle, Token&& token) {
  using Result = decltype(async_get(static_cast<TaskHandle<T, Runtime>&&>(handle), std::forward<Token>(token)));
  static_assert(std::is_void_v<Result>, TOTO_STORE_THE_HANDLE_FIRST);
  return async_get(static_cast<TaskHandle<T, Runtime>&&>(handle), std::forward<Token>(token));
}
template <class T, class Runtime, class Token>
void async_get(TaskHandle<T, Runtime>& handle, Token&& token) = delete;  // say async_get(std::move(handle), ...)

}  // namespace toto::inline v0_1

#endif  // TOTO_ASIO_HPP
