// SPDX-License-Identifier: MIT
//
// PlainData: the last accesses to each byte of memory that is not atomic, to find data races under Memory::weak: two
// accesses by different threads, one of them a write, neither of which happens before the other ([intro.races]). A
// program that is compiled for it reports its accesses by the functions of plain_access.hpp. As ThreadSanitizer
// does, it remembers a few accesses for eight bytes each (Serebryany and Iskhodzhanov, WBIA 2009).

#ifndef TOTO_TESTING_PLAIN_DATA_HPP
#define TOTO_TESTING_PLAIN_DATA_HPP

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../version.hpp"
#include "memory_model.hpp"

namespace toto::inline v0_1::testing::detail {

/// Invariants:
///  1. Memory that is not watched has no accesses. The stacks of simulated threads are watched, and memory whose
///     allocation they report.
///  2. Freed memory is not given back before the next schedule, so no two objects of a schedule share an address, but
///     for those on stacks.
class PlainData {
 public:
  enum class Kind : std::uint8_t { read, write, made, gone };

  struct Access {
    Epoch epoch = 0;
    std::uint16_t thread = 0;  ///< 0: none
    std::uint8_t bytes = 0;    ///< a bit for each of the eight
    Kind kind = Kind::read;
    std::uint32_t place = 0;  ///< in the program, for the report
  };

  PlainData() = default;
  ~PlainData() { give_back(); }
  PlainData(const PlainData&) = delete;
  PlainData& operator=(const PlainData&) = delete;

  void reset() {
    const Busy busy(busy_);
    give_back();
    for (auto& [number, page] : pages_) {
      if (page != nullptr) {
        spare_.push_back(std::move(page));
      }
    }
    pages_.clear();
    last_ = nullptr;
    last_number_ = 0;
  }

  /// Watches memory, as written by `access`.
  void watch(const void* begin, std::size_t size, const Access& access) {
    const Busy busy(busy_);
    used_ = true;
    each_cell(begin, size, [&](std::uintptr_t cell, std::uint8_t bytes) {
      Page* page = pages_[cell / kPageSize].get();
      if (page == nullptr) {
        page = make_page(cell / kPageSize);
      }
      const std::size_t position = cell % kPageSize / kCellSize;
      page->watched[position] = true;
      page->cells[position] = {};
      page->cells[position][0] = access;
      page->cells[position][0].bytes = bytes;
    });
  }

  /// Records an access, if that memory is watched. Returns an access that it races with, or an access whose thread is
  /// 0. `on_stack(address)`: whether that is on the stack of a simulated thread.
  template <class OnStack>
  Access record(const MemoryModel& memory, const void* begin, std::size_t size, const Access& access,
                OnStack on_stack) {
    const Busy busy(busy_);
    used_ = true;
    Access rival;
    each_cell(begin, size, [&](std::uintptr_t cell, std::uint8_t bytes) {
      const std::uintptr_t number = cell / kPageSize;
      Page* page = nullptr;
      if (number == last_number_) {
        page = last_;
      } else {
        if (!pages_.contains(number)) {
          pages_[number] = nullptr;
          // NOLINTNEXTLINE(performance-no-int-to-ptr): a cell of eight bytes, by its address
          if (on_stack(reinterpret_cast<const void*>(cell))) {
            make_page(number)->watched.set();
          }
        }
        page = pages_[number].get();
        last_ = page;
        last_number_ = number;
      }
      const std::size_t position = cell % kPageSize / kCellSize;
      if (page == nullptr || !page->watched[position]) {
        return;
      }
      Access here = access;
      here.bytes = bytes;
      for (const Access& other : page->cells[position]) {
        if (races(memory, other, here)) {
          rival = other;
        }
      }
      remember(memory, page->cells[position], here);
    });
    return rival;
  }

  /// Forgets the accesses to what was there.
  void forget(const void* begin, std::size_t size) {
    const Busy busy(busy_);
    const auto first = reinterpret_cast<std::uintptr_t>(begin) / kPageSize;
    for (auto page = pages_.begin(); page != pages_.end();) {
      if (page->first >= first && page->first < first + size / kPageSize) {
        if (page->second != nullptr) {
          spare_.push_back(std::move(page->second));
        }
        page = pages_.erase(page);
      } else {
        ++page;
      }
    }
    last_ = nullptr;
    last_number_ = 0;
  }

  /// False also while this object frees memory of its own.
  bool watched(const void* begin) const noexcept {
    if (busy_) {
      return false;
    }
    const auto cell = reinterpret_cast<std::uintptr_t>(begin);
    const auto page = pages_.find(cell / kPageSize);
    return page != pages_.end() && page->second != nullptr && page->second->watched[cell % kPageSize / kCellSize];
  }
  /// Frees it at the end of the schedule.
  void keep(void* memory) {
    const Busy busy(busy_);
    kept_.push_back(memory);
  }

  /// Whether accesses are reported.
  bool used() const noexcept { return used_; }

 private:
  struct Busy {
    explicit Busy(bool& flag) noexcept : flag_(flag), before_(std::exchange(flag, true)) {}
    ~Busy() { flag_ = before_; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    bool& flag_;
    const bool before_;
  };

  static constexpr std::uintptr_t kCellSize = 8;
  static constexpr std::uintptr_t kPageSize = 4096;
  using Cell = std::array<Access, 4>;
  struct Page {
    std::array<Cell, kPageSize / kCellSize> cells{};
    std::bitset<kPageSize / kCellSize> watched;
  };

  template <class Function>
  static void each_cell(const void* begin, std::size_t size, Function function) {
    const auto first = reinterpret_cast<std::uintptr_t>(begin);
    const std::uintptr_t end = first + size;
    for (std::uintptr_t cell = first / kCellSize * kCellSize; cell < end; cell += kCellSize) {
      const std::uintptr_t from = (std::max)(first, cell) - cell;
      const std::uintptr_t to = (std::min)(end, cell + kCellSize) - cell;
      function(cell, static_cast<std::uint8_t>((0xffU >> (kCellSize - to)) & (0xffU << from)));
    }
  }

  static bool races(const MemoryModel& memory, const Access& other, const Access& here) noexcept {
    return other.thread != 0 && other.thread != here.thread && (other.bytes & here.bytes) != 0 &&
           (other.kind != Kind::read || here.kind != Kind::read) &&
           !memory.happened(here.thread, other.thread, other.epoch);
  }

  /// Replaces an access that is no longer needed because whatever races with it also races with the new one. If there
  /// is no such access, replaces the first one.
  static void remember(const MemoryModel& memory, Cell& cell, const Access& here) noexcept {
    const auto covered = [&](const Access& other) {
      return other.thread == 0 ||
             ((other.bytes & ~here.bytes) == 0 && (here.kind != Kind::read || other.kind == Kind::read) &&
              memory.happened(here.thread, other.thread, other.epoch));
    };
    bool stored = false;
    for (Access& other : cell) {
      if (covered(other)) {
        other = stored ? Access() : here;
        stored = true;
      }
    }
    if (!stored) {
      std::move(cell.begin() + 1, cell.end(), cell.begin());
      cell.back() = here;
    }
  }

  Page* make_page(std::uintptr_t number) {
    if (spare_.empty()) {
      spare_.push_back(std::make_unique<Page>());
    }
    std::unique_ptr<Page>& page = pages_[number];
    page = std::move(spare_.back());
    spare_.pop_back();
    *page = Page();
    if (last_number_ == number) {
      last_ = page.get();
    }
    return page.get();
  }

  void give_back() noexcept {
    for (void* const memory : kept_) {
      std::free(memory);
    }
    kept_.clear();
  }

  std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages_;  ///< null: nothing there is watched
  std::vector<std::unique_ptr<Page>> spare_;
  std::uintptr_t last_number_ = 0;
  Page* last_ = nullptr;
  std::vector<void*> kept_;
  bool used_ = false;
  bool busy_ = false;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_PLAIN_DATA_HPP
