// SPDX-License-Identifier: MIT
//
// TraceWriter: records what queues do in a file for https://ui.perfetto.dev and chrome://tracing: which task ran when
// and on which thread, where it was added, where its awaiter resumed. Opt-in: tasks.hpp does not include it. Read next:
// detail/insight/trace_log.hpp, detail/insight/trace_text.hpp.

#ifndef TOTO_TRACE_HPP
#define TOTO_TRACE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "detail/insight/trace_file.hpp"
#include "detail/insight/trace_log.hpp"
#include "detail/insight/trace_text.hpp"
#include "detail/insight/trace_ticker.hpp"
#include "detail/insight/trace_tracks.hpp"
#include "duration.hpp"
#include "observer.hpp"
#include "runtime.hpp"
#include "trace_options.hpp"

namespace toto::inline v0_1 {

/// An observer that writes a trace in the trace-event format (JSON).
///
///   toto::TraceWriter trace("work.json");
///   toto::TaskQueue queue({.thread_count = 4, .name = "work", .observer = &trace});
///
/// It shows, for each thread that has used an observed queue: the tasks that ran there, by the type of the callable,
/// until they ended or, if they are coroutines, suspended; marks where tasks were added, cancelled or awaited; arrows
/// from where a task was added to where it ran, and from there to where its awaiter resumed; and the number of queued
/// tasks in each queue. Queues with the same name share that number. A coroutine task also has its own track, from its
/// start to its end.
///
/// An event costs one clock reading and a copy of 56 bytes under an uncontended lock; text is generated later. Each
/// thread that has added a task costs 14 kB as long as the writer lives, and so does each live worker.
/// Lifetime: as that of any observer; with named queues, a static object that is made before the first of them. Must
/// not be used in the child of a fork.
/// Thread safety: Thread-safe, except with construction and destruction.
class TraceWriter final : public QueueObserver {
 public:
  /// Creates the file, or empties it. From then on the file can be opened at any time, even after the program was
  /// killed.
  /// Throws: std::invalid_argument naming the option; std::system_error naming the file, or because the timer thread
  /// cannot be started; std::bad_alloc.
  explicit TraceWriter(const std::string& file, TraceOptions options = {})
      : options_(detail::checked(options)), file_(file) {
    begin();
  }

  /// Writes to a stream, which must outlive the writer and must not itself use an observed queue. One thread at a time
  /// uses it.
  /// Throws: std::invalid_argument naming the option; std::system_error; std::bad_alloc.
  explicit TraceWriter(std::ostream& stream, TraceOptions options = {})
      : options_(detail::checked(options)), file_(stream) {
    begin();
  }

  /// As close(), but errors are ignored.
  ~TraceWriter() {
    try {
      close();
    } catch (...) {
    }
  }
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  /// Names the calling thread in the trace. By default it is "thread 1" and so on; workers are named by queue and
  /// number.
  /// Throws: std::bad_alloc.
  void name_thread(std::string_view name);

  /// Writes everything recorded so far; viewers accept the file in that state. Arrows to coroutines that have not
  /// resumed yet are missing.
  /// Blocks: while writing.
  /// Throws: std::system_error if the trace could not be written; std::bad_alloc, in which case the rest is written at
  /// the next attempt.
  void flush();

  /// The same, and ends the trace. Later events are not recorded, so call close() after the queues have ended.
  /// Blocks: while writing.
  /// Throws: as flush().
  void close();

  /// Returns the number of events that were lost because memory ran out. Snapshot: may be stale on return.
  std::uint64_t lost() const noexcept {
    return lost_.load(std::memory_order_relaxed);  // a number that orders nothing
  }

  // What queues call.

  void task_queued(const TaskEvent& event) noexcept override { record(Kind::queued, event, +1); }
  void task_started(const TaskEvent& event) noexcept override { record(Kind::started, event, -1); }
  void task_suspended(const TaskEvent& event) noexcept override {
    Log* const log = this_log();
    if (log != nullptr && log->is_open(event.task)) {
      record(Kind::left, event);
    }
  }
  void task_finished(const TaskEvent& event, TaskEnd end) noexcept override {
    Log* const log = this_log();
    if (log != nullptr && log->is_open(event.task)) {
      record(Kind::ended, event, 0, end);
    } else if (end == TaskEnd::cancelled) {
      record(Kind::discarded, event, -1, end);
    } else {
      record(Kind::collected, event, 0, end);
    }
  }
  void awaiter_resumed(const TaskEvent& event) noexcept override { record(Kind::resumed, event); }
  void thread_started(std::string_view queue, std::size_t number) noexcept override;
  void thread_ended(std::string_view queue, std::size_t number) noexcept override;
  void queue_starving(std::string_view queue, std::size_t queued, Duration /*since*/) noexcept override {
    TraceRecord starving;
    starving.kind = Kind::starving;
    starving.number = static_cast<std::int64_t>(queued);
    record(starving, queue, {});
  }

 private:
  using Kind = detail::TraceRecord::Kind;
  using TraceRecord = detail::TraceRecord;
  using Chunk = detail::TraceChunk;
  using Log = detail::TraceLog;
  using Name = detail::TraceName;
  using Thread = detail::TraceThread;
  using Clock = StdRuntime::Clock;
  using Lock = detail::Lock<StdRuntime::Mutex>;
  struct Numbers {
    StdRuntime::Atomic<std::uint64_t> last{0};
  };

  void begin() {
    {
      const Lock lock(mutex_);
      text_.begin();
      file_.write(text_.text);
    }
    ticker_.start();
  }
  /// On the timer thread.
  void tick() noexcept;

  /// Returns a new number, for a thread or a writer.
  static std::uint64_t new_number() {
    return StdRuntime::global<Numbers>().last.fetch_add(1, std::memory_order_relaxed) + 1;  // a name, no order
  }
  static Thread& this_thread() noexcept { return StdRuntime::Local<Thread, TraceWriter>::get(); }

  Log* this_log() noexcept {
    Thread& thread = this_thread();
    return thread.writer == number_ ? thread.log : find_log(thread);
  }
  Log* find_log(Thread& thread) noexcept;
  Log& make_log_locked(Thread& thread, std::uint32_t track) TOTO_REQUIRES(mutex_);

  /// The only copy of the text, or null if there was no memory for it.
  Name* name(Log& log, std::string_view text) noexcept;

  /// `queued`: by how much this changes the number of queued tasks.
  void record(Kind kind, const TaskEvent& event, int queued = 0, TaskEnd end = TaskEnd::completed) noexcept {
    TraceRecord record;
    record.kind = kind;
    record.task = event.task;
    record.number = queued;
    record.end = end;
    this->record(record, event.queue, event.what);
  }
  void record(TraceRecord& record, std::string_view queue, std::string_view what) noexcept;

  /// Takes over a chunk that is full; if too many chunks are held, writes them all.
  void hand_over(std::unique_ptr<Chunk> chunk) noexcept;
  void write_held_locked() TOTO_REQUIRES(mutex_);
  void write_records_locked() TOTO_REQUIRES(mutex_);
  void write_all_locked() TOTO_REQUIRES(mutex_);
  void lose(std::uint64_t events) noexcept { lost_.fetch_add(events, std::memory_order_relaxed); }

  const TraceOptions options_;
  const std::uint64_t number_ = new_number();  // so that a thread does not take this writer for an earlier one
  const Clock::time_point start_ = Clock::now();
  StdRuntime::Atomic<std::uint64_t> lost_{0};
  StdRuntime::Atomic<bool> closed_{false};

  // Taken before the mutex of a log, never after it.
  StdRuntime::Mutex mutex_;
  detail::TraceFile file_ TOTO_GUARDED_BY(mutex_);
  detail::TraceText text_ TOTO_GUARDED_BY(mutex_);
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
  std::map<std::uint64_t, std::unique_ptr<Log>> logs_ TOTO_GUARDED_BY(mutex_);  // by the number of the thread
  std::map<std::string, std::unique_ptr<Name>, std::less<>> names_ TOTO_GUARDED_BY(mutex_);
  detail::TraceTracks tracks_ TOTO_GUARDED_BY(mutex_);
  detail::TraceChunks held_ TOTO_GUARDED_BY(mutex_);
  detail::TraceTicker ticker_{options_.flush_every,
                              [](void* self) noexcept { static_cast<TraceWriter*>(self)->tick(); }, this};
};

// --- recording

inline void TraceWriter::record(TraceRecord& record, std::string_view queue, std::string_view what) noexcept {
  if (closed_.load(std::memory_order_relaxed)) {  // only not to fill memory: close() has taken what came before
    return;
  }
  Log* const log = this_log();
  record.queue = log != nullptr ? name(*log, queue) : nullptr;
  record.what = log != nullptr ? name(*log, what) : nullptr;
  if (record.queue == nullptr || record.what == nullptr) {
    lose(1);
    return;
  }
  record.time = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
  std::unique_ptr<Chunk> full;
  if (!log->append(record, full)) {
    lose(1);
  }
  if (full) {
    hand_over(std::move(full));
  }
}

inline TraceWriter::Name* TraceWriter::name(Log& log, std::string_view text) noexcept {
  Name*& seen = log.seen(text);
  if (seen == nullptr || seen->text != text) {
    try {
      const Lock lock(mutex_);
      auto found = names_.find(text);
      if (found == names_.end()) {
        auto made = std::make_unique<Name>();
        made->text = text;
        made->json = detail::json_text(text);
        found = names_.emplace(made->text, std::move(made)).first;
      }
      seen = found->second.get();
    } catch (...) {
      return nullptr;
    }
  }
  return seen;
}

inline TraceWriter::Log* TraceWriter::find_log(Thread& thread) noexcept {
  try {
    const Lock lock(mutex_);
    const auto found = logs_.find(thread.number);
    if (found == logs_.end()) {
      return &make_log_locked(thread, tracks_.make_for_thread());
    }
    thread.log = found->second.get();
    thread.writer = number_;
    return thread.log;
  } catch (...) {
    return nullptr;
  }
}

inline TraceWriter::Log& TraceWriter::make_log_locked(Thread& thread, std::uint32_t track) {
  if (thread.number == 0) {
    thread.number = new_number();
  }
  Log& log = *(logs_[thread.number] = std::make_unique<Log>(track));
  thread.log = &log;
  thread.writer = number_;
  return log;
}

inline void TraceWriter::name_thread(std::string_view name) {
  Log* const log = this_log();
  if (log == nullptr) {
    throw std::bad_alloc();
  }
  std::string json = detail::json_text(name);
  const Lock lock(mutex_);
  tracks_.rename(log->track(), std::move(json));
}

inline void TraceWriter::thread_started(std::string_view queue, std::size_t number) noexcept {
  Thread& thread = this_thread();
  try {
    const std::string name = std::string(queue) + '-' + std::to_string(number);
    const Lock lock(mutex_);
    if (logs_.count(thread.number) == 0) {
      make_log_locked(thread, tracks_.make_for_worker(name));
    }
  } catch (...) {  // then it has no name of its own
  }
  TraceRecord started;
  started.kind = Kind::thread_started;
  record(started, queue, {});
}

inline void TraceWriter::thread_ended(std::string_view queue, std::size_t number) noexcept {
  TraceRecord ended;
  ended.kind = Kind::thread_ended;
  record(ended, queue, {});
  Thread& thread = this_thread();
  if (thread.writer != number_) {
    return;
  }
  const Lock lock(mutex_);
  const std::uint32_t track = thread.log->track();
  held_.push(thread.log->take());
  logs_.erase(thread.number);
  thread.writer = 0;
  try {  // last: what the next worker records is held after this
    tracks_.give_back(std::string(queue) + '-' + std::to_string(number), track);
  } catch (...) {  // the next worker gets a new track
  }
}

// --- writing

inline void TraceWriter::hand_over(std::unique_ptr<Chunk> chunk) noexcept {
  const Lock lock(mutex_);
  held_.push(std::move(chunk));
  if (ended_ || held_.bytes() <= options_.buffer) {
    return;
  }
  try {
    write_held_locked();
  } catch (...) {  // close() will report it
  }
}

inline void TraceWriter::write_held_locked() {
  tracks_.write_names(text_);
  while (Chunk* const chunk = held_.front()) {
    text_.add(*chunk);
    held_.pop();
    file_.write(text_.text);
  }
}

inline void TraceWriter::write_records_locked() {
  write_held_locked();
  for (const auto& [thread, log] : logs_) {
    log->drain([this](Chunk& chunk) TOTO_NO_THREAD_SAFETY_ANALYSIS { text_.add(chunk); });
    file_.write(text_.text);
  }
}

inline void TraceWriter::write_all_locked() {
  write_records_locked();
  text_.settle();
  file_.write(text_.text);
}

inline void TraceWriter::tick() noexcept {
  try {
    const Lock lock(mutex_);
    if (!ended_) {
      write_records_locked();  // arrows may still come
    }
  } catch (...) {  // close() will tell
  }
}

inline void TraceWriter::flush() {
  const Lock lock(mutex_);
  if (!ended_) {
    write_all_locked();
    file_.throw_if_failed();
  }
}

inline void TraceWriter::close() {
  closed_.store(true, std::memory_order_relaxed);
  ticker_.stop();  // not under the mutex, for which it may wait
  const Lock lock(mutex_);
  if (ended_) {
    return;
  }
  write_all_locked();
  file_.end();
  ended_ = true;
  file_.throw_if_failed();
}

}  // namespace toto::inline v0_1

#endif  // TOTO_TRACE_HPP
