// SPDX-License-Identifier: MIT
//
// What the scheduler keeps of a simulated thread: ThreadRecord, the condition it waits for, its thread-local objects.
// Read next: scheduler.hpp.

#ifndef TOTO_TESTING_THREADS_HPP
#define TOTO_TESTING_THREADS_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fibre.hpp"
#include "trace.hpp"

namespace toto::inline v0_1::testing::detail {

/// What a simulated thread runs.
struct ThreadBody {
  ThreadBody() = default;
  virtual ~ThreadBody() = default;
  ThreadBody(const ThreadBody&) = delete;
  ThreadBody& operator=(const ThreadBody&) = delete;
  virtual void run() = 0;
};

template <class Callable>
class CallableBody final : public ThreadBody {
 public:
  explicit CallableBody(Callable callable) : callable_(std::move(callable)) {}
  void run() override { callable_(); }

 private:
  Callable callable_;
};

/// Objects of different types, each found by the address of its key and destroyed in reverse order of making.
class ObjectTable {
 public:
  void* find(const void* key) const noexcept {
    for (const Entry& entry : entries_) {
      if (entry.key == key) {
        return entry.object;
      }
    }
    return nullptr;
  }

  /// Takes the object over.
  /// Throws: std::bad_alloc, having deleted it.
  template <class T>
  T& add(const void* key, std::unique_ptr<T> object) {
    entries_.push_back({key, object.get(), [](void* one) { delete static_cast<T*>(one); }});
    return *object.release();
  }

  /// A destructor may add more objects; these are destroyed as well.
  void destroy_all() {
    while (!entries_.empty()) {
      const Entry last = entries_.back();
      entries_.pop_back();
      last.destroy(last.object);
    }
  }

 private:
  struct Entry {
    const void* key;
    void* object;
    void (*destroy)(void*);
  };

  std::vector<Entry> entries_;
};

/// What a simulated thread waits for: that a word becomes zero, or other than zero.
struct Wait {
  enum class Kind : std::uint8_t { mutex, parker, sleep, thread, spawned, others };

  Kind kind = Kind::sleep;
  const std::uint32_t* word = nullptr;  ///< null: the thread does not wait
  bool until_set = false;
  std::uint32_t object = 0;  ///< number of the mutex, parker or thread
  TimePoint deadline = (TimePoint::max)();
  bool spurious = false;  ///< to end spuriously

  bool over(TimePoint now) const noexcept {
    return word == nullptr || (*word != 0) == until_set || deadline <= now || spurious;
  }
  bool has_deadline() const noexcept { return word != nullptr && deadline != (TimePoint::max)(); }
};

/// A simulated thread, from its start to the end of the schedule.
struct ThreadRecord {
  std::uint32_t number = 0;  ///< from 1, the main thread, in the order of starting
  std::uint32_t alive = 1;   ///< until its body and its thread-local objects are gone
  bool disowned = false;     ///< joined, or detached
  bool of_scenario = false;  ///< the main thread, or one that Simulation::spawn() started
  const char* point = nullptr;
  std::uint32_t locks_held = 0;
  std::uint32_t sheltered = 0;  ///< not zero: the environment refuses it nothing
  std::uint64_t place = 0;      ///< one bit that no other living thread has
  std::uint64_t yields_to = 0;  ///< places of the threads that are to go first, if they can
  Wait wait;
  std::string name;
  std::unique_ptr<ThreadBody> body;
  std::unique_ptr<Fibre> fibre;
  void (*at_end)() = nullptr;  ///< called between the end of the body and that of the thread-local objects
  ObjectTable locals;
};

/// What a thread waits for, in words.
template <class NameOf>
std::string wait_text(const ThreadRecord& thread, NameOf name_of) {
  std::string text = name_of(thread.number);
  if (thread.wait.word == nullptr) {
    text += " can run";
  } else {
    switch (thread.wait.kind) {
      case Wait::Kind::mutex:
        text += " waits for mutex " + std::to_string(thread.wait.object) + ", held by " + name_of(*thread.wait.word);
        break;
      case Wait::Kind::parker:
        text += " is parked on parker " + std::to_string(thread.wait.object);
        break;
      case Wait::Kind::sleep:
        text += " sleeps";
        break;
      case Wait::Kind::thread:
        text += " joins " + name_of(thread.wait.object);
        break;
      case Wait::Kind::spawned:
        text += " waits for " + std::to_string(*thread.wait.word) + " of those it spawned";
        break;
      case Wait::Kind::others:
        text += " waits for all others to end";
        break;
    }
    if (thread.wait.has_deadline()) {
      text += " until +" + time_text(thread.wait.deadline - origin);
    }
  }
  if (thread.point != nullptr) {
    text += std::string(", after \"") + thread.point + "\"";
  }
  return text;
}

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_THREADS_HPP
