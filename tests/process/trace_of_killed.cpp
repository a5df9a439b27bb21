// SPDX-License-Identifier: MIT
//
// The trace of a program that was killed while tasks ran is complete JSON, with what had happened before.

#include <toto/tasks.hpp>
#include <toto/trace.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "support/json.hpp"

using namespace std::chrono_literals;

int main() {
  const auto path = std::filesystem::temp_directory_path() / ("toto_killed_" + std::to_string(getpid()) + ".json");
  int failures = 0;
  for (int round = 0; round < 20 && failures == 0; ++round) {
    int ready[2];
    if (pipe(ready) != 0) {
      return 1;
    }
    const pid_t child = fork();
    if (child == 0) {
      toto::TraceWriter trace(path.string(), {.buffer = 0, .flush_every = 1ms});
      toto::TaskQueue queue({.thread_count = 2, .observer = &trace});
      for (int i = 0;; ++i) {
        queue.yield_task([] {}).wait();
        if (i == 1000 && write(ready[1], "x", 1) != 1) {
          return 1;
        }
      }
    }
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) {
      ++failures;
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    try {
      const auto trace = toto_tests::JsonReader::read(text.str());
      if (trace["traceEvents"].array().size() < 1000) {
        std::printf("FAILED: %zu events\n", trace["traceEvents"].array().size());
        ++failures;
      }
    } catch (const std::exception& error) {
      std::printf("FAILED: %s\n", error.what());
      ++failures;
    }
  }
  std::filesystem::remove(path);
  return failures;
}
