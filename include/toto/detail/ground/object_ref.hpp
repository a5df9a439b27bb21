// SPDX-License-Identifier: MIT
//
// Owned: which object an argument stands for, if it may be a smart pointer or the object itself. ObjectRef: how a
// shared object is kept: by reference, owned, or only observed.

#ifndef TOTO_DETAIL_GROUND_OBJECT_REF_HPP
#define TOTO_DETAIL_GROUND_OBJECT_REF_HPP

#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"

namespace toto::inline v0_1::detail {

/// X is a C of something.
template <class X, template <class...> class C>
inline constexpr bool kIsA = false;
template <class... Args, template <class...> class C>
inline constexpr bool kIsA<C<Args...>, C> = true;

/// The object that a U stands for: what it owns, or itself.
template <class U>
struct Owned {
  using Type = U;
};
template <class T>
struct Owned<std::shared_ptr<T>> {
  using Type = T;
};
template <class T, class Deleter>
struct Owned<std::unique_ptr<T, Deleter>> {
  using Type = T;
};

/// The same for what may also point to an object that it does not own.
template <class U>
struct PointedTo : Owned<U> {};
template <class U>
struct PointedTo<U*> {
  using Type = U;
};

/// A U owns or points to a T, rather than being one.
template <class U, class T>
inline constexpr bool kPoints = !std::is_same_v<U, std::remove_cv_t<T>>;

/// A U is a T, or owns or points to one.
template <class U, class T>
concept OneObject = !kPoints<U, T> || (!std::is_same_v<U, typename PointedTo<U>::Type> &&
                                       std::is_convertible_v<typename PointedTo<U>::Type*, T*>);

/// The same for what an ObjectRef is made from, which may also be an observer; and the object may be constant.
template <class Source>
struct Referred : Owned<Source> {};
template <class T>
struct Referred<std::weak_ptr<T>> {
  using Type = T;
};
template <class Source>
struct Referred<const Source> {
  using Object = typename Referred<Source>::Type;
  using Type = std::conditional_t<std::is_same_v<Object, Source>, const Source, Object>;
};

template <class T>
class ObjectRef {
 public:
  /// Throws: std::invalid_argument for a null pointer; std::bad_alloc; what moving the object throws.
  template <class Source>
  static ObjectRef from(Source&& source) {
    constexpr bool kIsObject = std::is_convertible_v<std::remove_reference_t<Source>*, T*>;  // whatever it converts to
    ObjectRef ref;
    if constexpr (kIsObject && std::is_lvalue_reference_v<Source>) {
      ref.object_ = std::shared_ptr<T>(std::shared_ptr<void>(), std::addressof(source));  // owns nothing
    } else if constexpr (kIsA<std::remove_cvref_t<Source>, std::weak_ptr> &&
                         std::is_convertible_v<Source, std::weak_ptr<T>>) {
      ref.observed_ = std::forward<Source>(source);
    } else if constexpr (!kIsObject && std::is_convertible_v<Source, std::shared_ptr<T>>) {
      ref.object_ = std::forward<Source>(source);
      if (ref.object_.get() == nullptr) {
        throw std::invalid_argument("toto: instance is null; pass an object to call");
      }
    } else {
      constexpr bool kValue = !std::is_lvalue_reference_v<Source> && std::is_constructible_v<T, Source>;
      static_assert(kValue,
                    "toto: an AwaitableInstance<T> is made from a T, from a std::shared_ptr or std::unique_ptr that "
                    "owns one, or from a std::weak_ptr");
      if constexpr (kValue) {
        ref.object_ = std::make_shared<T>(std::forward<Source>(source));
      }
    }
    return ref;
  }

  /// Returns the object, which lives as long as this; if it was only observed, from now on.
  /// Throws: InstanceGone.
  T& get() {
    if (object_.get() == nullptr) {
      object_ = observed_.lock();
      if (object_.get() == nullptr) {
        throw InstanceGone("toto: the object of this AwaitableInstance is gone; it was only observed (weak_ptr)");
      }
    }
    return *object_;
  }

 private:
  std::shared_ptr<T> object_;  // owned, or referred to
  std::weak_ptr<T> observed_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_OBJECT_REF_HPP
