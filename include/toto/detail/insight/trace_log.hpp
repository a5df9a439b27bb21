// SPDX-License-Identifier: MIT
//
// Folder: insight. Uses: ground executor. What is recorded about a running program, for people to read.
//
// What a TraceWriter keeps until it writes: TraceRecord, one event of one thread, in binary; TraceChunk, some of them;
// TraceLog, what one thread has recorded since its last full chunk; TraceName, a text that events refer to. Read next:
// trace_text.hpp, ../../trace.hpp.

#ifndef TOTO_DETAIL_INSIGHT_TRACE_LOG_HPP
#define TOTO_DETAIL_INSIGHT_TRACE_LOG_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../observer.hpp"
#include "../../runtime.hpp"
#include "../ground/annotations.hpp"
#include "../ground/lock.hpp"

namespace toto::inline v0_1::detail {

/// The name of a queue, or of the type of a callable. Kept as long as the writer.
struct TraceName {
  std::string text;
  std::string json;  ///< the same, as it stands between the quotes of a JSON text
};

struct TraceRecord {
  enum class Kind : unsigned char {
    queued,
    started,    ///< a slice begins
    left,       ///< a slice ends: a coroutine has suspended, or will be collected
    ended,      ///< a slice ends, and with it the task
    collected,  ///< the task is over, and its slice has ended before
    discarded,  ///< the task is over and has no slice
    resumed,
    thread_started,
    thread_ended,
    starving,
  };

  std::int64_t time = 0;  ///< nanoseconds
  std::uint64_t task = 0;
  const TraceName* queue = nullptr;
  const TraceName* what = nullptr;
  std::int64_t number = 0;  ///< by how much this changes the number of queued tasks; if starving: that number
  Kind kind = Kind::queued;
  TaskEnd end = TaskEnd::completed;
};

/// Records of one thread, in the order of time.
struct TraceChunk {
  static constexpr std::size_t kRecords = 256;

  explicit TraceChunk(std::uint32_t of_track) noexcept : track(of_track) {}

  const std::uint32_t track;
  std::size_t begin = 0;  ///< what comes before has been written
  std::size_t size = 0;
  std::unique_ptr<TraceChunk> next;
  std::array<TraceRecord, kRecords> records;
};

/// Full chunks, in the order in which they were handed over.
class TraceChunks {
 public:
  TraceChunks() = default;
  TraceChunks(const TraceChunks&) = delete;
  TraceChunks& operator=(const TraceChunks&) = delete;
  ~TraceChunks() {
    while (pop()) {
    }
  }

  std::size_t bytes() const noexcept { return size_ * sizeof(TraceChunk); }

  void push(std::unique_ptr<TraceChunk> chunk) noexcept {
    TraceChunk* const last = chunk.get();
    (last_ != nullptr ? last_->next : first_) = std::move(chunk);
    last_ = last;
    ++size_;
  }
  /// The oldest; null if there is none.
  TraceChunk* front() noexcept { return first_.get(); }
  std::unique_ptr<TraceChunk> pop() noexcept {
    std::unique_ptr<TraceChunk> chunk = std::move(first_);
    if (chunk) {
      first_ = std::move(chunk->next);
      last_ = first_ ? last_ : nullptr;
      --size_;
    }
    return chunk;
  }

 private:
  std::unique_ptr<TraceChunk> first_;
  TraceChunk* last_ = nullptr;
  std::size_t size_ = 0;
};

/// What one thread has recorded. Only that thread appends; the mutex is for flush().
class TraceLog {
 public:
  explicit TraceLog(std::uint32_t track) : track_(track), chunk_(std::make_unique<TraceChunk>(track)) {
    open_.reserve(TraceChunk::kRecords);
  }

  std::uint32_t track() const noexcept { return track_; }

  // Called by its own thread only.

  /// Whether the innermost open slice is this task's.
  bool is_open(std::uint64_t task) const noexcept { return !open_.empty() && open_.back() == task; }

  /// Adds a record, at its time or right after the record before. Returns false if there is no memory for it. A slice
  /// that was begun can always be ended: `chunk_` has room for the end. `full`: receives a chunk that is to be handed
  /// over.
  bool append(TraceRecord& record, std::unique_ptr<TraceChunk>& full) noexcept {
    const bool begins = record.kind == TraceRecord::Kind::started;
    const bool ends = record.kind == TraceRecord::Kind::left || record.kind == TraceRecord::Kind::ended;
    const Lock lock(mutex_);
    const std::size_t needed = (ends ? 0 : 1 + open_.size()) + (begins ? 1 : 0);
    if (chunk_->size + needed > TraceChunk::kRecords) {
      std::unique_ptr<TraceChunk> fresh(needed > TraceChunk::kRecords ? nullptr
                                                                      : new (std::nothrow) TraceChunk(track_));
      if (!fresh) {
        return false;
      }
      full = std::exchange(chunk_, std::move(fresh));
    }
    if (begins) {
      open_.push_back(record.task);  // within what was reserved
    } else if (ends) {
      open_.pop_back();
    }
    last_ = record.time > last_ ? record.time : last_ + 1;
    record.time = last_;
    chunk_->records[chunk_->size++] = record;
    return true;
  }

  /// The place where a name of that address was seen last.
  TraceName*& seen(std::string_view text) noexcept {
    return seen_[(reinterpret_cast<std::uintptr_t>(text.data()) >> 3) % seen_.size()];
  }

  // Called by any thread.

  /// Passes the chunk to `write(chunk)`, and empties it.
  /// Throws: what `write` throws; what it has not written is kept.
  template <class Write>
  void drain(Write write) {
    const Lock lock(mutex_);
    write(*chunk_);
    chunk_->begin = chunk_->size = 0;
  }
  /// The chunk. Nothing is appended after this.
  std::unique_ptr<TraceChunk> take() noexcept {
    const Lock lock(mutex_);
    return std::move(chunk_);
  }

 private:
  const std::uint32_t track_;
  std::vector<std::uint64_t> open_;  // the tasks whose slices are open, outermost first
  std::int64_t last_ = -1;
  std::array<TraceName*, 32> seen_{};

  StdRuntime::Mutex mutex_;
  std::unique_ptr<TraceChunk> chunk_ TOTO_GUARDED_BY(mutex_);
};

/// The calling thread, for all writers.
struct TraceThread {
  std::uint64_t number = 0;  ///< no other thread ever has it; 0: not yet assigned
  std::uint64_t writer = 0;  ///< whose log that is; 0: none
  TraceLog* log = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_INSIGHT_TRACE_LOG_HPP
