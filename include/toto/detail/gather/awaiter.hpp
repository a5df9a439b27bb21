// SPDX-License-Identifier: MIT
//
// What a combinator returns: an awaitable that owns a block with a gathering and its children. Read next:
// ../../when_all.hpp.

#ifndef TOTO_DETAIL_GATHER_AWAITER_HPP
#define TOTO_DETAIL_GATHER_AWAITER_HPP

#include <coroutine>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"
#include "../ground/ref.hpp"
#include "../ground/temporaries.hpp"
#include "all_or_first.hpp"
#include "children.hpp"
#include "fail_fast.hpp"

namespace toto::inline v0_1::detail {

/// `Kind` is a combinator: it names the Gathering, has take(gathering, children), which returns the result, and may
/// have examine(gathering), which throws.
template <class Kind, class Runtime, class Children>
class GatheredBlock final : public Kind::template Gathering<Runtime> {
 public:
  template <class... As>
  explicit GatheredBlock(As&... awaitables) : children_(awaitables...) {
    children_.for_each([this](auto& child) { this->add(child); });
    if constexpr (requires { Kind::examine(*this); }) {
      Kind::examine(*this);
    }
  }

  auto take() { return Kind::take(*this, children_); }

 protected:
  ~GatheredBlock() override = default;

 private:
  Children children_;
};

/// Once.
template <class Block>
class GatherAwaiter {
 public:
  template <class... As>
  explicit GatherAwaiter(std::in_place_t, As&... awaitables) : block_(Ref<Block>::adopt(new Block(awaitables...))) {}
  GatherAwaiter(GatherAwaiter&&) noexcept = default;
  GatherAwaiter& operator=(GatherAwaiter&&) = delete;
  ~GatherAwaiter() {
    if (block_) {
      block_->leave();
      block_->forsake();
    }
  }

  bool await_ready() const {
    if (block_.get() == nullptr) {
      throw NoState("toto: this when_all, when_any or the like was already awaited; it can be awaited only once");
    }
    return block_->ready();
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    block_->arm(coroutine);
    try {
      // Children cannot resume the coroutine before all have been started: the coroutine, and with it *this, exists
      // until then.
      return !block_->start();  // after true, *this may be gone
    } catch (...) {
      block_->leave();
      static_cast<void>(block_->continues());
      throw;
    }
  }
  auto await_resume() {
    const Ref<Block> block = std::move(block_);
    block->leave();
    return block->take();
  }

 private:
  Ref<Block> block_;
};

template <class Kind, class Runtime, class Children, bool kTemporary>
using Gathered = Awaitable<GatherAwaiter<GatheredBlock<Kind, Runtime, Children>>, kTemporary>;

/// As: deduced as for forwarding references.
template <class Kind, class... As>
auto gather(std::remove_reference_t<As>&... awaitables) {
  using Runtime = typename RuntimeOf<std::remove_reference_t<As>...>::Type;
  return Gathered<Kind, Runtime, TupleOfChildren<ChildOf<Runtime, As>...>, (is_unstored<As>() || ...)>(std::in_place,
                                                                                                       awaitables...);
}
template <class Kind, class Range>
auto gather_range(std::remove_reference_t<Range>& awaitables) {
  using Element = std::remove_reference_t<std::iter_reference_t<IteratorOf<Range>>>;
  using Runtime = typename RuntimeOf<Element>::Type;
  return Gathered<Kind, Runtime, VectorOfChildren<ChildOf<Runtime, Element>>, kDestroyedTwice<Range>>(std::in_place,
                                                                                                      awaitables);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_AWAITER_HPP
