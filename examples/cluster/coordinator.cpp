// SPDX-License-Identifier: MIT
//
// Eight lanes, each with one batch of files in progress: enough jobs for the workers, and no more than that.

#include "coordinator.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "../catalog/hash.hpp"
#include "../catalog/interrupt.hpp"
#include "../catalog/store.hpp"
#include "../catalog/walk.hpp"
#include "remote.hpp"

namespace cluster {
namespace {

constexpr std::size_t kLanes = 8;

class Coordinator {
 public:
  Coordinator(const CoordinatorOptions& options, toto::EventLoop& loop)
      : queue_({.thread_count = 4, .name = "io"}),
        remote_(options.redis, queue_, loop),
        walker_(catalog::Walker(std::filesystem::canonical(options.directory).string(),
                                {.excluded = {}, .one_file_system = false}),
                queue_),
        writer_(std::make_unique<catalog::Writer>(options.database), queue_) {
    loop.spawn(remote_.receive());
  }

  toto::Task<> run() {
    std::vector<toto::Task<>> lanes;
    for (std::size_t i = 0; i < kLanes; ++i) {
      lanes.push_back(work_through_batches());
    }
    co_await toto::when_all(std::move(lanes));
    remote_.stop();
    std::printf("done: %llu files stored, %llu not hashed, %llu second results\n", as_printed(stored_),
                as_printed(failed_), as_printed(remote_.second_results()));
  }

 private:
  static unsigned long long as_printed(std::uint64_t number) { return number; }

  toto::Task<> work_through_batches() {
    while (std::optional<catalog::Batch> batch = co_await walker_(&catalog::Walker::next_batch)) {
      std::vector<toto::Task<catalog::Outcome>> hashes;
      for (const catalog::FoundFile& file : batch->files) {
        hashes.push_back(remote_.hash(file.path));  // in catalog: hash_queue_.yield_task(hash_file, file.path, ...)
      }
      const std::vector<catalog::Outcome> outcomes = co_await toto::when_all(std::move(hashes));
      co_await store(*batch, outcomes);
    }
  }

  toto::Task<> store(const catalog::Batch& batch, const std::vector<catalog::Outcome>& outcomes) {
    catalog::Changes changes;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].fate == catalog::Fate::hashed) {
        changes.records.push_back({batch.files[i].path, outcomes[i].stamp, outcomes[i].digest});
      }
    }
    stored_ += changes.records.size();
    failed_ += outcomes.size() - changes.records.size();
    auto writing = writer_(&catalog::Writer::apply, std::move(changes));
    co_await writing;
    std::printf("%llu files\n", as_printed(stored_));
    std::fflush(stdout);
  }

  toto::TaskQueue queue_;
  Remote remote_;
  toto::AwaitableInstance<catalog::Walker> walker_;
  toto::AwaitableInstance<catalog::Writer> writer_;
  std::uint64_t stored_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace

void coordinate(const CoordinatorOptions& options) {
  catalog::catch_interrupts();  // stops the walk; batches in progress are finished
  toto::EventLoop loop;
  Coordinator coordinator(options, loop);
  loop.run_sync(coordinator.run());
}

}  // namespace cluster
