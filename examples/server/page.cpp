// SPDX-License-Identifier: MIT
//
// The part of the page that changes. Its look is in page_style.hpp.

#include "page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "page_style.hpp"

namespace server {
namespace {

template <class... Args>
void print(std::string& out, fmt::format_string<const Args&...> format, const Args&... args) {
  fmt::format_to(std::back_inserter(out), format, args...);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// 0.00042 -> "420 µs"
std::string time_text(double seconds) {
  if (seconds < 0.001) {
    return fmt::format("{:.0f} µs", seconds * 1e6);
  }
  return seconds < 1 ? fmt::format("{:.3g} ms", seconds * 1e3) : fmt::format("{:.3g} s", seconds);
}

std::string time_text(std::chrono::nanoseconds time) {
  return time_text(std::chrono::duration<double>(time).count());
}

std::chrono::nanoseconds mean(std::chrono::nanoseconds sum, std::uint64_t count) {
  return count == 0 ? sum : sum / static_cast<std::int64_t>(count);
}

/// 3725 s -> "1 h 2 min"
std::string uptime_text(std::chrono::seconds uptime) {
  const auto seconds = uptime.count();
  if (seconds < 60) {
    return fmt::format("{} s", seconds);
  }
  return seconds < 3600 ? fmt::format("{} min {} s", seconds / 60, seconds % 60)
                        : fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

/// 1234567 -> "1 234 567", with spaces that do not break.
std::string number_text(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) {
    digits.insert(i - 3, "\u202f");
  }
  return digits;
}

/// (1, "thread") -> "1 thread", (2, "thread") -> "2 threads"
std::string counted(std::uint64_t number, std::string_view noun) {
  return number_text(number) + ' ' + std::string(noun) + (number == 1 ? "" : "s");
}

template <class Value>
std::string curve(const std::deque<Sample>& history, Value value, std::uint64_t highest, std::string_view colour) {
  std::string points;
  std::size_t x = 0;
  for (const Sample& sample : history) {
    const double y =
        29 - 27 * static_cast<double>(value(sample)) / static_cast<double>(std::max<std::uint64_t>(1, highest));
    print(points, "{},{:.1f} ", x++, y);
  }
  return fmt::format(R"svg(<svg viewBox="0 0 {0} 30" preserveAspectRatio="none" aria-hidden="true">)svg"
                     R"svg(<polygon points="0,30 {1}{0},30" fill="var(--{2})" opacity=".16"/>)svg"
                     R"svg(<polyline points="{1}" fill="none" stroke="var(--{2})" stroke-width="1.5")svg"
                     R"svg( vector-effect="non-scaling-stroke"/></svg>)svg",
                     history.size() - 1, points, colour);
}

/// The last second as a number, and the last minutes as a curve.
template <class Value>
void add_tile(std::string& out, std::string_view label, const std::deque<Sample>& history, Value value,
              std::string_view colour) {
  std::uint64_t highest = 0;
  for (const Sample& sample : history) {
    highest = std::max(highest, value(sample));
  }
  print(
      out,
      R"(<div class="card tile"><div class="dim small top"><span>{}</span><span class="peak">peak {}</span></div><b>{}</b>{}</div>)",
      label, number_text(highest), number_text(value(history.back())), curve(history, value, highest, colour));
}

/// Busy threads and connections are no reason to worry; a line that is full is.
enum class Bar { usage, line };

/// `most` is 0 if there is no bound.
void add_bar(std::string& out, Bar kind, std::string_view label, std::uint64_t value, std::uint64_t most) {
  const std::uint64_t percent = most == 0 ? 0 : std::min<std::uint64_t>(100, value * 100 / most);
  const std::string_view state = kind == Bar::usage ? "" : percent >= 100 ? " full" : percent >= 75 ? " high" : "";
  print(out,
        R"(<div class="bar{}"><div><span>{}</span><span>{}<span class="dim">{}</span></span></div>)"
        R"(<i><i style="width:{}%"></i></i></div>)",
        state, label, number_text(value), most == 0 ? ", no bound" : " of " + number_text(most), percent);
}

void add_fact(std::string& out, std::string_view label, std::string_view value, bool bad = false) {
  print(out, R"(<div><dt>{}</dt><dd{}>{}</dd></div>)", label, bad ? R"( class="bad")" : "", value);
}

void add_header(std::string& out, const Snapshot& now) {
  print(out,
        R"(<header><h1>server</h1><span class="live"></span><span class="dim">{}</span>)"
        R"(<span class="dim">up {}</span>)",
        escaped(now.backend), uptime_text(now.uptime));
  if (now.threads > 0) {
    print(out, R"(<span class="dim">{} threads, {} MiB</span>)", now.threads, now.resident_bytes >> 20);
  }
  out += "</header>\n";
}

void add_tiles(std::string& out, const Snapshot& now) {
  const std::deque<Sample>& history = *now.history;
  out += R"(<section class="tiles">)";
  add_tile(out, "answers per second", history, [](const Sample& s) { return s.answered; }, "green");
  add_tile(out, "refused per second", history, [](const Sample& s) { return s.refused; }, "red");
  add_tile(out, "passwords waiting", history, [](const Sample& s) { return s.hashes_waiting; }, "amber");
  add_tile(out, "queries waiting", history, [](const Sample& s) { return s.queries_waiting; }, "blue");
  out += "</section>\n";
}

void add_queue(std::string& out, const QueueSnapshot& queue) {
  const toto::QueueStats& stats = queue.stats;
  print(out, R"(<div class="card"><div class="top"><h3>{}</h3><span class="dim small">{}, {} idle</span></div>)",
        escaped(queue.name), counted(stats.threads, "thread"), stats.idle);
  add_bar(out, Bar::usage, "running", stats.running, queue.most_threads);
  add_bar(out, Bar::line, "waiting", stats.queued, queue.most_queued);
  const toto::QueueTimes& times = stats.times;
  const std::uint64_t ended = stats.completed + stats.failed;
  out += "<dl>";
  add_fact(out, "mean wait", time_text(mean(times.queued, ended + stats.running + stats.suspended)));
  add_fact(out, "longest", time_text(times.longest_queued));
  add_fact(out, "mean run", time_text(mean(times.running, ended)));
  add_fact(out, "longest", time_text(times.longest_running));
  add_fact(out, "oldest now", time_text(times.oldest_queued));
  add_fact(out, "completed", number_text(stats.completed));
  add_fact(out, "failed", number_text(stats.failed), stats.failed > 0);
  add_fact(out, "cancelled", number_text(stats.cancelled));
  out += "</dl></div>\n";
}

/// "  held: transaction ... for queue 'db', 0.012 s ago": those that differ in their age alone are one line, with the age
/// of the first, which is the oldest.
void add_holders(std::string& out, std::string_view holders) {
  struct Line {
    std::string_view kind, what, age;
    std::uint64_t count = 0;
  };
  std::vector<Line> lines;
  while (!holders.empty()) {
    std::string_view text = holders.substr(0, holders.find('\n'));
    holders.remove_prefix(std::min(holders.size(), text.size() + 1));
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ')));
    const std::size_t kind = text.find(": ");
    const std::size_t age = text.rfind(", ");
    if (kind == std::string_view::npos) {
      continue;
    }
    if (age == std::string_view::npos || age < kind) {
      lines.push_back({text.substr(0, kind), text.substr(kind + 2), {}});  // "13 more": a dump has the first 16
      continue;
    }
    const Line line{text.substr(0, kind), text.substr(kind + 2, age - kind - 2), text.substr(age + 2)};
    const auto same = [&](const Line& other) { return other.kind == line.kind && other.what == line.what; };
    const auto found = std::find_if(lines.begin(), lines.end(), same);
    (found == lines.end() ? lines.emplace_back(line) : *found).count += 1;
  }
  out += "<ul>";
  for (const Line& line : lines) {
    print(out, R"(<li class="{0}"><b>{1}{0}</b><span>{2} <span class="dim">{3}</span></span></li>)", escaped(line.kind),
          line.count == 0 ? "" : number_text(line.count) + ' ', escaped(line.what), escaped(line.age));
  }
  print(out, "{}</ul>", lines.empty() ? R"(<li class="dim">nobody holds a connection</li>)" : "");
}

void add_pool(std::string& out, const PoolSnapshot& pool) {
  const toto::PoolStats& stats = pool.stats;
  print(out, R"(<div class="card"><div class="top"><h3>{}</h3><span class="dim small">{}, {} free</span></div>)",
        escaped(pool.name), counted(stats.instances, "connection"), stats.free);
  add_bar(out, Bar::usage, "in use", stats.leased, stats.capacity);
  add_bar(out, Bar::line, "waiting", stats.waiting, pool.most_waiting);
  out += "<dl>";
  add_fact(out, "used", number_text(stats.leases));
  add_fact(out, "made", number_text(stats.made));
  add_fact(out, "broken", number_text(stats.rejected + stats.discarded), stats.rejected + stats.discarded > 0);
  add_fact(out, "expired", number_text(stats.retired));
  out += "</dl>";
  add_holders(out, pool.holders);
  out += "</div>\n";
}

/// A cell; a zero is not worth looking at.
void add_count(std::string& out, std::uint64_t count, bool bad = false) {
  print(out, R"(<td class="{}">{}</td>)", count == 0 ? "dim" : bad ? "bad" : "", number_text(count));
}

void add_routes(std::string& out, const Metrics& metrics) {
  out += R"(<div class="card wide"><table><tr><th>route</th><th>answers</th><th>4xx</th><th>5xx</th><th>503</th>)"
         "<th>p50</th><th>p99</th></tr>";
  for (const RouteMetrics& route : metrics.routes()) {
    print(out, "<tr><td><code>{}</code></td>", escaped(route.name()));
    add_count(out, route.answered());
    add_count(out, route.of_hundred(4));
    add_count(out, route.of_hundred(5), true);
    add_count(out, route.refused());
    for (const double share : {0.5, 0.99}) {
      print(out, "<td>{}</td>", route.times().count() == 0 ? "–" : time_text(route.times().quantile(share)));
    }
    out += "</tr>";
  }
  out += "</table></div>\n";
}

}  // namespace

std::string page_of(const Snapshot& now) {
  std::string out = kPageHead;
  out += "<main>\n";
  add_header(out, now);
  add_tiles(out, now);
  out += R"(<h2>Queues</h2><section class="grid">)";
  for (const QueueSnapshot& queue : now.queues) {
    add_queue(out, queue);
  }
  out += R"(</section><h2>Connections to the database</h2><section class="grid">)";
  for (const PoolSnapshot& pool : now.pools) {
    add_pool(out, pool);
  }
  out += "</section><h2>Routes</h2>";
  add_routes(out, *now.metrics);
  print(out,
        R"(<footer class="dim small">{} clients connected, {} requests in progress; {} without a route, {} malformed, )"
        R"({} timed out. <a href="/metrics">/metrics</a></footer>)"
        "\n</main>\n",
        now.connections, now.in_progress, number_text(now.metrics->unknown()), number_text(now.malformed),
        number_text(now.timed_out));
  return out + kPageFoot;
}

}  // namespace server
