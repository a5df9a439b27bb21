// SPDX-License-Identifier: MIT
//
// TraceWriter: writes what queues do to a file that https://ui.perfetto.dev and chrome://tracing show: which task ran
// when and on which thread, where it was added, where its awaiter resumed. Opt-in: tasks.hpp does not include it. Read
// next: detail/insight/trace_log.hpp, detail/insight/trace_text.hpp.

#ifndef TOTO_TRACE_HPP
#define TOTO_TRACE_HPP

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <ios>
#include <map>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "detail/insight/trace_log.hpp"
#include "detail/insight/trace_text.hpp"
#include "observer.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

struct TraceOptions {
  /// How many bytes of events are kept in memory before they are written. When that many are kept, the thread that
  /// recorded the last event writes them all, and its task waits meanwhile. 0: after about 250 events of a thread.
  std::size_t buffer = std::size_t{64} << 20;
};
static_assert(std::is_trivially_destructible_v<TraceOptions>);

/// An observer that writes a trace in the trace-event format (JSON).
///
///   toto::TraceWriter trace("work.json");
///   toto::TaskQueue queue({.thread_count = 4, .name = "work", .observer = &trace});
///
/// It shows, for each thread that has used an observed queue: the tasks that ran there, by the type of the callable,
/// until they ended or, if they are coroutines, suspended; marks where tasks were added, cancelled or awaited; arrows
/// from where a task was added to where it ran to where its awaiter resumed; and how many tasks were queued in each
/// queue. Queues with the same name share that number. A coroutine task also has its own track, from its start to its
/// end.
///
/// An event costs one reading of the clock and a copy of 56 bytes under a lock that is not contended; text is made
/// later. Each thread that has added a task costs 14 kB as long as the writer lives, and so does each live worker.
/// Lifetime: as that of any observer; with named queues, a static object that is made before the first of them. Must
/// not be used in the child of a fork.
/// Thread safety: Thread-safe, except with construction and destruction.
class TraceWriter final : public QueueObserver {
 public:
  /// Creates the file, or empties it.
  /// Throws: std::system_error naming the file; std::bad_alloc.
  explicit TraceWriter(const std::string& file, TraceOptions options = {}) : TraceWriter(nullptr, options) {
    errno = 0;
    own_stream_.open(file, std::ios::binary);
    if (!own_stream_) {
      throw std::system_error(
          errno != 0 ? std::error_code(errno, std::generic_category()) : std::make_error_code(std::io_errc::stream),
          "toto: cannot write the trace to '" + file + "'");
    }
    stream_ = &own_stream_;
  }

  /// Writes to a stream, which must outlive the writer, is used by one thread at a time, and must not itself use an
  /// observed queue.
  /// Throws: std::bad_alloc.
  explicit TraceWriter(std::ostream& stream, TraceOptions options = {}) : TraceWriter(&stream, options) {}

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
  /// Throws: std::system_error if it could not be written; std::bad_alloc, in which case the rest is written at the
  /// next attempt.
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
  struct Track {
    std::string json;
    bool announced = false;
  };

  TraceWriter(std::ostream* stream, TraceOptions options) : options_(options), stream_(stream) { text_.begin(); }

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
  std::uint32_t make_track_locked(std::string_view name) TOTO_REQUIRES(mutex_);

  /// The one copy of the text. Null: no memory for it.
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
  void write_text_locked() TOTO_REQUIRES(mutex_);
  void write_all_locked() TOTO_REQUIRES(mutex_);
  void check_stream_locked() TOTO_REQUIRES(mutex_);
  void lose(std::uint64_t events) noexcept { lost_.fetch_add(events, std::memory_order_relaxed); }

  const TraceOptions options_;
  const std::uint64_t number_ = new_number();  // so that a thread does not take this writer for an earlier one
  const Clock::time_point start_ = Clock::now();
  StdRuntime::Atomic<std::uint64_t> lost_{0};
  StdRuntime::Atomic<bool> closed_{false};

  // Taken before the mutex of a log, never after it.
  StdRuntime::Mutex mutex_;
  std::ofstream own_stream_;
  std::ostream* stream_ TOTO_GUARDED_BY(mutex_);
  detail::TraceText text_ TOTO_GUARDED_BY(mutex_);
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
  std::map<std::uint64_t, std::unique_ptr<Log>> logs_ TOTO_GUARDED_BY(mutex_);  // by the number of the thread
  std::map<std::string, std::unique_ptr<Name>, std::less<>> names_ TOTO_GUARDED_BY(mutex_);
  std::vector<Track> tracks_ TOTO_GUARDED_BY(mutex_);  // the first is number 1
  /// Tracks of workers that have ended, by name: the next worker of that name continues there.
  std::multimap<std::string, std::uint32_t, std::less<>> free_tracks_ TOTO_GUARDED_BY(mutex_);
  detail::TraceChunks held_ TOTO_GUARDED_BY(mutex_);
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
      return &make_log_locked(thread, make_track_locked("thread " + std::to_string(tracks_.size() + 1)));
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

inline std::uint32_t TraceWriter::make_track_locked(std::string_view name) {
  tracks_.push_back({detail::json_text(name), false});
  return static_cast<std::uint32_t>(tracks_.size());
}

inline void TraceWriter::name_thread(std::string_view name) {
  Log* const log = this_log();
  if (log == nullptr) {
    throw std::bad_alloc();
  }
  std::string json = detail::json_text(name);
  const Lock lock(mutex_);
  tracks_[log->track() - 1] = {std::move(json), false};
}

inline void TraceWriter::thread_started(std::string_view queue, std::size_t number) noexcept {
  Thread& thread = this_thread();
  try {
    const std::string name = std::string(queue) + '-' + std::to_string(number);
    const Lock lock(mutex_);
    if (logs_.count(thread.number) == 0) {
      const auto free = free_tracks_.find(name);
      const std::uint32_t track = free != free_tracks_.end() ? free->second : make_track_locked(name);
      make_log_locked(thread, track);
      if (free != free_tracks_.end()) {
        free_tracks_.erase(free);
      }
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
    free_tracks_.emplace(std::string(queue) + '-' + std::to_string(number), track);
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
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (!tracks_[i].announced) {
      text_.thread_name(static_cast<std::uint32_t>(i + 1), tracks_[i].json);
      tracks_[i].announced = true;
    }
  }
  while (Chunk* const chunk = held_.front()) {
    text_.add(*chunk);
    held_.pop();
    write_text_locked();
  }
}

inline void TraceWriter::write_text_locked() {
  try {
    stream_->write(text_.text.data(), static_cast<std::streamsize>(text_.text.size()));
  } catch (const std::ios_base::failure&) {  // the stream's state says so, too
  }
  text_.text.clear();
}

inline void TraceWriter::write_all_locked() {
  write_held_locked();
  for (const auto& [thread, log] : logs_) {
    log->drain([this](Chunk& chunk) TOTO_NO_THREAD_SAFETY_ANALYSIS { text_.add(chunk); });
    write_text_locked();
  }
  text_.settle();
  write_text_locked();
}

inline void TraceWriter::check_stream_locked() {
  try {
    stream_->flush();
  } catch (const std::ios_base::failure&) {
  }
  if (!*stream_) {
    throw std::system_error(std::make_error_code(std::io_errc::stream), "toto: the trace could not be written");
  }
}

inline void TraceWriter::flush() {
  const Lock lock(mutex_);
  if (stream_ != nullptr && !ended_) {
    write_all_locked();
    check_stream_locked();
  }
}

inline void TraceWriter::close() {
  const Lock lock(mutex_);
  if (stream_ == nullptr || ended_) {
    return;
  }
  closed_.store(true, std::memory_order_relaxed);
  write_all_locked();
  text_.end();
  ended_ = true;
  write_text_locked();
  check_stream_locked();
}

}  // namespace toto::inline v0_1

#endif  // TOTO_TRACE_HPP
