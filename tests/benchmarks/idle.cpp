// SPDX-License-Identifier: MIT
//
// Idling: what a pool of four threads that has nothing to do for 3 s costs in CPU time. Each pool idles in a process of
// its own, all at the same time.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "fire.hpp"
#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

double milliseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) * 1e-3;
}

/// CPU time of this process until now, in user code and in the system, in ms.
double cpu_milliseconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
}

template <class Pool>
void idle() {
  Pool pool(4);
  warm_up(pool);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // what the work itself has left behind
  const double before = cpu_milliseconds();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  print_sample("idle", "CPU in 3 s", Pool::kName, cpu_milliseconds() - before, "ms");
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  std::vector<pid_t> children;
  for_each_pool([&]<class Pool>(std::type_identity<Pool>) {
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
