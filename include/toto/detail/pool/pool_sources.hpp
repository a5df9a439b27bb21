// SPDX-License-Identifier: MIT
//
// From what a pool is made: which type of instance a constructor's argument stands for, and how it gets into its place.
// Read next: ../../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_SOURCES_HPP
#define TOTO_DETAIL_POOL_POOL_SOURCES_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "../../options.hpp"
#include "../../pool_options.hpp"
#include "../ground/check_callable.hpp"
#include "../ground/object_ref.hpp"
#include "../ground/ranges.hpp"
#include "../ground/temporaries.hpp"
#include "../ground/text.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// The instance that a U stands for: what it owns or points to, or itself.
template <class U>
struct PointedTo : Owned<U> {};
template <class U>
struct PointedTo<U*> {
  using Type = U;
};

/// The type of the instances in a pool made from a Source: of a range, its elements.
template <class Source>
struct PooledIn : PointedTo<std::remove_cvref_t<Source>> {};
template <InputRange Source>
struct PooledIn<Source> : PointedTo<ElementOf<Source>> {};

/// The type of the instances that a factory makes.
template <class F>
using MadeBy = typename PointedTo<std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>>::Type;

/// Owns or points to an instance, rather than being one.
template <class U, class T>
inline constexpr bool kPoints = !std::is_same_v<U, std::remove_cv_t<T>>;

/// A U is an instance of type T, or owns or points to one.
template <class U, class T>
concept OneInstance = !kPoints<U, T> || (!std::is_same_v<U, typename PointedTo<U>::Type> &&
                                         std::is_convertible_v<typename PointedTo<U>::Type*, T*>);

/// A range of instances or owners, unless it is itself an instance.
template <class Source, class T>
concept RangeOfInstances = !OneInstance<std::remove_cvref_t<Source>, T> && InputRange<Source> &&
                           requires { requires OneInstance<ElementOf<Source>, T>; };

/// Such a callable makes something: it is meant as a factory.
template <class Source>
concept BareFactory = std::is_invocable_v<std::decay_t<Source>&> && kBareCallable<std::decay_t<Source>> &&
                      !std::is_void_v<std::invoke_result_t<std::decay_t<Source>&>>;

/// `max`: of instances that a factory makes; 0: there is none.
/// Throws: std::invalid_argument naming the parameter.
inline void check_options(const PoolOptions& options, std::size_t max) {
  check_name(options.default_queue, "default_queue");
  check_duration(options.idle_timeout, "idle_timeout");
  if (max == 0 && !options.idle_timeout.is_never()) {
    refuse_argument({"toto: idle_timeout is ", Digits(options.idle_timeout.nanoseconds().count()),
                     " ns, but without a factory instances cannot be made again; give the pool a factory"});
  }
  if (max == 0 && options.min_instances > 0) {
    refuse_argument({"toto: min_instances is ", Digits(options.min_instances),
                     ", but without a factory no instance retires; leave it at 0"});
  }
  if (options.min_instances > max) {
    refuse_argument(
        {"toto: min_instances is ", Digits(options.min_instances), "; give at most max, which is ", Digits(max)});
  }
}

/// Copies or moves one instance, or an owner of one, into a place.
template <class T, class Owner, class Runtime, class Source>
void fill(OwnedInstance<T, Owner, Runtime>& place, Source&& source) {
  static_assert(std::is_constructible_v<Owner, Source>,
                "toto: these instances cannot be copied: move them, or the range of them, into the pool");
  place.fill([&source]() -> Owner { return Owner(std::forward<Source>(source)); });
}

/// Looks at all instances before one is moved. Returns how many there are.
template <class T, class Range>
std::size_t check_instances(Range& range) {
  struct Element {
    std::uintptr_t instance;
    std::size_t index;
    static int compare(const void* one, const void* other) noexcept {
      const auto& a = *static_cast<const Element*>(one);
      const auto& b = *static_cast<const Element*>(other);
      return a.instance != b.instance ? (a.instance < b.instance ? -1 : 1) : (a.index < b.index ? -1 : 1);
    }
  };
  std::vector<Element> elements;
  std::size_t count = 0;
  for (auto&& element : range) {
    if constexpr (kPoints<ElementOf<Range>, T>) {
      elements.push_back({reinterpret_cast<std::uintptr_t>(std::to_address(element)), count});
    }
    ++count;
  }
  if (count == 0) {
    refuse_argument({"toto: instances is empty; a pool needs one instance or more"});
  }
  std::size_t wrong = count;  // the first one that is null or there twice
  std::size_t twin = 0;
  if (!elements.empty()) {
    std::qsort(elements.data(), elements.size(), sizeof(Element), &Element::compare);
  }
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const bool twice = i > 0 && elements[i].instance == elements[i - 1].instance;
    if ((twice || elements[i].instance == 0) && elements[i].index < wrong) {
      wrong = elements[i].index;
      twin = elements[i - (twice ? 1 : 0)].index;
    }
  }
  if (twin < wrong && wrong < count) {
    refuse_argument({"toto: instances[", Digits(wrong), "] is the same instance as instances[", Digits(twin),
                     "]; two holders would use it at a time"});
  }
  if (wrong < count) {
    refuse_argument({"toto: instances[", Digits(wrong), "] is null; give the pool an instance"});
  }
  return count;
}

/// The places of one instance, or of a range of them.
/// Throws: std::invalid_argument if an option is wrong, there is no instance, one is null, or one is there twice, or
/// std::bad_alloc: then nothing was moved; what copying or moving an instance throws.
template <class T, class Runtime, class Source>
std::vector<std::unique_ptr<PooledInstance<Runtime>>> make_places(Source&& source, const PoolOptions& options) {
  std::vector<std::unique_ptr<PooledInstance<Runtime>>> places;
  check_options(options, 0);
  if constexpr (!RangeOfInstances<Source, T>) {
    using Owner = std::remove_cvref_t<Source>;
    constexpr bool kFactory = std::is_invocable_v<std::decay_t<Source>&>;
    static_assert(OneInstance<Owner, T> || !kFactory,
                  "toto: a factory has to be given the number of instances it may make: InstancePool(factory, max)");
    static_assert(OneInstance<Owner, T> || kFactory,
                  "toto: a pool is made of a T, a T*, a std::unique_ptr<T>, a std::shared_ptr<T>, or of a range of one "
                  "of these; or of a factory and the number of instances it may make");
    if constexpr (OneInstance<Owner, T>) {
      if constexpr (kPoints<Owner, T>) {
        if (std::to_address(source) == nullptr) {
          refuse_argument({"toto: instance is null; give the pool an instance"});
        }
      }
      auto place = std::make_unique<OwnedInstance<T, Owner, Runtime>>();
      places.resize(1);
      detail::fill(*place, std::forward<Source>(source));
      places.front() = std::move(place);
    }
  } else if constexpr (!ForwardRange<Source>) {  // can be read once, or computes its elements
    std::vector<ElementOf<Source>> elements;
    for (auto&& element : source) {
      elements.push_back(std::forward<decltype(element)>(element));
    }
    return detail::make_places<T, Runtime>(std::move(elements), options);
  } else {
    using Place = OwnedInstance<T, ElementOf<Source>, Runtime>;
    // The elements of a container that is given away are given away too; not so those that a view looks at.
    constexpr bool kMoves = !std::is_lvalue_reference_v<Source> && OwningRange<std::remove_cvref_t<Source>>;
    places.resize(detail::check_instances<T>(source));
    for (auto& place : places) {
      place = std::make_unique<Place>();
    }
    auto place = places.begin();
    for (auto&& element : source) {
      if constexpr (kMoves) {
        detail::fill(static_cast<Place&>(**place++), std::move(element));
      } else {
        detail::fill(static_cast<Place&>(**place++), std::forward<decltype(element)>(element));
      }
    }
  }
  return places;
}

/// Throws: std::invalid_argument naming the parameter; std::bad_alloc; what copying or moving the factory throws.
template <class T, class Runtime, class F>
InstanceFactory<Runtime> make_factory(F&& factory, std::size_t max) {
  constexpr std::size_t kMost = 1'000'000;
  using Owner = std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>;
  using Place = OwnedInstance<T, Owner, Runtime>;
  static_assert(OneInstance<Owner, T> && !std::is_pointer_v<Owner>,
                "toto: the factory has to return a T, a std::unique_ptr<T> or a std::shared_ptr<T>");
  if (detail::is_null(factory)) {
    refuse_argument({"toto: factory is null; give a callable that makes an instance"});
  }
  if (max == 0 || max > kMost) {
    refuse_argument({"toto: max is ", Digits(max), "; give a number from 1 to ", Digits(kMost)});
  }
  return {AnyFunction<void(PooledInstance<Runtime>&)>(
              [function = std::decay_t<F>(std::forward<F>(factory))](PooledInstance<Runtime>& vacant) mutable {
                static_cast<Place&>(vacant).fill(function);
                if (vacant.object == nullptr) {
                  throw std::invalid_argument("toto: the pool's factory gave a null pointer instead of an instance");
                }
              }),
          []() -> PooledInstance<Runtime>* { return new Place; }};
}

/// What a hook may return: nothing, which is no objection, or whether the instance is good.
template <class R>
concept Verdict = std::is_void_v<R> || std::is_convertible_v<R, bool>;

/// What may be told of an instance of type T that comes back.
template <class F, class T>
concept ReturnHook = requires { requires Verdict<std::invoke_result_t<F, T&, bool>>; } ||
                     requires { requires Verdict<std::invoke_result_t<F, T&>>; };

/// `hook` is called with a T&, or with that and `failed`.
/// Throws: std::invalid_argument if it is null; std::bad_alloc; what copying or moving it throws.
template <class T, class F>
InstanceCheck make_check(F&& hook) {
  detail::check_callable(hook);
  return InstanceCheck([hook = std::decay_t<F>(std::forward<F>(hook))](void* object, bool failed) mutable {
    const auto ask = [&](auto... told) -> bool {
      if constexpr (std::is_void_v<decltype(detail::invoke(hook, *static_cast<T*>(object), told...))>) {
        detail::invoke(hook, *static_cast<T*>(object), told...);
        return true;
      } else {
        return static_cast<bool>(detail::invoke(hook, *static_cast<T*>(object), told...));
      }
    };
    if constexpr (std::is_invocable_v<std::decay_t<F>&, T&, bool>) {
      return ask(failed);
    } else {
      return ask();
    }
  });
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_SOURCES_HPP
