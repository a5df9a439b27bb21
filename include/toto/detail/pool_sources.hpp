// SPDX-License-Identifier: MIT
//
// From what a pool is made: which type of instance a constructor's argument stands for, and how it gets into its
// place. Read next: ../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_SOURCES_HPP
#define TOTO_DETAIL_POOL_SOURCES_HPP

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "../options.hpp"
#include "pool_instance.hpp"

namespace toto::inline v0::detail {

inline constexpr std::size_t kMostInstances = 1'000'000;

/// The instance that an owner of type U stands for: what it points to, or itself.
template <class U>
struct PointedTo {
  using Type = U;
};
template <class U>
struct PointedTo<U*> {
  using Type = U;
};
template <class U>
struct PointedTo<std::shared_ptr<U>> {
  using Type = U;
};
template <class U, class Deleter>
struct PointedTo<std::unique_ptr<U, Deleter>> {
  using Type = U;
};

/// The type of the instances in a pool made from a Source: of a range, its elements.
template <class Source>
struct PooledIn : PointedTo<std::remove_cvref_t<Source>> {};
template <std::ranges::input_range Source>
struct PooledIn<Source> : PointedTo<std::ranges::range_value_t<Source>> {};

/// A U is an instance of type T, or owns or points to one.
template <class U, class T>
concept OneInstance =
    std::is_same_v<U, std::remove_cv_t<T>> ||
    (!std::is_same_v<U, typename PointedTo<U>::Type> && std::is_convertible_v<typename PointedTo<U>::Type*, T*>);

template <class Source, class T>
concept RangeOfInstances = !OneInstance<std::remove_cvref_t<Source>, T> && std::ranges::input_range<Source> &&
                           requires { requires OneInstance<std::ranges::range_value_t<Source>, T>; };

/// Puts one instance, or an owner of one, into a place of its own.
/// Throws: std::invalid_argument if it is null; std::bad_alloc; what copying or moving it throws.
template <class T, class Runtime, class Source>
std::unique_ptr<PooledInstance<Runtime>> make_place(Source&& source, const std::string& name) {
  using Owner = std::remove_cvref_t<Source>;
  static_assert(std::is_constructible_v<Owner, Source>,
                "toto: these instances cannot be copied: move them, or the range of them, into the pool");
  auto place = std::make_unique<OwnedInstance<T, Owner, Runtime>>();
  place->emplace([&source]() -> Owner { return Owner(std::forward<Source>(source)); });
  if (place->object == nullptr) {
    throw std::invalid_argument("toto: " + name + " is null; give the pool an instance");
  }
  return place;
}

/// Two places with the same instance would let two holders have it.
template <class Runtime>
void refuse_twins(const std::vector<std::unique_ptr<PooledInstance<Runtime>>>& places) {
  std::vector<const void*> objects;
  objects.reserve(places.size());
  for (const auto& place : places) {
    objects.push_back(place->object);
  }
  std::sort(objects.begin(), objects.end(), std::less<const void*>());
  if (std::adjacent_find(objects.begin(), objects.end()) != objects.end()) {
    throw std::invalid_argument("toto: instances has the same instance twice; two holders would use it at a time");
  }
}

/// Throws: std::invalid_argument if the range is empty, one is null, or one is there twice.
template <class T, class Runtime, class Range>
std::vector<std::unique_ptr<PooledInstance<Runtime>>> make_places(Range&& range) {
  // The elements of a container that is given away are given away too; not so those that a view looks at.
  constexpr bool kMoves = !std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cvref_t<Range>>;
  std::vector<std::unique_ptr<PooledInstance<Runtime>>> places;
  for (auto&& element : range) {
    const std::string name = "instances[" + std::to_string(places.size()) + ']';
    if constexpr (kMoves) {
      places.push_back(make_place<T, Runtime>(std::move(element), name));
    } else {
      places.push_back(make_place<T, Runtime>(std::forward<decltype(element)>(element), name));
    }
  }
  if (places.empty()) {
    throw std::invalid_argument("toto: instances is empty; a pool needs one instance or more");
  }
  refuse_twins(places);
  return places;
}

template <class T, class Runtime, class F>
std::unique_ptr<InstanceFactory<Runtime>> make_factory(F&& factory, std::size_t max) {
  using Owner = std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>;
  static_assert(OneInstance<Owner, T> && !std::is_pointer_v<Owner>,
                "toto: the factory has to return a T, a std::unique_ptr<T> or a std::shared_ptr<T>");
  if constexpr (requires { factory == nullptr; }) {
    if (factory == nullptr) {
      throw std::invalid_argument("toto: factory is null; give a callable that makes an instance");
    }
  }
  if (max == 0 || max > kMostInstances) {
    throw std::invalid_argument("toto: max is " + std::to_string(max) + "; give a number from 1 to " +
                                std::to_string(kMostInstances));
  }
  return std::make_unique<CallableFactory<T, std::decay_t<F>, Runtime>>(std::forward<F>(factory));
}

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_POOL_SOURCES_HPP
