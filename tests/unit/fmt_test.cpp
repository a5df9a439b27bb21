// SPDX-License-Identifier: MIT
//
// toto/fmt.hpp: numbers, lengths of time and errors as text.

#include <fmt/format.h>
#include <fmt/std.h>

#include <chrono>
#include <limits>
#include <string>
#include <toto/fmt.hpp>
#include <toto/tasks.hpp>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using toto::Duration;

namespace {

std::string text(Duration length) {
  return fmt::format("{}", length);
}

}  // namespace

TEST_CASE("fmt prints a length of time exactly, in the largest unit that fits", "[fmt]") {
  REQUIRE(text(Duration()) == "0s");
  REQUIRE(text(1500ms) == "1.5s");
  REQUIRE(text(250ms) == "250ms");
  REQUIRE(text(20us) == "20us");
  REQUIRE(text(7ns) == "7ns");
  REQUIRE(text(1h) == "3600s");
  REQUIRE(text(1'000'000'001ns) == "1.000000001s");
  REQUIRE(text(1'050'000ns) == "1.05ms");
  REQUIRE(text(-1500us) == "-1.5ms");
  REQUIRE(text(std::chrono::nanoseconds(std::numeric_limits<std::int64_t>::min() + 1)) == "-9223372036.854775807s");
  REQUIRE(text(Duration::never()) == "never");
  REQUIRE(text(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())) == "NaN");
  REQUIRE(fmt::format("[{:>6}]", Duration(2s)) == "[    2s]");
}

TEST_CASE("fmt prints what a queue and a pool tell of themselves", "[fmt][stats]") {
  toto::QueueStats stats;
  stats.submitted = 21;
  stats.completed = 1;
  stats.failed = 2;
  stats.cancelled = 3;
  stats.queued = 4;
  stats.running = 5;
  stats.suspended = 6;
  stats.continuations = 7;
  stats.threads = 8;
  stats.idle = 9;
  stats.threads_started = 10;
  REQUIRE(fmt::format("{}", stats) ==
          "21 tasks: 1 completed, 2 failed, 3 cancelled, 4 queued, 5 running, 6 suspended; 7 continuations; "
          "8 threads, 9 idle, 10 started");

  toto::TaskQueue queue;
  queue.yield_task([] {}).wait();
  REQUIRE_THAT(fmt::format("{:*<200}", queue.stats()), toto_tests::contains("1 tasks: ") && toto_tests::contains("**"));

  toto::PoolStats pool;
  pool.capacity = 8;
  pool.instances = 7;
  pool.free = 1;
  pool.leased = 6;
  pool.waiting = 5;
  pool.leases = 40;
  pool.made = 9;
  pool.discarded = 2;
  pool.changing = 10;
  pool.rejected = 11;
  pool.retired = 12;
  pool.closed = 13;
  REQUIRE(fmt::format("{}", pool) ==
          "7 of 8 instances: 1 free, 6 leased, 10 changing; 5 waiting; 40 leases; 9 made, 2 discarded, 11 rejected, "
          "12 retired, 13 closed");
  REQUIRE(fmt::format("{} {} {}", toto::TaskEnd::completed, toto::TaskEnd::failed, toto::TaskEnd::cancelled) ==
          "completed failed cancelled");
}

TEST_CASE("fmt prints errors, also next to fmt/std.h", "[fmt][exceptions]") {
  REQUIRE(fmt::format("{}", toto::QueueClosed("the queue 'db' has closed")) == "the queue 'db' has closed");
  REQUIRE(fmt::format("{:>4}", toto::TimedOut("no")) == "  no");
  REQUIRE(fmt::format("{}{}{}{}{}{}{}", toto::Error("1"), toto::QueueFull("2"), toto::TaskCancelled("3"),
                      toto::PoolClosed("4"), toto::InstanceGone("5"), toto::NoState("6"),
                      toto::DeadlockError("7")) == "1234567");
}
