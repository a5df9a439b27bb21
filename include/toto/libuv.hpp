// SPDX-License-Identifier: MIT
//
// LibuvExecutor: coroutines on libuv's event loop. Opt-in: tasks.hpp does not include it. Needs libuv 1.0 or newer.
// docs/how-to/toolkits.md has an example, and says what happens when the window, the loop or the queue ends.

#ifndef TOTO_LIBUV_HPP
#define TOTO_LIBUV_HPP

#include <uv.h>

#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "detail/ground/annotations.hpp"
#include "detail/ground/lock.hpp"
#include "executor.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

/// An executor: coroutines continue in uv_run(), on its thread, in the order posted.
///
/// Of libuv's functions, other threads may call only uv_async_send(). So this executor has a uv_async_t, which keeps
/// uv_run() from returning until the executor is closed.
/// Lifetime: must be destroyed on the loop's thread, and must outlive the queues and loops whose tasks are awaited on
/// it. Posted functions that have not run by then are dropped.
/// Thread safety: One thread at a time, except post(), which is thread-safe, except with destruction.
template <class Runtime = StdRuntime>
class BasicLibuvExecutor {
 public:
  /// Throws: std::bad_alloc; std::system_error if uv_async_init() fails.
  explicit BasicLibuvExecutor(uv_loop_t* loop) : async_(std::make_unique<uv_async_t>()) {
    if (const int status = uv_async_init(loop, async_.get(), &run_posted)) {
      throw std::system_error(-status, std::generic_category(), "toto: uv_async_init");
    }
    async_->data = this;
  }
  BasicLibuvExecutor(const BasicLibuvExecutor&) = delete;
  BasicLibuvExecutor& operator=(const BasicLibuvExecutor&) = delete;
  /// As close(). The loop must run once more before uv_loop_close(), because libuv keeps the handle until its closing
  /// callback.
  ~BasicLibuvExecutor() { close(); }

  /// Resumes a coroutine, later. After close(), drops it. If memory runs out, the process ends.
  void post(BasicResumption<Runtime> resumption) noexcept {
    const detail::Lock lock(mutex_);
    if (async_ != nullptr) {
      posted_.push_back(std::move(resumption));
      uv_async_send(async_.get());
    }
  }

  /// Lets uv_run() return as soon as the loop has nothing else to wait for. May be called again.
  void close() noexcept {
    std::vector<BasicResumption<Runtime>> dropped;  // destroyed without the mutex
    const detail::Lock lock(mutex_);
    dropped.swap(posted_);
    if (async_ != nullptr) {
      ::uv_close(reinterpret_cast<uv_handle_t*>(async_.release()),
                 [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
    }
  }

 private:
  static void run_posted(uv_async_t* async) noexcept {
    auto& self = *static_cast<BasicLibuvExecutor*>(async->data);
    std::vector<BasicResumption<Runtime>> posted;
    {
      const detail::Lock lock(self.mutex_);
      posted.swap(self.posted_);
    }
    for (const BasicResumption<Runtime>& resumption : posted) {
      resumption();  // it may end the executor
    }
  }

  typename Runtime::Mutex mutex_;
  std::unique_ptr<uv_async_t> async_ TOTO_GUARDED_BY(mutex_);  // null: closed
  std::vector<BasicResumption<Runtime>> posted_ TOTO_GUARDED_BY(mutex_);
};
using LibuvExecutor = BasicLibuvExecutor<StdRuntime>;

static_assert(UserExecutor<LibuvExecutor>);

}  // namespace toto::inline v0_1

#endif  // TOTO_LIBUV_HPP
