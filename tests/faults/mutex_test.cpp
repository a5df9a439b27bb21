// SPDX-License-Identifier: MIT
//
// A mutex that cannot be locked: std::mutex::lock may throw std::system_error. What throws it in the caller has changed
// nothing. The mutexes are those of the test's own runtime policy, which is otherwise StdRuntime.

#include <atomic>
#include <cerrno>
#include <memory>
#include <system_error>
#include <toto/tasks.hpp>
#include <utility>

#include "faults/injection.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

using namespace toto_tests;

namespace {

/// The next lock that this thread takes fails, once.
constinit thread_local bool next_lock_fails = false;

struct FaultyRuntime : toto::StdRuntime {
  class TOTO_CAPABILITY("mutex") Mutex {
   public:
    void lock() TOTO_ACQUIRE() {
      if (std::exchange(next_lock_fails, false)) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur));
      }
      mutex_.lock();
    }
    bool try_lock() TOTO_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
    void unlock() noexcept TOTO_RELEASE() { mutex_.unlock(); }

   private:
    toto::StdRuntime::Mutex mutex_;
  };
  static constexpr bool recycles_memory = false;
  static constexpr bool forks = false;
};

using Queue = toto::BasicTaskQueue<FaultyRuntime>;

/// Calls `call()` with the first lock failing: whether that came out as it should.
template <class Call>
bool refuses(Call call) {
  note_fault("mutex");
  next_lock_fails = true;
  try {
    call();
  } catch (const std::system_error&) {
    return !next_lock_fails;
  }
  next_lock_fails = false;
  return false;
}

}  // namespace

TEST_CASE("a mutex that cannot be locked is the caller's error, and nothing was queued", "[task_queue][faults][S14]") {
  Queue queue;
  std::atomic<int> runs = 0;
  const auto captured = std::make_shared<int>(1);
  REQUIRE(refuses([&] { queue.add_task([&] { ++runs; }); }));
  REQUIRE(refuses([&] { queue.add_task([&, captured] { ++runs; }); }));
  REQUIRE(refuses([&] { static_cast<void>(queue.yield_task([&, captured] { return ++runs; })); }));
  REQUIRE(refuses([&] { queue.run(); }));
  REQUIRE(refuses([&] { static_cast<void>(queue.stats()); }));
  REQUIRE(refuses([&] { static_cast<void>(queue.size()); }));
  REQUIRE(refuses([&] { queue.wait_idle(); }));
  REQUIRE(captured.use_count() == 1);
  REQUIRE(queue.stats() == toto::QueueStats{});

  queue.add_task([&] { ++runs; });
  REQUIRE(queue.yield_task([&] { return ++runs; }).get() == 2);
  queue.wait_idle();
  REQUIRE(runs == 2);
  REQUIRE(queue.stats().submitted == 2);
}

TEST_CASE("a call through a wrapper whose mutex cannot be locked gives its turn back",
          "[awaitable_instance][faults][S14]") {
  Queue queue;
  const toto::AwaitableInstance<int, FaultyRuntime> wrapper(1, queue);
  const auto increment = [](int& value) { return ++value; };
  REQUIRE(refuses([&] { static_cast<void>(wrapper(increment)); }));
  auto call = wrapper(increment);
  REQUIRE(call.wait_for(kPatience));
  REQUIRE(call.get() == 2);
}
