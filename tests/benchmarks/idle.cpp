// SPDX-License-Identifier: MIT
//
// Idling: what the four threads of a pool that has nothing to do for 3 s cost in CPU time. Each pool idles in a process
// of its own, all at the same time. The main thread is left out: to sleep and to look at the time costs it some 0.1 ms.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "fire.hpp"
#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

/// CPU time of all threads of this process but the main one until now, in ms. As the scheduler counts it: getrusage()
/// rounds more than there is to be measured.
double cpu_milliseconds_of_threads() {
  const std::string main_thread = std::to_string(getpid());
  std::uint64_t sum = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() != main_thread) {
      std::uint64_t nanoseconds = 0;
      std::ifstream(thread.path() / "schedstat") >> nanoseconds;
      sum += nanoseconds;
    }
  }
  return static_cast<double>(sum) * 1e-6;
}

template <class Pool>
void idle() {
  Pool pool(4);
  warm_up(pool);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // what the work itself has left behind
  const double before = cpu_milliseconds_of_threads();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  print_sample("idle", "CPU in 3 s", Pool::kName, cpu_milliseconds_of_threads() - before, "ms");
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  std::vector<pid_t> children;
  for_each_pool(4, [&]<class Pool>(std::type_identity<Pool>) {
    const pid_t child = fork();
    if (child == 0) {
      idle<Pool>();
      _exit(0);
    }
    children.push_back(child);
  });
  int failures = 0;
  for (const pid_t child : children) {
    int status = 0;
    failures += child < 0 || waitpid(child, &status, 0) < 0 || status != 0;
  }
  return failures;
}
