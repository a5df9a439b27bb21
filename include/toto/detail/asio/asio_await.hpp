// SPDX-License-Identifier: MIT
//
// AsioAwait: runs a Task to its end on the executor of a handler of Asio's, which is called then. Read next:
// ../../asio.hpp, ../executor/roots.hpp.

#ifndef TOTO_DETAIL_ASIO_ASIO_AWAIT_HPP
#define TOTO_DETAIL_ASIO_ASIO_AWAIT_HPP

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"
#include "../../executor.hpp"
#include "../../task.hpp"
#include "../executor/posts.hpp"
#include "../executor/roots.hpp"
#include "../ground/ref.hpp"
#include "../task/started_task.hpp"
#include "asio_waits.hpp"

namespace toto::inline v0_1 {
namespace detail {
inline namespace TOTO_DETAIL_ASIO {

/// Calls the handler with what `take()` returns or throws.
template <class T, class Handler, class Take>
void call_handler(Handler&& handler, Take take) {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<T>) {
    try {
      take();
    } catch (...) {
      failure = std::current_exception();
    }
    std::forward<Handler>(handler)(std::move(failure));
  } else {
    std::optional<T> result;
    try {
      result.emplace(take());
    } catch (...) {
      failure = std::current_exception();
      result.emplace();
    }
    std::forward<Handler>(handler)(std::move(failure), std::move(*result));
  }
}

/// The coroutine's home is the handler's executor. Owned by the list of its context until the handler is called, by the
/// coroutine, and by the handler's cancellation slot.
template <class T, class Runtime, class Handler>
class AsioAwait final : public AsioWait<Runtime> {
 public:
  /// Throws: std::bad_alloc, what moving the handler throws; nothing runs then.
  static void start(Task<T>&& task, Handler&& handler) {
    const auto wait = Ref<AsioAwait>::adopt(new AsioAwait(std::move(handler)));
    auto* const root = new Root(*wait, std::move(task));
    try {
      if (auto slot = net::get_associated_cancellation_slot(*wait->handler_); slot.is_connected()) {
        slot.template emplace<Canceller>(wait);
      }
    } catch (...) {
      root->drop();
      throw;
    }
    if (wait->waits_->add(*wait)) {
      wait->home_->roots()->spawn(*root);
    } else {
      root->drop();
      wait->abandon();
    }
  }

  void post() noexcept override {
    const std::optional<Work> work = std::exchange(work_, std::nullopt);  // from its posting on, the executor has this
    net::post(work->get_executor(), AsioCompletion<AsioAwait>(Ref<AsioAwait>::share(this)));
  }
  /// On the handler's executor.
  static void complete(Ref<AsioAwait> wait) {
    Handler handler = std::move(*wait->handler_);
    wait->handler_.reset();
    Task<T> ended = std::move(wait->ended_);
    wait = {};
    detail::call_handler<T>(std::move(handler), [&]() -> ResultOf<T> {
      if (!ended.valid()) {
        throw TaskCancelled("toto: the coroutine was cancelled through its slot");
      }
      return TaskAccess::take(ended);
    });
  }
  void abandon() noexcept override {
    home_->roots()->end(*scope_);
    work_.reset();
    [[maybe_unused]] const auto handler = std::exchange(handler_, std::nullopt);  // may own what owns this
  }

 private:
  using Executor = typename net::associated_executor<Handler, net::system_executor>::type;
  using Work = net::executor_work_guard<Executor>;

  /// The handler's executor, as coroutines know executors.
  struct Place {
    Executor executor;
    AsioAwait& wait;

    void post(BasicResumption<Runtime> resumption) noexcept {
      Passage passage(std::move(resumption));
      const auto waits = wait.waits_;  // in this, the last owner of `wait` may go
      static_cast<void>(waits->visit(wait, [&] { net::post(executor, std::move(passage)); }));
    }
  };
  /// A resumption that is not lost with its context: the coroutine was forsaken before, and is destroyed rather than
  /// resumed.
  class Passage {
   public:
    explicit Passage(BasicResumption<Runtime> resumption) noexcept : resumption_(std::move(resumption)) {}
    Passage(Passage&& other) noexcept : resumption_(std::exchange(other.resumption_, std::nullopt)) {}
    Passage& operator=(Passage&&) = delete;
    ~Passage() { (*this)(); }
    void operator()() noexcept {
      if (const auto resumption = std::exchange(resumption_, std::nullopt)) {
        (*resumption)();
      }
    }

   private:
    std::optional<BasicResumption<Runtime>> resumption_;
  };
  struct Scope final : RootScope<Runtime> {
    void emptied() noexcept override {}
  };

  class Root final : public StartedTask<T, Runtime> {
   public:
    Root(AsioAwait& wait, Task<T> started)
        : StartedTask<T, Runtime>(*wait.home_, std::move(started), Ref<RootScope<Runtime>>(wait.scope_)),
          wait_(Ref<AsioAwait>::share(&wait)) {}

   private:
    /// On the handler's executor.
    void collect(Turn) noexcept override {
      const auto wait = wait_;
      wait->ended_ = std::move(this->task);
      this->forget();
      wait->finish();
    }

    const Ref<AsioAwait> wait_;
  };

  /// In the handler's cancellation slot, which is used where the handler runs.
  class Canceller {
   public:
    explicit Canceller(Ref<AsioAwait> wait) noexcept : wait_(std::move(wait)) {}
    void operator()(net::cancellation_type_t type) const {
      const Ref<AsioAwait> wait = wait_;  // what is destroyed may own this
      constexpr auto kRunning = net::cancellation_type_t::terminal | net::cancellation_type_t::partial;
      if ((type & kRunning) != net::cancellation_type_t::none && !wait->finished_) {
        wait->home_->roots()->end(*wait->scope_);
        wait->finish();
      }
    }

   private:
    Ref<AsioAwait> wait_;
  };

  explicit AsioAwait(Handler&& handler)
      : work_(net::associated_executor<Handler, net::system_executor>::get(handler)),
        waits_(detail::waits_of<Runtime>(work_->get_executor())),
        place_{work_->get_executor(), *this},
        home_(Ref<UserExecutorCore<Runtime, Place>>::adopt(new UserExecutorCore<Runtime, Place>(place_))),
        scope_(Ref<Scope>::adopt(new Scope)),
        handler_(std::move(handler)) {}
  /// Blocks: while another thread posts the coroutine, which takes the place from here.
  ~AsioAwait() override {
    Posts<Runtime>::instance().wait_until((Runtime::Clock::time_point::max)(), [this](const Notice<Runtime>& notice) {
      // Not this thread: in what it posts, nothing touches this any more.
      return notice.thread != &ThreadContext<Runtime>::current() && notice.executor == std::addressof(place_);
    });
  }

  /// On the handler's executor.
  void finish() noexcept {
    if (!std::exchange(finished_, true)) {
      waits_->finish(*this);
    }
  }

  std::optional<Work> work_;
  const Ref<AsioWaits<Runtime>> waits_;
  Place place_;
  const Ref<UserExecutorCore<Runtime, Place>> home_;
  const Ref<Scope> scope_;
  std::optional<Handler> handler_;
  Task<T> ended_;  // empty: it was cancelled
  bool finished_ = false;
};

}  // namespace TOTO_DETAIL_ASIO
}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_DETAIL_ASIO_ASIO_AWAIT_HPP
