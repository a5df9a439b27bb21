// SPDX-License-Identifier: MIT
//
// covers: [R11]
//
// toto/fmt.hpp with an output from a namespace that has functions and operators of all names, deleted; see
// hostile_names.cpp.
//
// nothing precompiled: the headers have to read what is defined before them

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <string>
#include <toto/fmt.hpp>
#include <toto/tasks.hpp>

#include "support/expect.hpp"
#include "support/hostile_names.hpp"

namespace hostile {

/// Where fmt writes to.
class Output {
 public:
  using iterator_category = std::output_iterator_tag;
  using value_type = void;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = void;

  explicit Output(std::string& text) : text_(std::addressof(text)) {}
  Output& operator*() { return *this; }
  Output& operator++() { return *this; }
  Output operator++(int) { return *this; }
  Output& operator=(char character) {
    text_->push_back(character);
    return *this;
  }

 private:
  std::string* text_;
};

struct Failure : toto::TimedOut {
  Failure() : TimedOut("too late") {}
};

}  // namespace hostile

using namespace toto_tests;

int main() {
  toto::TaskQueue queue;
  queue.yield_task([] {}).get();
  std::string text;
  fmt::format_to(hostile::Output(text), "{} {} {}", toto::Duration(std::chrono::milliseconds(3)), queue.stats(),
                 static_cast<const toto::Error&>(hostile::Failure()));
  expect(text.starts_with("3ms 1 tasks: 1 completed") && text.ends_with("too late"), "everything is formatted");
  return failures == 0 ? 0 : 1;
}
