// SPDX-License-Identifier: MIT
//
// https://prometheus.io/docs/instrumenting/exposition_formats/. Labels need no escapes here: names of queues, pools and
// routes are the program's own.

#include "prometheus.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <string_view>

namespace server {
namespace {

/// All samples of a metric stand together, below its head.
class Exposition {
 public:
  void begin(std::string_view metric, std::string_view type, std::string_view help) {
    metric_ = metric;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", metric, help, metric, type);
  }
  template <class Number>
  void add(std::string_view labels, Number value, std::string_view suffix = {}) {
    const std::string_view open = labels.empty() ? "" : "{";
    const std::string_view close = labels.empty() ? "" : "}";
    fmt::format_to(std::back_inserter(text_), "{}{}{}{}{} {}\n", metric_, suffix, open, labels, close, value);
  }
  template <class Number>
  void single(std::string_view metric, std::string_view type, std::string_view help, Number value) {
    begin(metric, type, help);
    add({}, value);
  }

  std::string take() { return std::move(text_); }

 private:
  std::string metric_;
  std::string text_;
};

void add_queues(Exposition& out, const std::vector<QueueSnapshot>& queues) {
  out.begin("toto_queue_threads", "gauge", "Threads of a queue that are alive.");
  for (const QueueSnapshot& queue : queues) {
    out.add(fmt::format(R"(queue="{}",state="busy")", queue.name), queue.stats.threads - queue.stats.idle);
    out.add(fmt::format(R"(queue="{}",state="idle")", queue.name), queue.stats.idle);
  }
  out.begin("toto_queue_tasks", "gauge", "Tasks of a queue that have not ended.");
  for (const QueueSnapshot& queue : queues) {
    out.add(fmt::format(R"(queue="{}",state="queued")", queue.name), queue.stats.queued);
    out.add(fmt::format(R"(queue="{}",state="running")", queue.name), queue.stats.running);
    out.add(fmt::format(R"(queue="{}",state="suspended")", queue.name), queue.stats.suspended);
  }
  out.begin("toto_queue_tasks_ended_total", "counter", "Tasks of a queue that have ended.");
  for (const QueueSnapshot& queue : queues) {
    out.add(fmt::format(R"(queue="{}",outcome="completed")", queue.name), queue.stats.completed);
    out.add(fmt::format(R"(queue="{}",outcome="failed")", queue.name), queue.stats.failed);
    out.add(fmt::format(R"(queue="{}",outcome="cancelled")", queue.name), queue.stats.cancelled);
  }
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

void add_times(Exposition& out, const std::vector<QueueSnapshot>& queues) {
  const auto add = [&](std::string_view metric, std::string_view type, std::string_view help,
                       std::chrono::nanoseconds toto::QueueTimes::* time) {
    out.begin(metric, type, help);
    for (const QueueSnapshot& queue : queues) {
      out.add(fmt::format(R"(queue="{}")", queue.name), seconds(queue.stats.times.*time));
    }
  };
  using toto::QueueTimes;
  add("toto_queue_oldest_seconds", "gauge", "For how long the oldest queued task waits.", &QueueTimes::oldest_queued);
  add("toto_queue_wait_seconds_total", "counter", "For how long tasks have waited.", &QueueTimes::queued);
  add("toto_queue_longest_wait_seconds", "gauge", "The longest of these.", &QueueTimes::longest_queued);
  add("toto_queue_run_seconds_total", "counter", "For how long tasks have run.", &QueueTimes::running);
  add("toto_queue_longest_run_seconds", "gauge", "The longest of these.", &QueueTimes::longest_running);
}

void add_pools(Exposition& out, const std::vector<PoolSnapshot>& pools) {
  out.begin("toto_pool_instances", "gauge", "Instances of a pool.");
  for (const PoolSnapshot& pool : pools) {
    out.add(fmt::format(R"(pool="{}",state="free")", pool.name), pool.stats.free);
    out.add(fmt::format(R"(pool="{}",state="leased")", pool.name), pool.stats.leased);
  }
  out.begin("toto_pool_capacity", "gauge", "How many instances a pool can have.");
  for (const PoolSnapshot& pool : pools) {
    out.add(fmt::format(R"(pool="{}")", pool.name), pool.stats.capacity);
  }
  out.begin("toto_pool_waiting", "gauge", "How many wait for an instance.");
  for (const PoolSnapshot& pool : pools) {
    out.add(fmt::format(R"(pool="{}")", pool.name), pool.stats.waiting);
  }
  out.begin("toto_pool_leases_total", "counter", "How often an instance was handed out.");
  for (const PoolSnapshot& pool : pools) {
    out.add(fmt::format(R"(pool="{}")", pool.name), pool.stats.leases);
  }
  out.begin("toto_pool_destroyed_total", "counter", "Instances that were destroyed, by reason.");
  for (const PoolSnapshot& pool : pools) {
    out.add(fmt::format(R"(pool="{}",reason="broken")", pool.name), pool.stats.rejected + pool.stats.discarded);
    out.add(fmt::format(R"(pool="{}",reason="unused")", pool.name), pool.stats.retired);
  }
}

void add_routes(Exposition& out, const Metrics& metrics) {
  out.begin("http_requests_total", "counter", "Requests that were answered.");
  for (const RouteMetrics& route : metrics.routes()) {
    for (const auto& [status, count] : route.statuses()) {
      out.add(fmt::format(R"(route="{}",code="{}")", route.name(), status), count);
    }
  }
  out.add(R"(route="",code="404")", metrics.unknown());
  out.begin("http_request_seconds", "histogram", "How long answering took, refusals not counted.");
  for (const RouteMetrics& route : metrics.routes()) {
    const Histogram& times = route.times();
    for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
      out.add(fmt::format(R"(route="{}",le="{}")", route.name(), Histogram::kBounds[i]), times.up_to(i), "_bucket");
    }
    out.add(fmt::format(R"(route="{}",le="+Inf")", route.name()), times.count(), "_bucket");
    out.add(fmt::format(R"(route="{}")", route.name()), times.sum(), "_sum");
    out.add(fmt::format(R"(route="{}")", route.name()), times.count(), "_count");
  }
}

}  // namespace

std::string prometheus_of(const Snapshot& snapshot) {
  Exposition out;
  out.single("http_connections", "gauge", "Connections of clients.", snapshot.connections);
  out.single("http_requests_in_progress", "gauge", "Requests that are read and not yet answered.",
             snapshot.in_progress);
  out.single("http_requests_malformed_total", "counter", "Requests that could not be read.", snapshot.malformed);
  out.single("http_timeouts_total", "counter", "Clients that took too long to send or to read.", snapshot.timed_out);
  add_routes(out, *snapshot.metrics);
  add_queues(out, snapshot.queues);
  add_times(out, snapshot.queues);
  add_pools(out, snapshot.pools);
  out.single("process_resident_memory_bytes", "gauge", "Resident memory.", snapshot.resident_bytes);
  out.single("process_threads", "gauge", "Threads of the process.", snapshot.threads);
  return out.take();
}

}  // namespace server
