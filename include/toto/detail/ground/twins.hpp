// SPDX-License-Identifier: MIT
//
// Pointers: finds a pointer that is null or a duplicate. Without <algorithm>.

#ifndef TOTO_DETAIL_GROUND_TWINS_HPP
#define TOTO_DETAIL_GROUND_TWINS_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

class Pointers {
 public:
  /// Throws: std::bad_alloc.
  void add(const volatile void* pointer) { all_.push_back({reinterpret_cast<std::uintptr_t>(pointer), all_.size()}); }

  /// `index`: of the first pointer that is null, or equal to an earlier one, whose index is `twin`. If there is no such
  /// pointer, both are the number of pointers.
  struct Wrong {
    std::size_t index;
    std::size_t twin;
  };
  /// Changes the order of the pointers.
  Wrong first_wrong() {
    Wrong wrong{all_.size(), all_.size()};
    if (!all_.empty()) {
      std::qsort(all_.data(), all_.size(), sizeof(Numbered), &Numbered::compare);
    }
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const bool twice = i > 0 && all_[i].address == all_[i - 1].address;
      if ((twice || all_[i].address == 0) && all_[i].index < wrong.index) {
        wrong = {all_[i].index, all_[twice ? i - 1 : i].index};
      }
    }
    return wrong;
  }

 private:
  struct Numbered {
    std::uintptr_t address;
    std::size_t index;
    static int compare(const void* one, const void* other) noexcept {
      const auto& a = *static_cast<const Numbered*>(one);
      const auto& b = *static_cast<const Numbered*>(other);
      return a.address != b.address ? (a.address < b.address ? -1 : 1) : (a.index < b.index ? -1 : 1);
    }
  };
  std::vector<Numbered> all_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_TWINS_HPP
