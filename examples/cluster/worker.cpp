// SPDX-License-Identifier: MIT
//
// Two coroutines feed the queue: one takes new jobs, the other those of workers that have died. A job that was taken is
// reported as alive until its result is stored.

#include "worker.hpp"

#include <csignal>
#include <functional>
#include <memory>
#include <set>
#include <string_view>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "../catalog/hash.hpp"
#include "redis.hpp"
#include "wire.hpp"

namespace cluster {
namespace {

const std::string kWait = "200";   // ms: how soon SIGTERM is noticed
const std::string kAtOnce = "16";  // jobs of the dead

volatile std::sig_atomic_t stop_requested = 0;

void on_signal(int) {
  stop_requested = 1;
}

class Worker {
 public:
  Worker(const WorkerOptions& options, toto::EventLoop& loop)
      : options_(options),
        loop_(loop),
        io_queue_({.thread_count = 2, .name = "redis"}),
        hash_queue_({.thread_count = options.threads, .name = "hash", .max_queued = options.threads}),
        taker_(std::make_unique<Redis>(options.redis), io_queue_),
        storer_(std::make_unique<Redis>(options.redis), io_queue_) {
    loop.spawn(take_new_jobs());
    timer_ = loop.post_every(options.claim_after / 3, [this] { return take_jobs_of_the_dead(); });
  }

 private:
  /// One at a time, and none before there is room for it: what this worker does not take, another one can.
  toto::Task<> take_new_jobs() {
    co_await storer_(&make_group_of);
    while (stop_requested == 0) {
      toto::Admission<> room = co_await hash_queue_.admission();
      Command read{"XREADGROUP", "GROUP", kGroup, options_.name, "COUNT", "1", "BLOCK", kWait, "STREAMS", kJobs, ">"};
      auto reading = taker_(&Redis::command, std::move(read));
      const Reply reply = co_await reading;
      if (!reply.items.empty()) {
        for (Entry& job : entries_of(reply.items[0].items.at(1))) {
          begin(std::move(room), std::move(job));
        }
      }
    }
    timer_.stop();  // the loop ends when what was taken has ended
  }

  toto::Task<> take_jobs_of_the_dead() {
    co_await show_up();
    const std::string idle = std::to_string(options_.claim_after.count());
    Command claim{"XAUTOCLAIM", kJobs, kGroup, options_.name, idle, "0-0", "COUNT", kAtOnce};
    auto claiming = storer_(&Redis::command, std::move(claim));
    const Reply reply = co_await claiming;
    std::vector<Entry> claimed = entries_of(reply.items.at(1));
    std::erase_if(claimed, [&](const Entry& job) { return !mine_.insert(job.id).second; });
    for (Entry& job : claimed) {
      toto::Admission<> room = co_await hash_queue_.admission();
      begin(std::move(room), std::move(job));
    }
  }

  /// What this worker is at is not claimed by others, however long it takes.
  toto::Task<> show_up() {
    if (mine_.empty()) {
      co_return;
    }
    Command keep{"XCLAIM", kJobs, kGroup, options_.name, "0"};
    keep.insert(keep.end(), mine_.begin(), mine_.end());
    keep.push_back("JUSTID");
    auto keeping = storer_(&Redis::command, std::move(keep));
    co_await keeping;
  }

  void begin(toto::Admission<> room, Entry job) {
    mine_.insert(job.id);
    loop_.spawn(hash(std::move(room), std::move(job)));
  }

  toto::Task<> hash(toto::Admission<> room, Entry job) {
    auto hashing = room.yield_task(&catalog::hash_file, job.fields.at(kPath), std::ref(meter_));
    const catalog::Outcome outcome = co_await hashing;
    std::vector<Command> commands{
        result_command(job.fields.at(kJob), outcome), {"XACK", kJobs, kGroup, job.id}, {"XDEL", kJobs, job.id}};
    auto storing = storer_(&Redis::transaction, std::move(commands));
    co_await storing;
    mine_.erase(job.id);
  }

  static void make_group_of(Redis& redis) { make_group(redis); }

  const WorkerOptions options_;
  toto::EventLoop& loop_;
  toto::TaskQueue io_queue_;
  toto::TaskQueue hash_queue_;
  toto::AwaitableInstance<Redis> taker_;
  toto::AwaitableInstance<Redis> storer_;
  catalog::Meter meter_;
  toto::Timer timer_;
  std::set<std::string> mine_;  // the entries of jobs that were taken, and whose results are not stored
};

}  // namespace

void work(const WorkerOptions& options) {
  struct sigaction action = {};
  action.sa_handler = &on_signal;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);  // reset: the second one kills
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  toto::EventLoop loop;
  Worker worker(options, loop);
  loop.run();
}

}  // namespace cluster
