// SPDX-License-Identifier: MIT
//
// From what a pool is made: which type of instance a constructor's argument stands for, and how it gets into its place.
// Read next: ../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_SOURCES_HPP
#define TOTO_DETAIL_POOL_POOL_SOURCES_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "../../options.hpp"
#include "../../pool_options.hpp"
#include "../ground/check_callable.hpp"
#include "../ground/ranges.hpp"
#include "../ground/temporaries.hpp"
#include "../ground/text.hpp"
#include "pool_instance.hpp"

namespace toto::inline v0_1::detail {

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
template <InputRange Source>
struct PooledIn<Source> : PointedTo<ElementOf<Source>> {};

/// A U is an instance of type T, or owns or points to one.
template <class U, class T>
concept OneInstance =
    std::is_same_v<U, std::remove_cv_t<T>> ||
    (!std::is_same_v<U, typename PointedTo<U>::Type> && std::is_convertible_v<typename PointedTo<U>::Type*, T*>);

/// A range of instances or owners, unless it is itself an instance.
template <class Source, class T>
concept RangeOfInstances = !OneInstance<std::remove_cvref_t<Source>, T> && InputRange<Source> &&
                           requires { requires OneInstance<ElementOf<Source>, T>; };

/// Owns or points to an instance, rather than being one.
template <class U, class T>
inline constexpr bool kPoints = !std::is_same_v<U, std::remove_cv_t<T>>;

/// A function, a pointer to one, a std::function or its like, or a lambda: a callable that nobody would lend, unless T
/// says so.
template <class F>
inline constexpr bool kBareCallable = std::is_function_v<std::remove_pointer_t<F>> || detail::is_closure<F>();
template <template <class> class Function, class Signature>
  requires std::is_function_v<Signature>
inline constexpr bool kBareCallable<Function<Signature>> = true;

/// Such a callable makes something: it is meant as a factory.
template <class Source>
concept BareFactory = std::is_invocable_v<std::decay_t<Source>&> && kBareCallable<std::decay_t<Source>> &&
                      !std::is_void_v<std::invoke_result_t<std::decay_t<Source>&>>;

/// The type of the instances that a factory makes.
template <class F>
using MadeBy = typename PointedTo<std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>>::Type;

/// Throws: std::invalid_argument naming the parameter.
inline void check_options(const PoolOptions& options, bool factory, std::size_t max) {
  check_name(options.default_queue, "default_queue");
  check_duration(options.idle_timeout, "idle_timeout");
  if (!factory && !options.idle_timeout.is_never()) {
    refuse_argument({"toto: idle_timeout is ", Digits(options.idle_timeout.nanoseconds().count()),
                     " ns, but without a factory instances cannot be made again; give the pool a factory"});
  }
  if (options.min_instances > max) {
    if (factory) {
      refuse_argument(
          {"toto: min_instances is ", Digits(options.min_instances), "; give at most max, which is ", Digits(max)});
    }
    refuse_argument({"toto: min_instances is ", Digits(options.min_instances),
                     ", but without a factory no instance retires; leave it at 0"});
  }
}

/// Copies or moves one instance, or an owner of one, into a place.
template <class T, class Owner, class Runtime, class Source>
void fill(OwnedInstance<T, Owner, Runtime>& place, Source&& source) {
  static_assert(std::is_constructible_v<Owner, Source>,
                "toto: these instances cannot be copied: move them, or the range of them, into the pool");
  place.emplace([&source]() -> Owner { return Owner(std::forward<Source>(source)); });
}

/// A pool's only instance.
/// Throws: std::invalid_argument if it is null; std::bad_alloc; what copying or moving it throws.
template <class T, class Runtime, class Source>
std::vector<std::unique_ptr<PooledInstance<Runtime>>> make_one_place(Source&& source) {
  using Owner = std::remove_cvref_t<Source>;
  auto place = std::make_unique<OwnedInstance<T, Owner, Runtime>>();
  if constexpr (kPoints<Owner, T>) {
    if (std::to_address(source) == nullptr) {
      refuse_argument({"toto: instance is null; give the pool an instance"});
    }
  }
  std::vector<std::unique_ptr<PooledInstance<Runtime>>> places(1);
  detail::fill(*place, std::forward<Source>(source));
  places.front() = std::move(place);
  return places;
}

/// Which instance of a pool was given first by which element of a range: a hash table with open addressing, at most
/// half full.
template <class T>
class FirstElements {
 public:
  explicit FirstElements(std::size_t elements) : slots_(std::bit_ceil(2 * elements)) {}

  /// Returns: the first element that was this instance; `element`, which is kept, if there was none.
  std::size_t find_or_keep(const volatile T* instance, std::size_t element) {
    // Multiplied by 2^64 through the golden ratio, as Knuth has it: instances lie at regular distances.
    std::uint64_t at = std::uint64_t{reinterpret_cast<std::uintptr_t>(instance)} * 0x9E37'79B9'7F4A'7C15U >> 32U;
    for (;; ++at) {
      Slot& slot = slots_[static_cast<std::size_t>(at & (slots_.size() - 1))];
      if (slot.instance == nullptr) {
        slot = {instance, element};
      }
      if (slot.instance == instance) {
        return slot.element;
      }
    }
  }

 private:
  struct Slot {
    const volatile T* instance = nullptr;
    std::size_t element = 0;
  };
  std::vector<Slot> slots_;
};

/// Looks at all instances before one is moved. Returns how many there are.
template <class T, class Range>
std::size_t check_instances(Range& range) {
  std::size_t count = 0;
  for ([[maybe_unused]] auto&& element : range) {
    ++count;
  }
  if (count == 0) {
    refuse_argument({"toto: instances is empty; a pool needs one instance or more"});
  }
  if constexpr (kPoints<ElementOf<Range>, T>) {
    FirstElements<T> first_elements(count);
    std::size_t index = 0;
    for (auto&& element : range) {
      if (std::to_address(element) == nullptr) {
        refuse_argument({"toto: instances[", Digits(index), "] is null; give the pool an instance"});
      }
      const std::size_t first = first_elements.find_or_keep(std::to_address(element), index);
      if (first != index) {
        refuse_argument({"toto: instances[", Digits(index), "] is the same instance as instances[", Digits(first),
                         "]; two holders would use it at a time"});
      }
      ++index;
    }
  }
  return count;
}

/// Throws: std::invalid_argument if the range is empty, one is null, or one is there twice, or std::bad_alloc: then
/// nothing was moved; what copying or moving an instance throws.
template <class T, class Runtime, ForwardRange Range>
std::vector<std::unique_ptr<PooledInstance<Runtime>>> make_places(Range&& range) {
  using Place = OwnedInstance<T, ElementOf<Range>, Runtime>;
  // The elements of a container that is given away are given away too; not so those that a view looks at.
  constexpr bool kMoves = !std::is_lvalue_reference_v<Range> && OwningRange<std::remove_cvref_t<Range>>;
  std::vector<std::unique_ptr<PooledInstance<Runtime>>> places(detail::check_instances<T>(range));
  for (auto& place : places) {
    place = std::make_unique<Place>();
  }
  auto place = places.begin();
  for (auto&& element : range) {
    if constexpr (kMoves) {
      detail::fill(static_cast<Place&>(**place++), std::move(element));
    } else {
      detail::fill(static_cast<Place&>(**place++), std::forward<decltype(element)>(element));
    }
  }
  return places;
}

/// A range that can be read once, or computes its elements.
template <class T, class Runtime, InputRange Range>
std::vector<std::unique_ptr<PooledInstance<Runtime>>> make_places(Range&& range) {
  std::vector<ElementOf<Range>> elements;
  for (auto&& element : range) {
    elements.push_back(std::forward<decltype(element)>(element));
  }
  return detail::make_places<T, Runtime>(std::move(elements));
}

template <class T, class Runtime, class F>
std::unique_ptr<InstanceFactory<Runtime>> make_factory(F&& factory, std::size_t max) {
  using Owner = std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>;
  static_assert(OneInstance<Owner, T> && !std::is_pointer_v<Owner>,
                "toto: the factory has to return a T, a std::unique_ptr<T> or a std::shared_ptr<T>");
  if (detail::is_null(factory)) {
    refuse_argument({"toto: factory is null; give a callable that makes an instance"});
  }
  if (max == 0 || max > kMostInstances) {
    refuse_argument({"toto: max is ", Digits(max), "; give a number from 1 to ", Digits(kMostInstances)});
  }
  return std::make_unique<CallableFactory<T, std::decay_t<F>, Runtime>>(std::forward<F>(factory));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_SOURCES_HPP
