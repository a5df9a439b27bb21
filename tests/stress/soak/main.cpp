// SPDX-License-Identifier: MIT
//
// toto_soak: everything at once, at random, for as long as it is told to; looks each second whether anything is lost,
// grows, or waits for too long. Survives SIGSTOP and SIGCONT. Exits with 1 if it has found something, and says what.
//
//   toto_soak [--seconds N] [--report N] [--seed N]
//
// The seed decides what is tried, not in which order threads come to it.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "actors.hpp"
#include "support/process_info.hpp"
#include "support/sanitizers.hpp"

using namespace toto_soak;
using namespace std::chrono_literals;

namespace {

constexpr auto kTick = 20ms;
constexpr auto kLongestWait = 5s;
constexpr std::size_t kActors = 4;

struct Options {
  std::uint64_t seconds = 60;
  std::uint64_t report = 1;
  std::uint64_t seed = 1;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; i += 2) {
    std::uint64_t* const value = std::strcmp(argv[i], "--seconds") == 0  ? &options.seconds
                                 : std::strcmp(argv[i], "--report") == 0 ? &options.report
                                 : std::strcmp(argv[i], "--seed") == 0   ? &options.seed
                                                                         : nullptr;
    char* end = nullptr;
    if (value == nullptr || i + 1 == argc || (*value = std::strtoull(argv[i + 1], &end, 10), *end != '\0')) {
      std::fprintf(stderr, "usage: %s [--seconds N] [--report N] [--seed N]\n", argv[0]);
      return false;
    }
  }
  return options.report != 0;
}

/// What must not grow: memory and threads, compared with what there was after a while.
class Growth {
 public:
  void look(std::chrono::seconds elapsed, const World& world) {
    if (!toto_tests::kProcessInfo) {
      return;
    }
    resident = toto_tests::memory().resident;
    heap = toto_tests::heap_in_use();
    threads = toto_tests::thread_count();
    most_resident = std::max(most_resident, resident);
    most_threads = std::max(most_threads, threads);
    // One thread of a queue may be ending; sanitizers have threads of their own.
    if (const std::size_t bound = 2 * world.most_threads() + kActors + 16; threads > bound) {
      Findings::get().report("there are " + std::to_string(threads) + " threads, at most " + std::to_string(bound) +
                             " were to be expected");
    }
    if (elapsed < 20s) {
      settled_ = std::max(settled_, resident);
    } else if (const std::size_t bound = toto_tests::scaled(settled_ * 3 / 2 + (32U << 20U), settled_ * 8);
               resident > bound) {
      Findings::get().report("memory has grown to " + std::to_string(resident >> 20U) + " MiB, it was " +
                             std::to_string(settled_ >> 20U) + " MiB in the first 20 s");
    }
  }

  std::size_t resident = 0;
  std::size_t heap = 0;  // of that: given out by the allocator; the rest is its own
  std::size_t threads = 0;
  std::size_t most_resident = 0;
  std::size_t most_threads = 0;

 private:
  std::size_t settled_ = 0;
};

double milliseconds(std::chrono::nanoseconds length) {
  return std::chrono::duration<double, std::milli>(length).count();
}

/// One second's worth of looking.
class Watch {
 public:
  Watch(Stage& stage, const Pulse& pulse, const Options& options) : stage_(stage), pulse_(pulse), options_(options) {}

  void look(std::chrono::seconds elapsed) {
    stage_.world.check();
    growth_.look(elapsed, stage_.world);
    const auto longest = Waits::get().take_longest(pulse_.catch_up());
    longest_ = std::max(longest_, longest);
    longest_of_all_ = std::max(longest_of_all_, longest);
    if (longest > kLongestWait) {
      Findings::get().report("a task has waited for " + std::to_string(milliseconds(longest)) + " ms");
    }
    if (const std::int64_t alive = Result::alive(); alive < 0 || alive > 100'000) {
      Findings::get().report(std::to_string(alive) + " results are alive");
    }
    if (stage_.operations == operations_before_ && ++idle_seconds_ >= 10) {
      Findings::get().report("no actor has come to an end of anything for 10 s");
    } else if (stage_.operations != operations_before_) {
      idle_seconds_ = 0;
    }
    operations_before_ = stage_.operations;
    if (static_cast<std::uint64_t>(elapsed.count()) % options_.report == 0) {
      std::printf(
          "%6llds  operations %9llu  resumed %9llu  results %10lld, alive %5lld  queues ended %6zu, leaving %3zu  "
          "longest wait %7.1f ms  threads %3zu  memory %4zu MiB, in use %6.1f\n",
          static_cast<long long>(elapsed.count()), static_cast<unsigned long long>(stage_.operations),
          static_cast<unsigned long long>(stage_.resumed), static_cast<long long>(Result::made),
          static_cast<long long>(Result::alive()), stage_.world.ended(), stage_.world.leaving(), milliseconds(longest_),
          growth_.threads, growth_.resident >> 20U, static_cast<double>(growth_.heap) / double{1U << 20U});
      std::fflush(stdout);
      longest_ = {};
    }
  }

  void summarise() const {
    std::printf(
        "summary: seed %llu, operations %llu, resumed %llu, results %lld made and %lld destroyed, queues %zu, "
        "longest wait %.1f ms, at most %zu threads and %zu MiB\n",
        static_cast<unsigned long long>(options_.seed), static_cast<unsigned long long>(stage_.operations),
        static_cast<unsigned long long>(stage_.resumed), static_cast<long long>(Result::made),
        static_cast<long long>(Result::destroyed), stage_.world.ended(), milliseconds(longest_of_all_),
        growth_.most_threads, growth_.most_resident >> 20U);
  }

 private:
  Stage& stage_;
  const Pulse& pulse_;
  const Options options_;
  Growth growth_;
  std::chrono::nanoseconds longest_{};
  std::chrono::nanoseconds longest_of_all_{};
  std::uint64_t operations_before_ = 0;
  int idle_seconds_ = 0;
};

int finish(const std::vector<std::string>& findings) {
  for (const std::string& text : findings) {
    std::printf("VIOLATION: %s\n", text.c_str());
  }
  std::printf("%s\n", findings.empty() ? "soak: nothing was lost, nothing grew" : "soak: FAILED");
  std::fflush(stdout);
  if (!findings.empty()) {
    std::_Exit(1);  // what is stuck would keep the process from ending
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    return 2;
  }
  auto stage = std::make_unique<Stage>(options.seed);
  const Pulse pulse;
  Watch watch(*stage, pulse, options);
  std::vector<std::unique_ptr<Actor>> actors;
  for (std::size_t i = 0; i < kActors; ++i) {
    actors.push_back(std::make_unique<Actor>(*stage, options.seed * 1000 + i, i % 2 == 0));
  }

  Dice dice(~options.seed);
  const auto begin = Clock::now();
  Clock::duration lost{};
  for (std::uint64_t second = 0; second < options.seconds && Findings::get().texts().empty();) {
    std::this_thread::sleep_for(kTick);
    if (const auto now_lost = pulse.lost(); now_lost != lost) {
      std::printf("the process stood still for %.1f s\n", std::chrono::duration<double>(now_lost - lost).count());
      lost = now_lost;
    }
    if (dice.one_in(3)) {
      stage->world.replace_one();
    }
    if (dice.one_in(5)) {
      stage->world.cancel_some();
    }
    stage->world.bury();
    if (Clock::now() - begin - lost >= std::chrono::seconds(second + 1)) {
      ++second;
      watch.look(std::chrono::seconds(second));
    }
  }

  if (std::vector<std::string> texts = Findings::get().texts(); !texts.empty()) {
    watch.summarise();
    return finish(texts);
  }
  stage->stop = true;
  actors.clear();
  stage->world.end_all();
  watch.summarise();
  const std::int64_t roaming = stage->roaming;
  stage.reset();
  if (!toto::TaskQueue::shutdown_instances(20s)) {
    Findings::get().report("the named queue does not come to its end");
  }
  if (roaming != 0) {
    Findings::get().report(std::to_string(roaming) + " coroutines were lost");
  }
  if (Result::alive() != 0) {
    Findings::get().report(std::to_string(Result::alive()) + " results were not destroyed");
  }
  if (Instrument::alive != 0) {
    Findings::get().report(std::to_string(Instrument::alive.load()) + " instances were not destroyed");
  }
  return finish(Findings::get().texts());
}
