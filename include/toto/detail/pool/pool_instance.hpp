// SPDX-License-Identifier: MIT
//
// PooledInstance: a place in a pool, with the instance in it, if there is one. Below that: the type of instance that a
// constructor's argument stands for, make_places(), make_factory(), make_check(). Read next: pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_INSTANCE_HPP
#define TOTO_DETAIL_POOL_POOL_INSTANCE_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "../../options.hpp"
#include "../../pool_options.hpp"
#include "../ground/callable.hpp"
#include "../ground/object_ref.hpp"
#include "../ground/ranges.hpp"
#include "../ground/temporaries.hpp"
#include "../ground/text.hpp"
#include "../task/permits.hpp"

namespace toto::inline v0_1::detail {

/// A place is in exactly one of its pool's lists; only its holder uses `object`.
template <class Runtime>
class PooledInstance : public Permit<Runtime> {
 public:
  virtual ~PooledInstance() = default;

  /// Destroys the instance; the place is vacant then.
  virtual void clear() noexcept = 0;

  /// The instance; null: the place is vacant.
  void* object = nullptr;
  /// How many exceptions were in flight on the thread that took the place. Used by the holder; only in pools with
  /// on_return.
  int exceptions = 0;
};

/// `Owner` is T, T* (not owned), or a smart pointer to one.
template <class T, class Owner, class Runtime>
class OwnedInstance final : public PooledInstance<Runtime> {
 public:
  OwnedInstance() noexcept {}
  ~OwnedInstance() override {
    if (this->object != nullptr) {
      clear();
    }
  }
  /// What `make()` returns is or owns the instance, and is constructed in place; if it is null, the place stays vacant.
  template <class Make>
  void fill(Make&& make) {
    ::new (static_cast<void*>(std::addressof(owner_))) Owner(make());
    T* made = nullptr;
    if constexpr (kPoints<Owner, T>) {
      made = std::to_address(owner_);
    } else {
      made = std::addressof(owner_);
    }
    this->object = const_cast<void*>(static_cast<const volatile void*>(made));
    if (made == nullptr) {
      owner_.~Owner();
    }
  }
  /// A copy of `source`, or what was moved from it, is or owns the instance.
  template <class Source>
  void fill_from(Source&& source) {
    static_assert(std::is_constructible_v<Owner, Source>,
                  "toto: these instances cannot be copied: move them, or the range of them, into the pool");
    fill([&source]() -> Owner { return Owner(std::forward<Source>(source)); });
  }
  void clear() noexcept override {
    this->object = nullptr;
    owner_.~Owner();
  }

 private:
  union {
    Owner owner_;  // while there is an instance
  };
};

/// How an instance was taken: for a frame of the library, by a blocking call, or by a coroutine.
enum class LeaseKind { frame, blocking, awaited };

/// May be empty. Called without any lock, by several threads at a time. A new place has the type that `make` needs.
template <class Runtime>
struct InstanceFactory {
  AnyFunction<Runtime, void(PooledInstance<Runtime>& vacant)> make;
  PooledInstance<Runtime>* (*new_place)() = nullptr;
};

/// Whether an instance is good. `failed`: an exception ended its use. Called like a factory.
template <class Runtime>
using InstanceCheck = AnyFunction<Runtime, bool(void* object, bool failed)>;

/// The type of the instances in a pool made from a Source: of a range, its elements.
template <class Source>
struct PooledIn : PointedTo<std::remove_cvref_t<Source>> {};
template <InputRange Source>
struct PooledIn<Source> : PointedTo<ElementOf<Source>> {};

template <class F>
using MadeBy = typename PointedTo<std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>>::Type;

template <class Source, class T>
concept RangeOfInstances = !OneObject<std::remove_cvref_t<Source>, T> && InputRange<Source> &&
                           requires { requires OneObject<ElementOf<Source>, T>; };

/// A callable without arguments that returns something is taken for a factory.
template <class Source>
concept BareFactory = std::is_invocable_v<std::decay_t<Source>&> && kBareCallable<std::decay_t<Source>> &&
                      !std::is_void_v<std::invoke_result_t<std::decay_t<Source>&>>;

/// `max`: 0 if there is no factory. Throws: std::invalid_argument naming the parameter.
inline void check_options(const PoolOptions& options, std::size_t max) {
  check_name(options.default_queue, "default_queue");
  check_duration(options.idle_timeout, "idle_timeout");
  if (max == 0 && !options.idle_timeout.is_never()) {
    refuse_argument({"toto: idle_timeout is ", Digits(options.idle_timeout.nanoseconds().count()),
                     " ns, but without a factory instances cannot be replaced; give the pool a factory"});
  }
  if (options.min_instances > max) {
    refuse_argument(
        {"toto: min_instances is ", Digits(options.min_instances),
         max == 0 ? ", but without a factory no instance retires; leave it at " : "; it must be at most max, which is ",
         Digits(max)});
  }
}

/// Throws: std::invalid_argument if the next instance is null, or one of those before it.
inline void check_address(const std::vector<const volatile void*>& before, const volatile void* next) {
  if (next == nullptr) {
    refuse_argument({"toto: instances[", Digits(before.size()), "] is null; pass an instance"});
  }
  const volatile void* const* const first = before.data();
  for (std::size_t i = 0, count = before.size(); i < count; ++i) {
    if (first[i] == next) {
      refuse_argument({"toto: instances[", Digits(count), "] is the same instance as instances[", Digits(i),
                       "]; two holders would use it at the same time"});
    }
  }
}

/// Checks and counts all instances before any is moved.
template <class T, class Range>
std::size_t check_instances(Range& range) {
  std::size_t count = 0;
  std::vector<const volatile void*> addresses;
  for (auto&& element : range) {
    if constexpr (kPoints<ElementOf<Range>, T>) {
      const volatile void* const address = std::to_address(element);
      detail::check_address(addresses, address);
      addresses.push_back(address);
    }
    ++count;
  }
  if (count == 0) {
    refuse_argument({"toto: instances is empty; a pool needs one instance or more"});
  }
  return count;
}

/// Makes the places for one instance, or for a range of them.
/// Throws: std::invalid_argument if an option is wrong, there is no instance, one is null, or one is there twice, or
/// std::bad_alloc: then nothing was moved; what copying or moving an instance throws.
template <class T, class Runtime, class Source>
std::vector<std::unique_ptr<PooledInstance<Runtime>>> make_places(Source&& source, const PoolOptions& options) {
  std::vector<std::unique_ptr<PooledInstance<Runtime>>> places;
  check_options(options, 0);
  if constexpr (!RangeOfInstances<Source, T>) {
    using Owner = std::remove_cvref_t<Source>;
    constexpr bool kFactory = std::is_invocable_v<std::decay_t<Source>&>;
    static_assert(OneObject<Owner, T> || !kFactory,
                  "toto: a factory needs the number of instances it may make: InstancePool(factory, max)");
    static_assert(OneObject<Owner, T> || kFactory,
                  "toto: a pool is made from a T, a T*, a std::unique_ptr<T> or std::shared_ptr<T>, from a range of "
                  "these, or from a factory and the number it may make");
    if constexpr (OneObject<Owner, T>) {
      if constexpr (kPoints<Owner, T>) {
        if (std::to_address(source) == nullptr) {
          refuse_argument({"toto: instance is null; pass an instance"});
        }
      }
      auto place = std::make_unique<OwnedInstance<T, Owner, Runtime>>();
      places.resize(1);
      place->fill_from(std::forward<Source>(source));
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
    // The elements of a moved container are moved, too; those that a view refers to are not.
    constexpr bool kMoves = !std::is_lvalue_reference_v<Source> && OwningRange<std::remove_cvref_t<Source>>;
    places.resize(detail::check_instances<T>(source));
    for (auto& place : places) {
      place = std::make_unique<Place>();
    }
    auto place = places.begin();
    for (auto&& element : source) {
      using Given = std::conditional_t<kMoves, std::remove_reference_t<decltype(element)>&&, decltype(element)>;
      static_cast<Place&>(**place++).fill_from(static_cast<Given>(element));
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
  static_assert(OneObject<Owner, T> && !std::is_pointer_v<Owner>,
                "toto: the factory must return a T, a std::unique_ptr<T> or a std::shared_ptr<T>");
  if (detail::is_null(factory)) {
    refuse_argument({"toto: factory is null; pass a callable that makes an instance"});
  }
  if (max == 0 || max > kMost) {
    refuse_argument({"toto: max is ", Digits(max), "; it must be from 1 to ", Digits(kMost)});
  }
  return {AnyFunction<Runtime, void(PooledInstance<Runtime>&)>([function = std::decay_t<F>(std::forward<F>(factory))](
                                                                   PooledInstance<Runtime>& vacant) mutable {
            static_cast<Place&>(vacant).fill(function);
            if (vacant.object == nullptr) {
              throw std::invalid_argument("toto: the pool's factory returned a null pointer instead of an instance");
            }
          }),
          []() -> PooledInstance<Runtime>* { return new Place; }};
}

/// Returns exactly a bool, whether an instance is good: many functions return 0 on success, which would convert.
template <class F, class... Args>
concept Verdict = std::is_same_v<std::remove_cvref_t<std::invoke_result_t<F, Args...>>, bool>;
template <class F, class... Args>
concept VerdictOrNothing = Verdict<F, Args...> || std::is_void_v<std::invoke_result_t<F, Args...>>;

/// Takes `failed` after the instance.
template <class F, class T>
concept ToldOfFailure = detail::may_take<F, std::is_member_pointer_v<std::remove_cvref_t<F>> ? 0 : 1, bool>() &&
                        std::is_invocable_v<F, T&, bool>;
/// A hook for instances of type T that are returned.
template <class F, class T>
concept ReturnHook =
    (ToldOfFailure<F, T> && VerdictOrNothing<F, T&, bool>) || (!ToldOfFailure<F, T> && VerdictOrNothing<F, T&>);

/// `hook` is called with a T&, or with a T& and `failed`.
/// Throws: std::invalid_argument if it is null; std::bad_alloc; what copying or moving it throws.
template <class T, class Runtime, class F>
InstanceCheck<Runtime> make_check(F&& hook) {
  detail::check_callable(hook);
  return InstanceCheck<Runtime>([hook = std::decay_t<F>(std::forward<F>(hook))](void* object, bool failed) mutable {
    if constexpr (ToldOfFailure<std::decay_t<F>&, T>) {
      return detail::invoke_check(hook, *static_cast<T*>(object), failed);
    } else {
      return detail::invoke_check(hook, *static_cast<T*>(object));
    }
  });
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_INSTANCE_HPP
