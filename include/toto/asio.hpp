// SPDX-License-Identifier: MIT
//
// async_get: awaits a task as Asio's own operations are awaited, with any completion token. Opt-in: tasks.hpp does not
// include it. Needs Asio 1.19 or newer; with TOTO_BOOST_ASIO defined, Boost.Asio (Boost 1.77 or newer).

#ifndef TOTO_ASIO_HPP
#define TOTO_ASIO_HPP

#ifdef TOTO_BOOST_ASIO
#if !__has_include(<boost/asio/version.hpp>)
#error "toto/asio.hpp: TOTO_BOOST_ASIO is defined, but Boost.Asio was not found; without the macro, Asio is used"
#endif
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
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#else
#if !__has_include(<asio/version.hpp>)
#error "toto/asio.hpp: Asio was not found; to use Boost.Asio, define TOTO_BOOST_ASIO wherever this header is included"
#endif
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
#include <asio/strand.hpp>
#include <asio/system_executor.hpp>
#endif

#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "detail/gather/child.hpp"
#include "detail/ground/linked_list.hpp"
#include "detail/ground/lock.hpp"
#include "detail/ground/ref.hpp"
#include "detail/ground/temporaries.hpp"
#include "detail/ground/wait_list.hpp"
#include "detail/task/result_state.hpp"
#include "detail/task/supervisor.hpp"
#include "detail/task/task_state.hpp"
#include "task_handle.hpp"

// Each has its own namespace, so that two files of one program may use different ones.
#ifdef TOTO_BOOST_ASIO
#define TOTO_DETAIL_ASIO boost_asio
namespace toto::inline v0_1::detail::inline boost_asio {
namespace net = boost::asio;
inline constexpr std::string_view kOtherAsio = "asio::";
}  // namespace toto::inline v0_1::detail::inline boost_asio
#define TOTO_DETAIL_OTHER_ASIO                                                                                  \
  "toto: this token is Asio's, but with TOTO_BOOST_ASIO async_get is for Boost.Asio: pass one of boost::asio, " \
  "or do not define the macro"
#else
#define TOTO_DETAIL_ASIO standalone_asio
namespace toto::inline v0_1::detail::inline standalone_asio {
namespace net = asio;
inline constexpr std::string_view kOtherAsio = "boost::asio::";
}  // namespace toto::inline v0_1::detail::inline standalone_asio
#define TOTO_DETAIL_OTHER_ASIO                                                                                \
  "toto: this token is Boost.Asio's, but async_get is for Asio: define TOTO_BOOST_ASIO before toto/asio.hpp " \
  "is included"
#endif

namespace toto::inline v0_1 {
namespace detail {
inline namespace TOTO_DETAIL_ASIO {

/// A wait for a task, as an Asio operation. Owned by the list of its context, by the task until it has ended, and by
/// the handler's cancellation slot.
template <class Runtime>
class AsioWait : public RefCounted<Runtime> {
 public:
  // For the list of AsioWaits, guarded by its mutex.
  AsioWait* next = nullptr;
  AsioWait* previous = nullptr;

  /// The task has ended: hands the wait to the handler's executor, which becomes one more owner.
  virtual void post() noexcept = 0;
  /// Destroys the handler without calling it, and drops the task.
  virtual void abandon() noexcept = 0;
};

/// The waits whose handlers run in one execution context, and end with it. This object may outlive the context.
///
/// Invariant: as long as a wait is listed, or being posted, its context exists. Executors and handlers, which are the
/// user's, are called without the mutex.
/// Thread safety: Thread-safe.
template <class Runtime>
class AsioWaits : public RefCounted<Runtime> {
 public:
  using Wait = AsioWait<Runtime>;

  /// Becomes an owner of the wait; returns false, and does not, if the context is being destroyed.
  bool add(Wait& wait) noexcept {
    const Lock lock(mutex_);
    if (ended_) {
      return false;
    }
    wait.retain();
    waits_.push_back(wait);
    return true;
  }
  /// Posts the wait, unless the context is being destroyed. The caller owns the wait, too.
  void finish(Wait& wait) noexcept {
    Lock lock(mutex_);
    if (ended_) {
      return;
    }
    waits_.remove(wait);
    ++posting_;
    lock.unlock();
    wait.post();
    wait.release();
    lock.lock();
    if (--posting_ == 0) {
      none_posting_.notify_all();
    }
  }
  /// The context is being destroyed.
  /// Blocks: until no thread is posting to it.
  void end() noexcept {
    Lock lock(mutex_);
    ended_ = true;
    while (!waits_.empty()) {
      Wait& wait = waits_.pop_front();
      lock.unlock();
      wait.abandon();
      wait.release();
      lock.lock();
    }
    none_posting_.wait(mutex_, [&]() TOTO_REQUIRES(mutex_) { return posting_ == 0; });
  }

 private:
  typename Runtime::Mutex mutex_;
  LinkedList<Wait> waits_ TOTO_GUARDED_BY(mutex_);
  std::size_t posting_ TOTO_GUARDED_BY(mutex_) = 0;
  WaitList<Runtime> none_posting_ TOTO_GUARDED_BY(mutex_);
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
};

/// How an execution context reports that it is being destroyed.
template <class Runtime>
class AsioContext final : public net::execution_context::service {
 public:
  static inline net::execution_context::id id;

  explicit AsioContext(net::execution_context& context)
      : net::execution_context::service(context), waits_(Ref<AsioWaits<Runtime>>::adopt(new AsioWaits<Runtime>)) {
    // Services are destroyed in reverse order of construction. The service of strands must outlive this one, which
    // posts to strands.
    static_cast<void>(net::strand<JustContext>(JustContext{&context}));
  }
  ~AsioContext() override {
    waits_->end();  // shutdown() is not called if this was made while the context was being destroyed
  }

  const Ref<AsioWaits<Runtime>>& waits() const noexcept { return waits_; }

 private:
  /// An executor with just what a strand of it needs.
  struct JustContext {
    net::execution_context* context;

    net::execution_context& query(net::execution::context_t) const noexcept { return *context; }
    template <class Function>
    void execute(Function&&) const {}
    friend bool operator==(const JustContext&, const JustContext&) noexcept = default;
  };

  void shutdown() override { waits_->end(); }

  Ref<AsioWaits<Runtime>> waits_;
};

/// What async_get() keeps until the handler is called.
template <class T, class Runtime, class Handler>
class AsioGet final : public AsioWait<Runtime>, public Observer<Runtime> {
 public:
  /// Throws: std::bad_alloc; whatever moving the handler throws. In either case nothing is awaited.
  static void start(TaskHandle<T, Runtime>& handle, Handler&& handler) {
    const auto wait = Ref<AsioGet>::adopt(new AsioGet(std::move(handler)));
    if (auto slot = net::get_associated_cancellation_slot(*wait->handler_); slot.is_connected()) {
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
  void forgotten() noexcept override { this->release(); }

  void post() noexcept override {
    const std::optional<Work> work = std::exchange(work_, std::nullopt);  // once it is posted, the executor has this
    net::post(work->get_executor(), Completion(Ref<AsioGet>::share(this)));
  }
  void abandon() noexcept override {
    if (state_ != nullptr) {
      std::exchange(state_, nullptr)->drop();
    }
    work_.reset();
    [[maybe_unused]] const auto handler = std::exchange(handler_, std::nullopt);  // may own what owns this
  }

 private:
  using Executor = typename net::associated_executor<Handler, net::system_executor>::type;
  using Work = net::executor_work_guard<Executor>;

  /// Called on the handler's executor. If it is destroyed instead, with the executor's context, it destroys the
  /// handler.
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

  /// In the handler's cancellation slot.
  class Canceller {
   public:
    explicit Canceller(Ref<AsioGet> wait) noexcept : wait_(std::move(wait)) {}
    void operator()(net::cancellation_type_t type) const noexcept {
      const Ref<AsioGet> wait = wait_;  // a stop callback may destroy this
      constexpr auto kRunning = net::cancellation_type_t::terminal | net::cancellation_type_t::partial;
      if (wait->state_ == nullptr || type == net::cancellation_type_t::none) {
        return;
      }
      if ((type & kRunning) != net::cancellation_type_t::none) {
        wait->state_->cancel();
      } else {
        wait->state_->cancel_queued();
      }
    }

   private:
    Ref<AsioGet> wait_;
  };

  explicit AsioGet(Handler&& handler)
      : work_(net::associated_executor<Handler, net::system_executor>::get(handler)),
        waits_(waits_of(work_->get_executor())),
        handler_(std::move(handler)) {}
  ~AsioGet() override { AsioGet::abandon(); }

  static Ref<AsioWaits<Runtime>> waits_of(const Executor& executor) {
    if constexpr (net::can_query<Executor, net::execution::context_t>::value) {
      return waits_in(net::query(executor, net::execution::context));
    } else if constexpr (requires { executor.context(); }) {
      return waits_in(executor.context());  // as of io_context::strand
    } else {
      return waits_in(net::query(net::system_executor(), net::execution::context));  // as use_future has it
    }
  }
  static Ref<AsioWaits<Runtime>> waits_in(net::execution_context& context) {
    return net::use_service<AsioContext<Runtime>>(context).waits();
  }

  static void complete(Ref<AsioGet> wait) {
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

  std::optional<Work> work_;
  Ref<AsioWaits<Runtime>> waits_;
  std::optional<Handler> handler_;
  /// Null: no one waits for the task any more. A canceller may use the task on another thread while the handler is
  /// called.
  TaskState<T, Runtime>* state_ = nullptr;
};

/// The completion signature of async_get().
template <class T>
struct AsioSignature {
  static_assert(
      std::is_default_constructible_v<T>,
      "toto: async_get passes a default-constructed result along with an exception, as Asio does: let the task "
      "return a std::optional or a pointer");
  using Type = void(std::exception_ptr, T);
};
template <>
struct AsioSignature<void> {
  using Type = void(std::exception_ptr);
};

/// Starts the wait when Asio says so. Its executor is for handlers without an executor, and for adapters that need one,
/// such as cancel_after() for its timer.
struct AsioInitiation {
  using executor_type = net::system_executor;
  static executor_type get_executor() noexcept { return {}; }

  template <class Handler, class T, class Runtime>
  void operator()(Handler handler, TaskHandle<T, Runtime> handle) const {
    AsioGet<T, Runtime, Handler>::start(handle, std::move(handler));
  }
};

template <class T, class Runtime, class Token>
auto start_asio_get(TaskHandle<T, Runtime>& handle, Token&& token) {
  constexpr bool kForeign = detail::type_name<std::remove_cvref_t<Token>>().starts_with(kOtherAsio);
  static_assert(!kForeign, TOTO_DETAIL_OTHER_ASIO);
  if constexpr (!kForeign) {
    if (!handle.valid()) {
      throw_no_task();
    }
    return net::async_initiate<Token, typename AsioSignature<T>::Type>(AsioInitiation(), token, std::move(handle));
  }
}

}  // namespace TOTO_DETAIL_ASIO
}  // namespace detail

inline namespace TOTO_DETAIL_ASIO {

/// Awaits a task as Asio's own operations are awaited: `co_await toto::async_get(handle, asio::use_awaitable)`. The
/// completion signature is void(std::exception_ptr, T), or void(std::exception_ptr) if T is void. The exception is what
/// TaskHandle::get() would throw; in that case T is default-constructed. Takes the task out of the handle at once.
///
/// The handler is called on its associated executor (without one, on Asio's system_executor), never within this call.
/// Until then that executor has outstanding work, so an io_context keeps running. If the executor's execution context
/// is destroyed first, so is the handler, and the task runs as if the handle had been dropped. The handler's
/// cancellation slot cancels the task as TaskHandle::cancel() does; with cancellation_type::total alone, only if the
/// task has not begun. The handler is still called, with the outcome of the task. So with Asio's cancel_after() the
/// wait ends when the task has ended: a running task has to check its StopToken. The handler's associated allocator is
/// not used: the task's end is posted, and memory released, on other threads.
/// Throws: NoState, at once, if there is no task; std::bad_alloc, where Asio starts its operations; the task then still
/// runs. What T's default constructor throws leaves the executor, and the handler is not called. If memory runs out
/// when the handler is posted, the process ends (std::terminate), since there is no one to report the failure to.
/// Thread safety: Thread-safe, except with other uses of the handle and of the cancellation slot. As always with Asio,
/// the slot must not be used while the context is being destroyed.
template <class Handle, class Token>
  requires(detail::IsHandle<std::remove_cvref_t<Handle>>::value)
auto async_get(Handle&& handle, Token&& token) {
  constexpr bool kTemporary = detail::is_unstored<Handle>();
  using Result = decltype(detail::start_asio_get(handle, std::forward<Token>(token)));
  static_assert(!kTemporary || std::is_void_v<Result>, TOTO_STORE_THE_HANDLE_FIRST);
  return detail::start_asio_get(handle, std::forward<Token>(token));
}

}  // namespace TOTO_DETAIL_ASIO
}  // namespace toto::inline v0_1

#undef TOTO_DETAIL_ASIO
#undef TOTO_DETAIL_OTHER_ASIO

#endif  // TOTO_ASIO_HPP
