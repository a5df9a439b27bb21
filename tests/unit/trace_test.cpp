// SPDX-License-Identifier: MIT
//
// TraceWriter: what it writes is JSON in the trace-event format, and joins up.

#include <toto/tasks.hpp>
#include <toto/trace.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/json.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;
using toto::TaskQueue;
using toto::TraceWriter;

namespace {

/// The contents of a trace, by kind.
struct Trace {
  struct Slice {
    std::string name;
    double begin = 0;
    double end = 0;
    double thread = 0;
    std::string how;  // it ended
  };
  struct Point {
    double time = 0;
    double thread = 0;
  };

  std::map<double, std::string> threads;
  std::vector<Slice> slices;  // of tasks
  std::vector<Slice> marks;
  std::map<double, std::vector<Point>> arrows;               // by task, from first to last
  std::map<std::string, std::map<double, double>> counters;  // by time
  std::map<std::string, int> instants;
  std::size_t events = 0;
  std::size_t spans = 0;

  std::ptrdiff_t count(const std::vector<Slice>& all, const std::string& name) const {
    return std::count_if(all.begin(), all.end(), [&](const Slice& slice) { return slice.name == name; });
  }
  /// What the arrow from or to that point is attached to: the innermost slice or mark there.
  std::string at(const Point& point) const {
    const Slice* best = nullptr;
    for (const auto* all : {&slices, &marks}) {
      for (const Slice& slice : *all) {
        if (slice.thread == point.thread && slice.begin <= point.time && point.time <= slice.end &&
            (best == nullptr || slice.begin > best->begin)) {
          best = &slice;
        }
      }
    }
    return best != nullptr ? best->name : "nothing";
  }
};

/// Throws: std::exception, if it is not as the format demands.
Trace read_trace(const std::string& text) {
  const auto require = [](bool met, const char* what, const Json& event) {
    if (!met) {
      std::string shown;
      for (const auto& [key, value] : event.object()) {
        const double* const number = std::get_if<double>(&value.value);
        const std::string* const word = std::get_if<std::string>(&value.value);
        shown += ' ' + key + '=' + (number != nullptr ? std::to_string(*number) : word != nullptr ? *word : "...");
      }
      throw std::runtime_error(std::string(what) + ':' + shown);
    }
  };
  Trace trace;
  std::map<double, double> now;                      // by thread
  std::map<double, std::vector<Trace::Slice>> open;  // by thread
  std::map<double, double> free_from;                // by thread: the end of the last mark
  std::map<double, std::vector<std::pair<std::string, Trace::Point>>> flows;
  std::map<double, std::vector<std::pair<std::string, double>>> spans;
  const Json json = JsonReader::read(text);
  if (json["displayTimeUnit"].text() != "ns") {
    throw std::runtime_error("not in nanoseconds");
  }
  for (const Json& event : json["traceEvents"].array()) {
    ++trace.events;
    const std::string& phase = event["ph"].text();
    const double thread = event["tid"].number();
    const double time = event["ts"].number();
    require(event["pid"].number() == 1, "another process", event);
    require(time >= 0, "a time before the beginning", event);
    require(phase == "E" || !event["name"].text().empty(), "no name", event);
    if (phase == "s" || phase == "t" || phase == "f") {
      require(event["bp"].text() == "e" && event["cat"].text() == "task", "no arrow of a task", event);
      flows[event["id"].number()].push_back({phase, {time, thread}});
      continue;
    }
    if (phase == "b" || phase == "e") {
      require(event["cat"].text() == "coroutine", "no coroutine", event);
      spans[event["id"].number()].push_back({phase, time});
      continue;
    }
    if (phase == "M") {
      require(event["name"].text() == (thread == 0 ? "process_name" : "thread_name"), "an unknown name", event);
      require(trace.threads.emplace(thread, event["args"]["name"].text()).second, "a second name", event);
      continue;
    }
    require(trace.threads.count(thread) == 1, "a thread without a name", event);
    if (phase == "C") {
      const double value = event["args"]["tasks"].number();
      require(value >= 0, "less than nothing", event);
      trace.counters[event["name"].text()][time] = value;
      continue;
    }
    require(now.count(thread) == 0 || time > now[thread], "not after what was before on this thread", event);
    require(time >= free_from[thread], "inside a mark", event);
    now[thread] = time;
    if (phase == "B") {
      open[thread].push_back({event["name"].text(), time, 0, thread, {}});
    } else if (phase == "E") {
      require(!open[thread].empty(), "the end of nothing", event);
      Trace::Slice slice = std::move(open[thread].back());
      open[thread].pop_back();
      slice.end = time;
      slice.how = event["args"]["end"].text();
      trace.slices.push_back(std::move(slice));
    } else if (phase == "X") {
      const double length = event["dur"].number();
      require(length > 0 && length <= 1, "a mark of another length", event);
      free_from[thread] = time + length - 0.0005;  // as exact as the text
      trace.marks.push_back({event["name"].text(), time, time + length, thread, {}});
    } else {
      require(phase == "i", "another phase", event);
      require(event["s"].text() == "t" || event["s"].text() == "p", "another scope", event);
      ++trace.instants[event["name"].text()];
    }
  }
  for (const auto& [thread, slices] : open) {
    if (!slices.empty()) {
      throw std::runtime_error("a slice without an end: " + slices.back().name);
    }
  }
  for (const auto& [task, points] : flows) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      const std::string expected = i == 0 ? "s" : i + 1 == points.size() ? "f" : "t";
      if (points.size() < 2 || points[i].first != expected ||
          (i > 0 && points[i].second.time < points[i - 1].second.time)) {
        throw std::runtime_error("the arrow of task " + std::to_string(task) + " does not join up");
      }
      trace.arrows[task].push_back(points[i].second);
    }
  }
  for (const auto& [task, ends] : spans) {
    if (ends.size() != 2 || ends[0].first != "b" || ends[1].first != "e" || ends[1].second < ends[0].second) {
      throw std::runtime_error("the span of coroutine " + std::to_string(task) + " does not join up");
    }
    ++trace.spans;
  }
  return trace;
}

struct Twice {
  int operator()(int number) const { return 2 * number; }
};

/// Runs `body(writer)` and returns what was written.
template <class Body>
Trace trace_of(Body body, toto::TraceOptions options = {}) {
  std::ostringstream text;
  {
    TraceWriter writer(text, options);
    body(writer);
  }
  return read_trace(text.str());
}

}  // namespace

TEST_CASE("a trace of nothing is a trace", "[trace]") {
  const Trace trace = trace_of([](TraceWriter&) {});
  REQUIRE(trace.events == 1);
  REQUIRE(trace.threads.at(0) == "toto");
}

TEST_CASE("a trace shows a task from where it was added to where its awaiter went on", "[trace][observer]") {
  const Trace trace = trace_of([](TraceWriter& writer) {
    writer.name_thread("main");
    TaskQueue queue({.name = "work", .observer = &writer});
    toto::sync_wait([](TaskQueue& to) -> toto::Task<> {
      const int result = co_await to.yield_task(Twice(), 21);
      REQUIRE(result == 42);
    }(queue));
  });
  REQUIRE(trace.threads == std::map<double, std::string>{{0, "toto"}, {1, "main"}, {2, "work-1"}});
  REQUIRE(trace.slices.size() == 1);
  REQUIRE_THAT(trace.slices[0].name, contains("Twice"));
  REQUIRE(trace.slices[0].how == "completed");
  REQUIRE(trace.slices[0].thread == 2);
  REQUIRE(trace.arrows.size() == 1);
  const auto& points = trace.arrows.begin()->second;
  REQUIRE(points.size() == 3);
  REQUIRE(trace.at(points[0]) == "add");
  REQUIRE(trace.at(points[1]) == trace.slices[0].name);
  REQUIRE(trace.at(points[2]) == "resume");
  REQUIRE(points[0].thread == 1);
  REQUIRE(points[1].thread == 2);
  REQUIRE(points[2].thread == 1);
  REQUIRE(trace.counters.at("queued in work").size() == 2);
  REQUIRE(trace.counters.at("queued in work").begin()->second == 1);
  REQUIRE(trace.counters.at("queued in work").rbegin()->second == 0);
  REQUIRE(trace.instants.at("thread starts") == 1);
  REQUIRE(trace.instants.at("thread ends") == 1);
}

TEST_CASE("a trace shows how tasks ended, and those that never began", "[trace][observer]") {
  const Trace trace = trace_of([](TraceWriter& writer) {
    Gate gate;
    Arrivals begun;
    TaskQueue queue({.observer = &writer});
    queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
    queue.add_task([&] {
      begun.arrive();
      gate.wait();
    });
    REQUIRE(begun.wait_for(1));
    queue.add_task([] { throw std::runtime_error("expected"); });
    auto cancelled = queue.yield_task([] {});
    REQUIRE(cancelled.cancel());
    gate.open();
    queue.close();
    REQUIRE_THROWS_AS(queue.add_task([] {}), toto::QueueClosed);
  });
  std::multiset<std::string> ends;
  for (const Trace::Slice& slice : trace.slices) {
    ends.insert(slice.how);
  }
  REQUIRE(ends == std::multiset<std::string>{"completed", "failed"});
  REQUIRE(trace.count(trace.marks, "add") == 4);
  REQUIRE(trace.count(trace.marks, "cancelled") == 2);
  REQUIRE(trace.arrows.size() == 4);
  REQUIRE(trace.counters.at("queued in TaskQueue").rbegin()->second == 0);
}

TEST_CASE("a trace counts a transaction that its queue refuses as queued no more", "[trace][observer]") {
  const Trace trace = trace_of([](TraceWriter& writer) {
    toto::InstancePool pool(1);
    TaskQueue queue({.name = "closed", .observer = &writer});
    auto held = std::make_optional(pool.instance());
    auto handle = pool.await_transaction([](int) {}, queue);
    queue.close();
    held.reset();
    REQUIRE_THROWS_AS(handle.get(), toto::QueueClosed);
  });
  REQUIRE(trace.slices.empty());
  REQUIRE(trace.count(trace.marks, "cancelled") == 1);
  REQUIRE(trace.counters.at("queued in closed").rbegin()->second == 0);
}

TEST_CASE("a trace shows a coroutine until it suspends, and where it ended", "[trace][observer]") {
  const Trace trace = trace_of([](TraceWriter& writer) {
    Gate gate;
    TaskQueue queue({.name = "home", .observer = &writer});
    TaskQueue other({.name = "other", .observer = &writer});
    auto handle = queue.yield_task([&]() -> toto::Task<int> {
      const int number = co_await other.yield_task([&] {
        gate.wait();
        return 20;
      });
      co_return number + 1;
    });
    queue.yield_task([] {}).wait();  // on the thread that the coroutine has left
    gate.open();
    REQUIRE(handle.get() == 21);
  });
  REQUIRE(trace.slices.size() == 3);
  REQUIRE(std::count_if(trace.slices.begin(), trace.slices.end(),
                        [](const Trace::Slice& slice) { return slice.how == "suspended"; }) == 1);
  REQUIRE(trace.count(trace.marks, "completed") == 1);
  REQUIRE(trace.count(trace.marks, "resume") == 1);
  REQUIRE(trace.spans == 1);
  std::multiset<std::size_t> sizes;
  for (const auto& [task, points] : trace.arrows) {
    sizes.insert(points.size());
  }
  REQUIRE(sizes == std::multiset<std::size_t>{2, 3, 3});
}

TEST_CASE("a trace of many threads joins up, however little is kept in memory", "[trace][observer]") {
  const std::size_t buffer = GENERATE(std::size_t{0}, std::size_t{1} << 16, std::size_t{64} << 20);
  constexpr int kAdders = 3;
  const int kTasks = scaled(1000, 200);
  const Trace trace = trace_of(
      [&](TraceWriter& writer) {
        TaskQueue queue({.thread_count = 3, .idle_timeout = 0s, .name = "many", .observer = &writer});
        Threads adders;
        for (int i = 0; i < kAdders; ++i) {
          adders.start([&] {
            for (int task = 0; task < kTasks; ++task) {
              if (task % 10 == 0) {
                toto::sync_wait([](TaskQueue& to) -> toto::Task<> { co_await to.yield_task(Twice(), 1); }(queue));
              } else {
                queue.add_task([] {});
              }
            }
          });
        }
        writer.flush();
        adders.join();
        queue.wait_idle();
        writer.flush();
      },
      {.buffer = buffer});
  constexpr auto kAll = static_cast<std::size_t>(kAdders);
  REQUIRE(trace.slices.size() == kAll * static_cast<std::size_t>(kTasks));
  REQUIRE(trace.arrows.size() == trace.slices.size());
  REQUIRE(trace.count(trace.marks, "resume") == kAdders * kTasks / 10);
  REQUIRE(trace.count(trace.marks, "add") == kAdders * kTasks);
  REQUIRE(trace.instants.at("thread starts") == trace.instants.at("thread ends"));
  REQUIRE(trace.counters.at("queued in many").rbegin()->second == 0);
  // Threads that follow each other share a track: 3 workers and as many that are just leaving, 3 adders, the process.
  REQUIRE(trace.threads.size() <= 10);
}

TEST_CASE("a trace has names of any bytes", "[trace]") {
  const Trace trace = trace_of([](TraceWriter& writer) {
    writer.name_thread("\"main\"\\ \n\x01 caf\xc3\xa9 \xff \xc0\xaf \xed\xa0\x80 \xf0\x9f\x8e\x89\xf0\x9f");
    TaskQueue queue({.name = "a \"queue\"", .observer = &writer});
    queue.yield_task([] {}).wait();
  });
  const std::string bad = "\xef\xbf\xbd";
  REQUIRE(trace.threads.at(1) == "\"main\"\\ \n\x01 caf\xc3\xa9 " + bad + ' ' + bad + bad + ' ' + bad + bad + bad +
                                     " \xf0\x9f\x8e\x89" + bad + bad);
  REQUIRE(trace.counters.count("queued in a \"queue\"") == 1);
}

TEST_CASE("two traces at a time, and one after another at the same address", "[trace]") {
  for (int round = 0; round < 3; ++round) {
    std::ostringstream texts[2];
    {
      TraceWriter first(texts[0]);
      TraceWriter second(texts[1]);
      TaskQueue one({.name = "one", .observer = &first});
      TaskQueue two({.name = "two", .observer = &second});
      for (int i = 0; i < 10; ++i) {
        one.add_task([] {});
        two.add_task([] {});
      }
    }
    for (const auto& text : texts) {
      const Trace trace = read_trace(text.str());
      REQUIRE(trace.slices.size() == 10);
      REQUIRE(trace.counters.size() == 1);
      REQUIRE(trace.threads.size() == 3);
    }
  }
}

TEST_CASE("a trace that is flushed can be read as it is, and ends with close", "[trace]") {
  std::ostringstream text;
  TraceWriter writer(text);
  {
    TaskQueue queue({.observer = &writer});
    queue.yield_task([] {}).wait();
    queue.wait_idle();
    writer.flush();
    REQUIRE(read_trace(text.str() + "]}").slices.size() == 1);
    queue.yield_task([] {}).wait();
  }
  writer.close();
  const std::string closed = text.str();
  REQUIRE(read_trace(closed).slices.size() == 2);
  {
    TaskQueue queue({.observer = &writer});
    queue.yield_task([] {}).wait();
  }
  writer.flush();
  writer.close();
  REQUIRE(text.str() == closed);
  REQUIRE(writer.lost() == 0);
}

TEST_CASE("a trace in a file can be opened while the program runs, and is written by the clock", "[trace]") {
  const auto path = std::filesystem::temp_directory_path() / "toto_trace_alive_test.json";
  const auto written = [&] {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return read_trace(text.str());  // refuses what is not complete
  };
  const auto shows = [&](std::size_t tasks) {
    try {
      return written().slices.size() == tasks;
    } catch (const std::exception& error) {  // the task has a result, but its worker has not noted the end yet
      if (!std::string_view(error.what()).starts_with("a slice without an end")) {
        throw;
      }
      return false;
    }
  };
  {
    TraceWriter writer(path.string(), {.flush_every = 1ms});
    CHECK(written().slices.empty());
    TaskQueue queue({.observer = &writer});
    for (std::size_t tasks = 1; tasks <= 3; ++tasks) {
      queue.yield_task([] {}).wait();
      CHECK(toto_tests::eventually([&] { return shows(tasks); }));
    }
  }
  CHECK(written().slices.size() == 3);
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(TraceWriter(path.string(), {.flush_every = 0s}), toto_tests::contains("flush_every is 0"));
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a trace goes to a file, or says why not", "[trace]") {
  const auto path = std::filesystem::temp_directory_path() / "toto_trace_test.json";
  {
    TraceWriter writer(path.string());
    TaskQueue queue({.observer = &writer});
    queue.add_task([] {});
  }
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  REQUIRE(read_trace(text.str()).slices.size() == 1);

  REQUIRE_THROWS_MATCHES(TraceWriter("/no such directory/trace.json"), std::system_error,
                         Catch::Matchers::Predicate<std::system_error>([](const std::system_error& error) {
                           return error.code() == std::errc::no_such_file_or_directory &&
                                  std::string(error.what()).find("'/no such directory/trace.json'") !=
                                      std::string::npos;
                         }));

  class Full : public std::streambuf {};  // takes nothing
  for (const auto exceptions : {std::ios::goodbit, std::ios::badbit | std::ios::failbit}) {
    Full full;
    std::ostream stream(&full);
    stream.exceptions(exceptions);
    TraceWriter writer(stream, {.buffer = 0});
    {
      TaskQueue queue({.observer = &writer});
      for (int i = 0; i < 1000; ++i) {
        queue.add_task([] {});
      }
    }
    REQUIRE_THROWS_AS(writer.flush(), std::system_error);
    REQUIRE_THROWS_AS(writer.close(), std::system_error);
  }
}
