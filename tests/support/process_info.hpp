// SPDX-License-Identifier: MIT
//
// What the operating system says of this process: its threads and their names, open files, memory, processor time.
// Linux only: ask kProcessInfo, and SKIP elsewhere.

#ifndef TOTO_TESTS_SUPPORT_PROCESS_INFO_HPP
#define TOTO_TESTS_SUPPORT_PROCESS_INFO_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#endif

namespace toto_tests {

#if defined(__linux__)

inline constexpr bool kProcessInfo = true;

/// The names of all threads of this process, as the system shows them.
inline std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  std::error_code ignored;  // a thread may end while its directory is being listed
  for (auto task = std::filesystem::directory_iterator("/proc/self/task", ignored);
       task != std::filesystem::directory_iterator(); task.increment(ignored)) {
    std::ifstream file(task->path() / "comm");
    std::string name;
    if (std::getline(file, name)) {
      names.push_back(name);
    }
  }
  return names;
}

/// How many threads have a name that begins like this. A queue's threads are called "<queue>-<number>".
inline std::size_t threads_named(const std::string& beginning) {
  const std::vector<std::string> names = thread_names();
  return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [&](const std::string& name) {
    return name.compare(0, beginning.size(), beginning) == 0;
  }));
}

/// All threads, those of sanitizers and of other tests' named queues among them.
inline std::size_t thread_count() {
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

/// Open file descriptors, the one used for looking among them.
inline std::size_t open_files() {
  const auto files = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

struct Memory {
  std::size_t address_space;  // bytes; a thread that was not joined keeps megabytes of it
  std::size_t resident;       // bytes
};
inline Memory memory() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return {size * page, resident * page};
}

/// Bytes that are allocated and not yet freed. 0 where the allocator does not report it.
inline std::size_t heap_in_use() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
#else
  return 0;
#endif
}

/// What all threads of this process together have used so far.
struct Usage {
  std::chrono::microseconds processor;
  long sleeps;  // how often a thread went to sleep voluntarily
};
inline Usage usage() {
  rusage now{};
  getrusage(RUSAGE_SELF, &now);
  const auto time = [](const timeval& value) {
    return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
  };
  return {time(now.ru_utime) + time(now.ru_stime), now.ru_nvcsw};
}

#else

inline constexpr bool kProcessInfo = false;
inline std::vector<std::string> thread_names() {
  return {};
}
inline std::size_t threads_named(const std::string&) {
  return 0;
}
inline std::size_t thread_count() {
  return 0;
}
inline std::size_t open_files() {
  return 0;
}
struct Memory {
  std::size_t address_space;
  std::size_t resident;
};
inline Memory memory() {
  return {};
}
inline std::size_t heap_in_use() {
  return 0;
}
struct Usage {
  std::chrono::microseconds processor;
  long sleeps;
};
inline Usage usage() {
  return {};
}

#endif

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_PROCESS_INFO_HPP
