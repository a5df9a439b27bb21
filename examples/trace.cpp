// SPDX-License-Identifier: MIT
//
// A TraceWriter records what runs when and where: open its file in https://ui.perfetto.dev or chrome://tracing. Without
// an argument, this program writes to a string and checks what is in it.

#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <toto/trace.hpp>

#include "expect.hpp"

/// A task is shown with the type of its callable: a named class reads better than a lambda.
struct Resize {
  int operator()(int image) const {
    std::this_thread::sleep_for(std::chrono::milliseconds(2 + image));
    return image;
  }
};

struct Upload {
  void operator()(int /*image*/) const { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }
};

toto::Task<> process(toto::TaskQueue& processors, toto::TaskQueue& network, int image) {
  const int small = co_await processors.yield_task(Resize(), image);
  co_await network.yield_task(Upload(), small);
}

void work(toto::TraceWriter& trace) {
  trace.name_thread("event loop");
  // The writer must outlive the queues.
  toto::TaskQueue processors({.thread_count = 2, .name = "cpu", .observer = &trace});
  toto::TaskQueue network({.name = "net", .observer = &trace});
  toto::EventLoop loop;
  for (int image = 0; image < 4; ++image) {
    loop.spawn(process(processors, network, image));
  }
  loop.run();
}

int main(int argc, char** argv) {
  if (argc > 1) {
    toto::TraceWriter trace(argv[1]);
    work(trace);
    trace.close();  // the destructor would do, but could not report that the disk is full
    return 0;
  }
  std::ostringstream text;
  {
    toto::TraceWriter trace(text);
    work(trace);
  }
  const auto has = [&](const char* part) { return text.str().find(part) != std::string::npos; };
  expect(has("\"cpu-1\"") && has("\"net-1\"") && has("\"event loop\""), "a track for each thread, by its name");
  expect(has("\"Resize\"") && has("\"Upload\""), "a slice for each task, by the type of its callable");
  expect(has("\"queued in cpu\""), "how many tasks are queued");
}
