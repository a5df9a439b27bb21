// SPDX-License-Identifier: MIT
//
// Programs that end in unusual ways, several in one test: each scenario runs in its own child process, forked
// before anything else happens, and the parent looks at how it ended, how long that took, and what it left in shared
// memory. For tests/process; POSIX only.

#ifndef TOTO_TESTS_SUPPORT_SCENARIOS_HPP
#define TOTO_TESTS_SUPPORT_SCENARIOS_HPP

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "sanitizers.hpp"

namespace toto_tests {

/// What a scenario leaves for the parent: counters in memory that both share.
struct Evidence {
  std::atomic<int> count{0};
  std::atomic<int> other{0};
  std::atomic<bool> flag{false};
};

/// Memory that survives the child. Never freed.
inline Evidence& shared_evidence() {
  static Evidence* const evidence = [] {
    void* const memory = mmap(nullptr, sizeof(Evidence), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      std::perror("mmap");
      std::_Exit(1);
    }
    return new (memory) Evidence;
  }();
  return *evidence;
}

struct Scenario {
  const char* name;
  /// Runs in the child; what it returns is returned from main.
  int (*run)(Evidence&);
  /// The exit code the child has to end with; or, negative, the signal.
  int expected_end = 0;
  /// Looks at what the child has left: what is wrong, or "".
  std::string (*check)(const Evidence&) = [](const Evidence&) { return std::string(); };
  /// The child must have ended by then; much shorter than any of the library's own limits.
  std::chrono::seconds limit{5};
};

/// How a child process ended: its exit code, or, negative, the signal; -1000 if it had to be killed.
inline int wait_for_child(pid_t child, std::chrono::steady_clock::duration limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    if (ended < 0) {
      std::perror("waitpid");
      return -1000;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -1000;
    }
    usleep(2000);
  }
}

/// Forks, runs `body` in the child, and returns how the child ended; see wait_for_child. A body that returns is 99.
template <class Body>
int fork_and_wait(Body body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(99);
  }
  return child < 0 ? -2000 : wait_for_child(child, std::chrono::seconds(20));
}

/// Runs every scenario, or those whose names are given. In the child this returns what main has to return.
inline int run_scenarios(const std::vector<Scenario>& scenarios, int argc = 0, char** argv = nullptr) {
  Evidence& evidence = shared_evidence();
  int failed = 0;
  for (const Scenario& scenario : scenarios) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; ++i) {
      wanted = wanted || std::string(argv[i]) == scenario.name;
    }
    if (!wanted) {
      continue;
    }
    new (&evidence) Evidence;
    std::fflush(nullptr);
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = fork();
    if (child < 0) {
      std::perror("fork");
      return 1;
    }
    if (child == 0) {
      return scenario.run(evidence);
    }
    const int end = wait_for_child(child, scaled(scenario.limit, 4 * scenario.limit));
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
    std::string wrong;
    if (end == -1000) {
      wrong = "was still there after " + std::to_string(took) + " ms";
    } else if (end != scenario.expected_end) {
      wrong = (end < 0 ? "died of signal " + std::to_string(-end) : "exited with " + std::to_string(end)) +
              " instead of " +
              (scenario.expected_end < 0 ? "signal " + std::to_string(-scenario.expected_end)
                                         : std::to_string(scenario.expected_end));
    } else {
      wrong = scenario.check(evidence);
    }
    std::printf("%s  %s (%lld ms)%s%s\n", wrong.empty() ? "ok    " : "FAILED", scenario.name,
                static_cast<long long>(took), wrong.empty() ? "" : ": ", wrong.c_str());
    failed += wrong.empty() ? 0 : 1;
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_SCENARIOS_HPP
