// SPDX-License-Identifier: MIT
//
// TraceWriter when memory runs out: tasks do not notice, what cannot be recorded is counted, and what cannot be written
// is written at the next try, once. The file is JSON in any case.

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <ostream>
#include <streambuf>
#include <string>
#include <toto/tasks.hpp>
#include <toto/trace.hpp>
#include <utility>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"
#include "support/json.hpp"

using namespace toto_tests;

namespace {

/// A stream that needs no memory while it is written to.
class Memory : public std::streambuf {
 public:
  Memory() { text_.reserve(std::size_t{1} << 20); }
  const std::string& text() const noexcept { return text_; }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    if (text_.capacity() - text_.size() < static_cast<std::size_t>(size)) {
      return 0;
    }
    text_.append(data, static_cast<std::size_t>(size));
    return size;
  }

 private:
  std::string text_;
};

/// A trace, and a queue that it observes.
struct Traced {
  Memory memory;
  std::ostream stream{&memory};
  toto::TraceWriter trace{stream};
  toto::TaskQueue queue{toto::QueueOptions{.name = "traced", .observer = &trace}};

  static toto::Task<int> coroutine(toto::TaskQueue& on) {
    auto handle = on.yield_task([] { return 1; });
    co_return co_await handle;
  }
  /// `count` tasks that are over, as many coroutines, and one task for each of those.
  void run(int count) {
    for (int i = 0; i < count; ++i) {
      queue.add_task([] {});
      static_cast<void>(queue.yield_task(&coroutine, std::ref(queue)).get());
    }
    queue.wait_idle();
  }

  /// Ends the trace: what is wrong with it, or "". `begun`: how many tasks ran on a thread.
  std::string check(int begun) {
    queue.close();
    try {
      trace.close();
      std::map<std::string, int> kinds;
      double queued = 0;
      const Json json = JsonReader::read(memory.text());
      for (const Json& event : json["traceEvents"].array()) {
        ++kinds[event["ph"].text()];
        if (event["ph"].text() == "C") {
          queued = event["args"]["tasks"].number();
        }
      }
      if (trace.lost() == 0 && (kinds["B"] != begun || kinds["E"] != begun)) {
        return std::to_string(kinds["B"]) + " slices begin, and " + std::to_string(kinds["E"]) + " end";
      }
      if (kinds["B"] != kinds["E"]) {
        return "a slice does not end";
      }
      return trace.lost() > 0 || queued == 0 ? "" : "in the end " + std::to_string(queued) + " are queued";
    } catch (const std::exception& error) {
      return error.what();
    }
  }
};

}  // namespace

TEST_CASE("a trace is begun or not when an allocation fails", "[trace][faults][S8]") {
  struct Fixture {
    Memory memory;
    std::ostream stream{&memory};
    std::unique_ptr<toto::TraceWriter> trace;
  };
  const auto check = [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
    return (fixture->trace == nullptr) == threw ? "" : "half-made";
  };
  const auto prepare = [] { return std::make_unique<Fixture>(); };
  const Sweep to_stream = sweep(
      prepare,
      [](std::unique_ptr<Fixture>& fixture) { fixture->trace = std::make_unique<toto::TraceWriter>(fixture->stream); },
      check, 2);
  REQUIRE(to_stream.complaint == "");
  const std::string file = (std::filesystem::temp_directory_path() / "toto_allocation_trace_test.json").string();
  const Sweep to_file = sweep(
      prepare,
      [&file](std::unique_ptr<Fixture>& fixture) { fixture->trace = std::make_unique<toto::TraceWriter>(file); }, check,
      2);
  std::remove(file.c_str());
  REQUIRE(to_file.complaint == "");
}

TEST_CASE("tasks of a queue that is traced do not notice that an allocation of the trace fails",
          "[trace][faults][S8]") {
  const Sweep swept = sweep([] { return std::make_unique<Traced>(); },
                            [](std::unique_ptr<Traced>& traced) { traced->queue.add_task([] {}); },
                            [](std::unique_ptr<Traced>& traced, bool threw) {
                              traced->queue.wait_idle();
                              const toto::QueueStats stats = traced->queue.stats();
                              if (stats.completed != (threw ? 0U : 1U)) {
                                return std::string("the task did not run, or ran");
                              }
                              traced->run(1);
                              return traced->check(threw ? 3 : 4);
                            },
                            4);
  REQUIRE(swept.complaint == "");
}

TEST_CASE("a thread has its name in the trace or keeps the one it had when an allocation fails",
          "[trace][faults][S8]") {
  const std::string name = "a name that is too long to be kept without an allocation";
  const Sweep swept = sweep([] { return std::make_unique<Traced>(); },
                            [&](std::unique_ptr<Traced>& traced) { traced->trace.name_thread(name); },
                            [&](std::unique_ptr<Traced>& traced, bool threw) -> std::string {
                              traced->run(1);
                              const std::string wrong = traced->check(3);
                              const bool named = traced->memory.text().find(name) != std::string::npos;
                              return !wrong.empty() || named == !threw ? wrong : "it has the wrong name";
                            },
                            2);
  REQUIRE(swept.complaint == "");
}

TEST_CASE("what a trace has no memory to write is written at the next try, once", "[trace][faults][S8]") {
  constexpr int kTasks = 4;
  const auto prepare = [] {
    auto traced = std::make_unique<Traced>();
    traced->run(kTasks);
    return traced;
  };
  const auto check = [](std::unique_ptr<Traced>& traced, bool) { return traced->check(3 * kTasks); };
  const Sweep flushing =
      sweep(prepare, [](std::unique_ptr<Traced>& traced) { traced->trace.flush(); }, check, 3 * kTasks);
  REQUIRE(flushing.complaint == "");
  const Sweep closing =
      sweep(prepare, [](std::unique_ptr<Traced>& traced) { traced->trace.close(); }, check, 3 * kTasks);
  REQUIRE(closing.complaint == "");
  // More than a thread keeps to itself.
  const Sweep of_many_events = sweep(
      [] {
        auto traced = std::make_unique<Traced>();
        for (int i = 0; i < 150; ++i) {
          traced->queue.add_task([] {});
        }
        traced->queue.wait_idle();
        return traced;
      },
      [](std::unique_ptr<Traced>& traced) { traced->trace.flush(); },
      [](std::unique_ptr<Traced>& traced, bool) { return traced->check(150); }, 150);
  REQUIRE(of_many_events.complaint == "");
}

TEST_CASE("workers without any memory run what is traced, and the trace counts what it lost", "[trace][faults][S9]") {
  Traced traced;
  traced.run(1);
  std::atomic<int> runs = 0;
  {
    const NoMemoryElsewhere none;
    for (int i = 0; i < 2'000; ++i) {
      traced.queue.add_task([&runs] { ++runs; });
    }
    traced.queue.wait_idle();
  }
  note_fault("allocation");
  REQUIRE(runs == 2'000);
  REQUIRE(traced.trace.lost() > 0);
  traced.run(1);
  REQUIRE(traced.check(0) == "");
}
