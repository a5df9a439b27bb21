// SPDX-License-Identifier: MIT
//
// async_get: awaits a task like one of Asio's own operations, with any completion token. Opt-in: tasks.hpp does not
// include it. Needs Asio 1.19 or newer; with TOTO_BOOST_ASIO defined, Boost.Asio (Boost 1.77 or newer). Read next:
// asio_executor.hpp, detail/asio/asio_waits.hpp.

#ifndef TOTO_ASIO_HPP
#define TOTO_ASIO_HPP

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "asio_executor.hpp"
#include "detail/asio/asio_await.hpp"
#include "detail/asio/asio_waits.hpp"
#include "detail/gather/child.hpp"
#include "detail/ground/ref.hpp"
#include "detail/ground/temporaries.hpp"
#include "detail/ground/text.hpp"
#include "detail/task/result_state.hpp"
#include "detail/task/supervisor.hpp"
#include "detail/task/task_state.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {
namespace detail {
inline namespace TOTO_DETAIL_ASIO {

/// What async_get() keeps until the handler is called.
template <class T, class Runtime, class Handler>
class AsioGet final : public AsioWait<Runtime>, public EndObserver<Runtime> {
 public:
  /// Throws: std::bad_alloc; whatever moving the handler throws. In either case nothing is awaited.
  static void start(TaskHandle<T, Runtime>& handle, Handler&& handler) {
    const auto wait = Ref<AsioGet>::adopt(new AsioGet(std::move(handler)));
    if (auto slot = net::get_associated_cancellation_slot(*wait->handler_); slot.is_connected()) {
      slot.template emplace<Canceller>(wait);
    }
    wait->state_ = Access::take(handle);
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
    const std::optional<Work> work = std::exchange(work_, std::nullopt);  // from its posting on, the executor has this
    net::post(work->get_executor(), AsioCompletion<AsioGet>(Ref<AsioGet>::share(this)));
  }
  /// On the handler's executor.
  static void complete(Ref<AsioGet> wait) {
    Handler handler = std::move(*wait->handler_);
    wait->handler_.reset();
    detail::call_handler<T>(std::move(handler), [&]() -> T {
      const auto kept = std::move(wait);
      return kept->state_->take_resumed();
    });
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
        waits_(detail::waits_of<Runtime>(work_->get_executor())),
        handler_(std::move(handler)) {}
  ~AsioGet() override { AsioGet::abandon(); }

  std::optional<Work> work_;
  Ref<AsioWaits<Runtime>> waits_;
  std::optional<Handler> handler_;
  /// Null: no one waits for the task any more. A canceller may use the task on another thread while the handler is
  /// called.
  ResultState<T, Runtime>* state_ = nullptr;
};

/// The completion signature of async_get().
template <class T>
struct AsioSignature {
  static_assert(
      std::is_default_constructible_v<T>,
      "toto: async_get passes a default-constructed result along with an exception, as Asio does: have the task "
      "return a std::optional or a pointer");
  using Type = void(std::exception_ptr, T);
};
template <>
struct AsioSignature<void> {
  using Type = void(std::exception_ptr);
};

/// Starts the wait when Asio asks for it. Its executor is for handlers without an executor, and for adapters that need
/// one, such as cancel_after() for its timer.
struct AsioInitiation {
  using executor_type = net::system_executor;
  static executor_type get_executor() noexcept { return {}; }

  template <class Handler, class T, class Runtime>
  void operator()(Handler handler, TaskHandle<T, Runtime> handle) const {
    AsioGet<T, Runtime, Handler>::start(handle, std::move(handler));
  }
  template <class Handler, class T, class Runtime>
  void operator()(Handler handler, Task<T> task, std::type_identity<Runtime>) const {
    AsioAwait<T, Runtime, Handler>::start(std::move(task), std::move(handler));
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

template <class Runtime, class T, class Token>
auto start_asio_await(Task<T> task, Token&& token) {
  constexpr bool kForeign = detail::type_name<std::remove_cvref_t<Token>>().starts_with(kOtherAsio);
  static_assert(!kForeign, TOTO_DETAIL_OTHER_ASIO);
  if constexpr (!kForeign) {
    if (!task.valid()) {
      throw NoState("toto: this Task is empty: it was default-constructed or moved from");
    }
    return net::async_initiate<Token, typename AsioSignature<T>::Type>(AsioInitiation(), token, std::move(task),
                                                                       std::type_identity<Runtime>());
  }
}

}  // namespace TOTO_DETAIL_ASIO
}  // namespace detail

inline namespace TOTO_DETAIL_ASIO {

/// Awaits a task like one of Asio's own operations: `co_await toto::async_get(handle, asio::use_awaitable)`. The
/// completion signature is void(std::exception_ptr, T), or void(std::exception_ptr) if T is void. The exception is what
/// TaskHandle::get() would throw; in that case T is default-constructed. Takes the task out of the handle at once.
///
/// The handler is called on its associated executor (without one, on Asio's system_executor), never within this call.
/// Until then that executor has outstanding work, so an io_context keeps running. If the executor's execution context
/// is destroyed first, so is the handler, and the task runs as if the handle had been dropped. The handler's
/// cancellation slot cancels the task as TaskHandle::cancel() does; with cancellation_type::total alone, only if the
/// task has not begun. The handler is still called, with the outcome of the task. So with Asio's cancel_after(), the
/// wait ends when the task ends: a running task must check its StopToken. The handler's associated allocator is not
/// used, because other threads post the task's completion and release memory.
/// Throws: NoState, at once, if there is no task; std::bad_alloc, where Asio starts its operations; the task then still
/// runs. If T's default constructor throws, the exception propagates out of the executor, and the handler is not
/// called. If memory runs out when the handler is posted, the process ends (std::terminate), since there is no one to
/// report the failure to.
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

/// The same for anything else that can be awaited: a Task, sleep_for(), a lease(), what when_all() returns, an
/// awaitable of another library. It is moved or emptied. It is awaited on the handler's executor: a coroutine begins
/// there, never within this call, and comes back there after each wait.
///
/// If the execution context is destroyed first, so are the handler and the coroutine, as at the end of a TaskScope. The
/// cancellation slot, which must be used where the handler runs, also destroys the coroutine, for
/// cancellation_type::terminal and partial; the handler is then called with TaskCancelled.
/// Throws: NoState, at once, for an empty Task; std::bad_alloc.
template <class Runtime = StdRuntime, class Awaitable, class Token>
  requires(!detail::IsHandle<std::remove_cvref_t<Awaitable>>::value && detail::Gatherable<Awaitable>)
auto async_get(Awaitable&& awaitable, Token&& token) {
  static_assert(!detail::is_unstored<Awaitable>(), TOTO_STORE_THE_HANDLE_FIRST);
  return detail::start_asio_await<Runtime>(Task(detail::give(awaitable)), std::forward<Token>(token));
}

}  // namespace TOTO_DETAIL_ASIO
}  // namespace toto::inline v0_1

#endif  // TOTO_ASIO_HPP
