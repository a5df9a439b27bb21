// SPDX-License-Identifier: MIT
//
// TraceText: records of a trace as text, in the trace-event format that Perfetto and Chrome read ("JSON Object Format",
// times in microseconds, to the nanosecond). It puts together what several threads have recorded of one task: the
// arrows. Read next: ../trace.hpp.

#ifndef TOTO_DETAIL_INSIGHT_TRACE_TEXT_HPP
#define TOTO_DETAIL_INSIGHT_TRACE_TEXT_HPP

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "trace_log.hpp"

namespace toto::inline v0_1::detail {

/// The length of the UTF-8 character at the beginning of a text that is not empty; 0: there is none.
inline std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || first > 0xf4 || text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  // Not written as short as possible, a half of a surrogate pair, beyond the last character.
  const bool refused = length > 2 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
                                      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f));
  return refused ? 0 : length;
}

/// The text as it stands between the quotes of a JSON text. What is not UTF-8 becomes a replacement character.
inline std::string json_text(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string json;
  json.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char first = text.front();
    if (length == 0) {
      json += "\\ufffd";
    } else if (first == '"' || first == '\\') {
      json += '\\';
      json += first;
    } else if (length == 1 && (static_cast<unsigned char>(first) < 0x20 || first == 0x7f)) {
      json += "\\u00";
      json += kDigits[static_cast<unsigned char>(first) >> 4];
      json += kDigits[static_cast<unsigned char>(first) & 15];
    } else {
      json += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return json;
}

/// A call that throws std::bad_alloc has written whole events only, and can be repeated: it goes on where it stopped.
/// Thread safety: One thread at a time.
class TraceText {
 public:
  /// What has been written since the last time somebody took it away.
  std::string text;

  void begin() {
    // Told to be in nanoseconds, or chrome://tracing rounds to microseconds, nests what then falls together, and drops
    // the arrows that begin or end there.
    text +=
        "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"ts\":0,\"pid\":1,"
        "\"tid\":0,\"args\":{\"name\":\"toto\"}}";
  }

  /// `json`: the name, as json_text() gives it.
  void thread_name(std::uint32_t track, std::string_view json) {
    write([&] {
      event("thread_name", "M", 0, track);
      argument("name", json, true);
      close();
    });
  }

  void add(TraceChunk& chunk) {
    for (; chunk.begin < chunk.size; ++chunk.begin) {
      if (changes_.size() >= 2 * kRemembered) {
        write_counts(kRemembered);
      }
      if (over_.size() > kRemembered) {
        settle_oldest();
      }
      const std::size_t i = chunk.begin;
      const TraceRecord& record = chunk.records[i];
      // A mark is as long as it can be without touching what follows it, and a microsecond at most.
      const std::int64_t next = i + 1 < chunk.size ? chunk.records[i + 1].time : record.time + 1;
      write([&] { add(record, chunk.track, std::min<std::int64_t>(next - record.time, 1000)); });
    }
  }

  /// Writes what waits for events that may come yet: the arrows of tasks that are over, though somebody may go on with
  /// the result; and the numbers of queued tasks.
  void settle() {
    write_counts(changes_.size());
    while (!over_.empty()) {
      settle_oldest();
    }
  }

 private:
  using Kind = TraceRecord::Kind;

  /// Where an arrow begins or ends.
  struct Point {
    std::int64_t time = -1;
    std::uint32_t track = 0;
    explicit operator bool() const noexcept { return time >= 0; }
  };
  /// What is known of a task. Its records come in any order, because they are from several threads.
  struct Known {
    Point queued;
    Point started;
    Point over;  // unless at the end of its slice
    Point resumed;
    const TraceName* what = nullptr;  // since it was started
    bool is_over = false;
  };
  /// In the number of queued tasks. Threads tell of theirs in any order: they are added up late, when most are known.
  struct Change {
    std::int64_t time;
    std::int64_t by;
    const TraceName* queue;
    std::uint32_t track;
  };
  /// So many tasks that are over are remembered, in case somebody goes on with the result, and so many changes.
  static constexpr std::size_t kRemembered = 1 << 16;

  /// Calls `events()`. If that throws, nothing has been written.
  template <class Events>
  void write(Events events) {
    const std::size_t before = text.size();
    try {
      events();
    } catch (...) {
      text.resize(before);
      throw;
    }
  }

  /// May be repeated after it has thrown: until nothing can throw any more, it does only what it can do twice.
  void add(const TraceRecord& record, std::uint32_t track, std::int64_t length) {
    const Point here{record.time, track};
    if (changes_.size() == changes_.capacity()) {
      changes_.reserve(2 * changes_.size() + 64);
    }
    switch (record.kind) {
      case Kind::queued:
        mark("add", record, here, length);
        known_[record.task].queued = here;
        break;
      case Kind::started:
        event(record.what->json, "B", here.time, track);
        argument("task", record.task, true);
        argument("queue", record.queue->json);
        close();
        known_[record.task].started = here;
        known_[record.task].what = record.what;
        break;
      case Kind::left:
        end_slice("suspended", here);
        return;
      case Kind::ended:
        end_slice(text_of(record.end), here);
        note_over(record.task);
        break;
      case Kind::collected:
        mark(text_of(record.end), record, here, length);
        known_[record.task].over = here;
        note_over(record.task);
        break;
      case Kind::discarded:
        mark("cancelled", record, here, length);
        known_[record.task].over = here;
        note_over(record.task);
        break;
      case Kind::resumed:
        mark("resume", record, here, length);
        known_[record.task].resumed = here;
        break;
      case Kind::thread_started:
      case Kind::thread_ended:
        event(record.kind == Kind::thread_started ? "thread starts" : "thread ends", "i", here.time, track);
        text += ",\"s\":\"t\"}";
        return;
      case Kind::starving:
        event("starving", "i", here.time, track);
        text += ",\"s\":\"p\"";
        argument("queue", record.queue->json, true);
        argument("queued", static_cast<std::uint64_t>(record.number));
        close();
        return;
    }
    const auto found = known_.find(record.task);
    if (found->second.is_over && found->second.queued && found->second.resumed) {
      draw(found->first, found->second);
      known_.erase(found);
    }
    if (record.number != 0) {
      changes_.push_back({record.time, record.number, record.queue, track});  // within what was reserved
    }
  }

  void note_over(std::uint64_t task) {
    known_[task].is_over = true;
    over_.push_back(task);
  }
  void settle_oldest() {
    const auto found = known_.find(over_.front());
    if (found != known_.end() && found->second.is_over) {
      write([&] { draw(found->first, found->second); });
      known_.erase(found);
    }
    over_.pop_front();
  }

  /// The arrows of a task: from where it was added to where it ran, to where its coroutine was over, to where its
  /// awaiter went on; as far as it came. And the whole life of a coroutine, of which the threads show only the
  /// beginning and the end.
  void draw(std::uint64_t task, const Known& known) {
    std::array<Point, 4> points;
    std::size_t size = 0;
    for (const Point& point : {known.queued, known.started, known.over, known.resumed}) {
      if (point) {
        points[size++] = point;
      }
    }
    if (size < 2 || !known.queued) {
      return;
    }
    for (std::size_t i = 0; i < size; ++i) {
      event("task", i == 0 ? "s" : i + 1 == size ? "f" : "t", points[i].time, points[i].track);
      text += ",\"cat\":\"task\",\"bp\":\"e\",\"id\":";
      number(task);
      text += '}';
    }
    if (known.started && known.over) {
      span(known.what->json, "b", task, known.started);
      span(known.what->json, "e", task, known.over);
    }
  }

  void mark(std::string_view name, const TraceRecord& record, Point here, std::int64_t length) {
    event(name, "X", here.time, here.track);
    text += ",\"dur\":";
    microseconds(length);
    argument("task", record.task, true);
    argument("what", record.what->json);
    close();
  }
  void span(std::string_view name, std::string_view phase, std::uint64_t task, Point here) {
    event(name, phase, here.time, here.track);
    text += ",\"cat\":\"coroutine\",\"id\":";
    number(task);
    text += '}';
  }
  void end_slice(std::string_view end, Point here) {
    event({}, "E", here.time, here.track);
    argument("end", end, true);
    close();
  }
  /// Adds up the oldest changes.
  void write_counts(std::size_t size) {
    std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.time < b.time; });
    std::size_t written = 0;
    const auto forget = [&] {
      changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(written));
    };
    try {
      for (; written < size; ++written) {
        const Change& change = changes_[written];
        std::int64_t& queued = queued_[change.queue];
        write([&] {
          text += ",\n{\"name\":\"queued in ";
          text += change.queue->json;
          text += "\",\"ph\":\"C\"";
          place(change.time, change.track);
          argument("tasks", static_cast<std::uint64_t>(std::max<std::int64_t>(queued + change.by, 0)), true);
          close();
        });
        queued += change.by;
      }
    } catch (...) {
      forget();
      throw;
    }
    forget();
  }

  void event(std::string_view name, std::string_view phase, std::int64_t time, std::uint32_t track) {
    text += ",\n{";
    if (!name.empty()) {
      text += "\"name\":\"";
      text += name;
      text += "\",";
    }
    text += "\"ph\":\"";
    text += phase;
    text += '"';
    place(time, track);
  }
  void place(std::int64_t time, std::uint32_t track) {
    text += ",\"ts\":";
    microseconds(time);
    text += ",\"pid\":1,\"tid\":";
    number(track);
  }
  void argument(std::string_view name, std::string_view json, bool first = false) {
    key(name, first);
    text += '"';
    text += json;
    text += '"';
  }
  void argument(std::string_view name, std::uint64_t value, bool first = false) {
    key(name, first);
    number(value);
  }
  void key(std::string_view name, bool first) {
    text += first ? ",\"args\":{\"" : ",\"";
    text += name;
    text += "\":";
  }
  void close() { text += "}}"; }

  void number(std::uint64_t value) {
    std::array<char, 20> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    text.append(digits.data(), end);
  }
  void microseconds(std::int64_t nanoseconds) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
    number(value / 1000);
    const auto rest = value % 1000;
    text += '.';
    text += static_cast<char>('0' + rest / 100);
    text += static_cast<char>('0' + rest / 10 % 10);
    text += static_cast<char>('0' + rest % 10);
  }

  std::unordered_map<std::uint64_t, Known> known_;
  std::deque<std::uint64_t> over_;  // in the order in which they were seen to be over; some are forgotten already
  std::vector<Change> changes_;
  std::unordered_map<const TraceName*, std::int64_t> queued_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_INSIGHT_TRACE_TEXT_HPP
