// SPDX-License-Identifier: MIT
//
// ThreadList: the simulated threads of one schedule, those that have ended included. Read next: scheduler.hpp.

#ifndef TOTO_TESTING_THREAD_LIST_HPP
#define TOTO_TESTING_THREAD_LIST_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "threads.hpp"

namespace toto::inline v0_1::testing::detail {

/// Invariants:
///  1. A thread's number is its position plus one; the main thread is number 1.
///  2. living() is in the order of starting, and the places of the living are different bits.
class ThreadList {
 public:
  static constexpr std::size_t max_living = 64;

  void clear() noexcept {
    threads_.clear();
    living_.clear();
    others_ = 0;
  }

  /// Requires fewer than max_living living threads.
  /// Throws: std::bad_alloc.
  ThreadRecord& add(std::string name, std::unique_ptr<ThreadBody> body) {
    std::uint64_t places = 0;
    for (const ThreadRecord* const thread : living_) {
      places |= thread->place;
    }
    auto thread = std::make_unique<ThreadRecord>();
    thread->number = static_cast<std::uint32_t>(threads_.size()) + 1;
    thread->place = std::uint64_t{1} << static_cast<unsigned>(std::countr_one(places));
    thread->name = std::move(name);
    thread->body = std::move(body);
    thread->fibre = FibrePool::instance().take();
    living_.push_back(thread.get());
    threads_.push_back(std::move(thread));
    count_others();
    return *threads_.back();
  }

  void end(ThreadRecord& thread) noexcept {
    thread.alive = 0;
    std::erase(living_, &thread);
    count_others();
  }

  ThreadRecord& operator[](std::uint32_t number) const noexcept { return *threads_[number - 1]; }
  const std::vector<std::unique_ptr<ThreadRecord>>& all() const noexcept { return threads_; }
  const std::vector<ThreadRecord*>& living() const noexcept { return living_; }

  /// How many live beside one; zero is a condition to wait for.
  const std::uint32_t& others() const noexcept { return others_; }

  std::string name_of(std::uint32_t number) const {
    return number == 0 || number > threads_.size() ? "nobody"
                                                   : (*this)[number].name + " (" + std::to_string(number) + ")";
  }

  /// What each living thread waits for, in words.
  std::string waits_text() const {
    std::string text;
    for (const ThreadRecord* const thread : living_) {
      text += (text.empty() ? "" : "; ") + wait_text(*thread, [this](std::uint32_t one) { return name_of(one); });
    }
    return text;
  }

 private:
  void count_others() noexcept { others_ = living_.empty() ? 0 : static_cast<std::uint32_t>(living_.size()) - 1; }

  std::vector<std::unique_ptr<ThreadRecord>> threads_;
  std::vector<ThreadRecord*> living_;
  std::uint32_t others_ = 0;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_THREAD_LIST_HPP
