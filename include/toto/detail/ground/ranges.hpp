// SPDX-License-Identifier: MIT
//
// The few parts of <ranges> that are needed. Including <ranges> would add a twentieth to the time that a file including
// this library takes to compile.

#ifndef TOTO_DETAIL_GROUND_RANGES_HPP
#define TOTO_DETAIL_GROUND_RANGES_HPP

#include <iterator>
#include <type_traits>
#include <utility>

namespace toto::inline v0_1::detail {

template <class R>
concept Iterable = requires(R& range) {
  std::ranges::begin(range);
  std::ranges::end(range);
};

template <class R>
using IteratorOf = decltype(std::ranges::begin(std::declval<R&>()));

/// What a range has, as a value.
template <class R>
using ElementOf = std::iter_value_t<IteratorOf<R>>;

template <class R>
concept InputRange = Iterable<R> && std::input_iterator<IteratorOf<R>>;

/// Can be read twice, and has the same elements both times: it does not compute them.
template <class R>
concept ForwardRange =
    InputRange<R> && std::forward_iterator<IteratorOf<R>> && std::is_reference_v<std::iter_reference_t<IteratorOf<R>>>;

/// The range owns its elements, as a container does: they are constant if it is. A view's elements are not.
template <class R>
concept OwningRange =
    Iterable<const R> && std::is_const_v<std::remove_reference_t<std::iter_reference_t<IteratorOf<const R>>>>;

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_RANGES_HPP
