// SPDX-License-Identifier: MIT
//
// Folder: asio. Uses: ground executor queue task.
//
// What the headers for Asio share: which Asio it is, and the waits that end with an execution context. Read next:
// ../../asio.hpp, ../../asio_executor.hpp.

#ifndef TOTO_DETAIL_ASIO_ASIO_WAITS_HPP
#define TOTO_DETAIL_ASIO_ASIO_WAITS_HPP

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
#include <boost/asio/execution/blocking.hpp>
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
#include <asio/execution/blocking.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/strand.hpp>
#include <asio/system_executor.hpp>
#endif

#include <cstddef>
#include <string_view>
#include <utility>

#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/wait_list.hpp"

// Each Asio has its own namespace, so that two files of one program may use different ones.
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
  bool over = false;  // the context is not to be used for it any more

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
      wait.over = true;
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
    wait.over = true;
    ++posting_;
    lock.unlock();
    wait.post();
    wait.release();
    lock.lock();
    if (--posting_ == 0) {
      none_posting_.notify_all();
    }
  }
  /// Calls `post()`, which uses the context. False: the wait is over, or was abandoned.
  template <class Post>
  bool visit(const Wait& wait, Post post) {
    Lock lock(mutex_);
    if (wait.over) {
      return false;
    }
    ++posting_;
    lock.unlock();
    post();
    lock.lock();
    if (--posting_ == 0) {
      none_posting_.notify_all();
    }
    return true;
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
      lock.lock();
      wait.over = true;
      lock.unlock();
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

/// Those of the context in which a handler's executor runs.
/// Throws: std::bad_alloc.
template <class Runtime, class Executor>
Ref<AsioWaits<Runtime>> waits_of(const Executor& executor) {
  const auto in = [](net::execution_context& context) {
    return net::use_service<AsioContext<Runtime>>(context).waits();
  };
  if constexpr (net::can_query<Executor, net::execution::context_t>::value) {
    return in(net::query(executor, net::execution::context));
  } else if constexpr (requires { executor.context(); }) {
    return in(executor.context());  // as of io_context::strand
  } else {
    return in(net::query(net::system_executor(), net::execution::context));  // as use_future has it
  }
}

/// What is posted for a wait that is over. Runs on the handler's executor. Destroyed instead, with the executor's
/// context, it destroys the handler. A class within a class, so that Asio's own unqualified calls do not look into the
/// namespaces of the types that Wait is made of.
template <class Wait>
struct AsioPosted {
  class Completion {
   public:
    explicit Completion(Ref<Wait> wait) noexcept : wait_(std::move(wait)) {}
    Completion(Completion&&) noexcept = default;
    Completion& operator=(Completion&&) = delete;
    ~Completion() {
      if (wait_) {
        wait_->abandon();
      }
    }
    void operator()() { Wait::complete(std::move(wait_)); }

   private:
    Ref<Wait> wait_;
  };
};
template <class Wait>
using AsioCompletion = typename AsioPosted<Wait>::Completion;

}  // namespace TOTO_DETAIL_ASIO
}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_DETAIL_ASIO_ASIO_WAITS_HPP
