// SPDX-License-Identifier: MIT
//
// The line of permits by itself, as a semaphore. How pools use it is in the tests of InstancePool.

#include "toto/detail/task/permits.hpp"

#include <array>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "toto/detail/task/permit_wait.hpp"
#include "toto/tasks.hpp"

using namespace std::chrono_literals;
using toto::StdRuntime;
using toto_tests::eventually;

namespace {

class Semaphore final : public toto::detail::Permits<StdRuntime> {
 public:
  static toto::detail::Ref<Semaphore> make() { return toto::detail::Ref<Semaphore>::adopt(new Semaphore); }

  Permit* take_within(toto::Duration limit) {
    Request request{Claim::here("acquired", toto::CallSite::current())};
    request.deadline = limit.after(request.claim.since);
    return take(request);
  }
  void close() {
    Line::Waiters refused;
    {
      const toto::detail::Lock lock(mutex_);
      closed_ = true;
      refused = line_.close();
    }
    Line::tell(refused);
  }
  std::size_t waiting() const {
    const toto::detail::Lock lock(mutex_);
    return line_.size();
  }
  toto::detail::QueueCore<StdRuntime>& queue_named(std::string_view) override {
    return toto::detail::QueueAccess::core(toto::TaskQueue::instance("semaphore"));
  }

 private:
  struct One : Permit {};

  Semaphore() : Permits("no permit of the semaphore", "a permit of a semaphore", false) {
    for (One& permit : permits_) {
      free_.push_back(permit);
    }
    toto::detail::TimerService<StdRuntime>::instance().use();
    watch_forks();
  }
  ~Semaphore() override { ignore_forks(); }
  std::exception_ptr refusal_locked() const override {
    return std::make_exception_ptr(toto::PoolClosed("the semaphore is closed"));
  }

  std::array<One, 2> permits_;
};

using Held = toto::detail::Permit<StdRuntime>;

toto::Task<> use(Semaphore& semaphore, toto::Duration limit, std::string& order, char name) {
  Semaphore::Request request{Semaphore::Claim::here("acquired", toto::CallSite::current())};
  request.deadline = limit.after(request.claim.since);
  try {
    const Semaphore::Held permit = co_await toto::detail::PermitAwaiter<StdRuntime>(semaphore, request);
    order += name;
  } catch (const toto::TimedOut&) {
    order += '-';
  } catch (const toto::PoolClosed&) {
    order += 'x';
  }
}

}  // namespace

TEST_CASE("threads and coroutines wait for permits in one line, in order", "[permits][inv.P2]") {
  const auto semaphore = Semaphore::make();
  Held* const one = semaphore->take_within(toto::Duration());
  Held* const other = semaphore->take_within(toto::Duration());
  REQUIRE(one != nullptr);
  REQUIRE(other != nullptr);
  REQUIRE(semaphore->take_within(1ms) == nullptr);

  std::string order;
  toto::EventLoop loop;
  loop.spawn(use(*semaphore, toto::Duration::never(), order, 'a'));
  loop.post([&loop] { loop.stop(); });
  loop.run();
  Held* taken = nullptr;
  std::thread thread([&] { taken = semaphore->take_within(toto::Duration::never()); });
  REQUIRE(eventually([&] { return semaphore->waiting() == 2; }));
  semaphore->give_back(*one);  // to the coroutine
  REQUIRE(semaphore->waiting() == 1);
  loop.run();  // which passes it on
  thread.join();
  REQUIRE(order == "a");
  REQUIRE(taken == one);
  semaphore->give_back(*taken);
  semaphore->give_back(*other);
  REQUIRE(semaphore->take_within(toto::Duration()) == one);
  semaphore->give_back(*one);
}

TEST_CASE("who waits too long, or for a line that closes, is told", "[permits][inv.P3]") {
  const auto semaphore = Semaphore::make();
  Held* const one = semaphore->take_within(toto::Duration());
  Held* const other = semaphore->take_within(toto::Duration());
  std::string order;
  toto::EventLoop loop;
  loop.spawn(use(*semaphore, 1ms, order, 'a'));
  loop.spawn(use(*semaphore, -1ms, order, 'b'));
  loop.run();
  REQUIRE(order == "--");
  loop.spawn(use(*semaphore, 1h, order, 'c'));
  loop.post([&] { semaphore->close(); });
  loop.run();
  REQUIRE(order == "--x");
  REQUIRE_THROWS_AS(semaphore->take_within(toto::Duration()), toto::PoolClosed);
  semaphore->give_back(*one);
  semaphore->give_back(*other);
}
