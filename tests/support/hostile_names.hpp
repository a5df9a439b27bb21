// SPDX-License-Identifier: MIT
//
// A user's namespace with a function template of each name that the library might call, deleted, and willing to take
// whatever it is given; and comma, address-of and logical operators of that kind. A call in the library that is not
// qualified finds them as soon as an argument is, or a template argument names, a type from here: it does not compile
// then. The types are what a program hands to the library. Read next: ../process/hostile_names.cpp.

#ifndef TOTO_TESTS_SUPPORT_HOSTILE_NAMES_HPP
#define TOTO_TESTS_SUPPORT_HOSTILE_NAMES_HPP

namespace hostile {

// As good as the library's own, or better, for whatever arguments; and chosen if only as good, because constrained.
#define TOTO_TESTS_HOSTILE(name)   \
  template <class... A>            \
  void name(A&&...) = delete;      \
  template <class... A>            \
    requires(sizeof...(A) < 1000)  \
  void name(const A&...) = delete; \
  template <class A>               \
    requires(sizeof(A&) < 1000)    \
  void name(A&&) = delete;         \
  template <class A, class B>      \
    requires(sizeof(A&) < 1000)    \
  void name(A&&, B&&) = delete;    \
  template <class A, class... B>   \
    requires(sizeof(A&) < 1000)    \
  void name(A&&, B&&...) = delete

// What the library itself defines.
TOTO_TESTS_HOSTILE(add_delayed);
TOTO_TESTS_HOSTILE(add_inline);
TOTO_TESTS_HOSTILE(add_to_queue);
TOTO_TESTS_HOSTILE(add_with_state);
TOTO_TESTS_HOSTILE(align_in);
TOTO_TESTS_HOSTILE(allocate_aligned);
TOTO_TESTS_HOSTILE(append);
TOTO_TESTS_HOSTILE(as_child);
TOTO_TESTS_HOSTILE(as_stored);
TOTO_TESTS_HOSTILE(async_get);
TOTO_TESTS_HOSTILE(await_one);
TOTO_TESTS_HOSTILE(bind_inline);
TOTO_TESTS_HOSTILE(call_body);
TOTO_TESTS_HOSTILE(check_callable);
TOTO_TESTS_HOSTILE(check_duration);
TOTO_TESTS_HOSTILE(check_instances);
TOTO_TESTS_HOSTILE(check_name);
TOTO_TESTS_HOSTILE(check_not_nan);
TOTO_TESTS_HOSTILE(check_options);
TOTO_TESTS_HOSTILE(check_positive);
TOTO_TESTS_HOSTILE(check_times);
TOTO_TESTS_HOSTILE(children_of);
TOTO_TESTS_HOSTILE(current_executor);
TOTO_TESTS_HOSTILE(fill);
TOTO_TESTS_HOSTILE(fits_inline);
TOTO_TESTS_HOSTILE(free_aligned);
TOTO_TESTS_HOSTILE(get_awaiter);
TOTO_TESTS_HOSTILE(invoke);
TOTO_TESTS_HOSTILE(is_closure);
TOTO_TESTS_HOSTILE(is_null);
TOTO_TESTS_HOSTILE(is_same);
TOTO_TESTS_HOSTILE(is_task_cancelled);
TOTO_TESTS_HOSTILE(join);
TOTO_TESTS_HOSTILE(keep_for_ever);
TOTO_TESTS_HOSTILE(len);
TOTO_TESTS_HOSTILE(make_factory);
TOTO_TESTS_HOSTILE(make_one_place);
TOTO_TESTS_HOSTILE(make_places);
TOTO_TESTS_HOSTILE(make_source);
TOTO_TESTS_HOSTILE(make_transaction);
TOTO_TESTS_HOSTILE(next_time);
TOTO_TESTS_HOSTILE(not_a_temporary);
TOTO_TESTS_HOSTILE(refuse_argument);
TOTO_TESTS_HOSTILE(require);
TOTO_TESTS_HOSTILE(require_callable);
TOTO_TESTS_HOSTILE(resume_on);
TOTO_TESTS_HOSTILE(run_group);
TOTO_TESTS_HOSTILE(run_on_timers);
TOTO_TESTS_HOSTILE(run_scenario);
TOTO_TESTS_HOSTILE(seconds_text);
TOTO_TESTS_HOSTILE(set_value);
TOTO_TESTS_HOSTILE(settle);
TOTO_TESTS_HOSTILE(simulate);
TOTO_TESTS_HOSTILE(sleep_for);
TOTO_TESTS_HOSTILE(sleep_until);
TOTO_TESTS_HOSTILE(start_asio_get);
TOTO_TESTS_HOSTILE(submit);
TOTO_TESTS_HOSTILE(submit_call);
TOTO_TESTS_HOSTILE(submit_call_as);
TOTO_TESTS_HOSTILE(sync_wait);
TOTO_TESTS_HOSTILE(take_element);
TOTO_TESTS_HOSTILE(text_of);
TOTO_TESTS_HOSTILE(this_thread_number);
TOTO_TESTS_HOSTILE(thread_name);
TOTO_TESTS_HOSTILE(throw_cancelled);
TOTO_TESTS_HOSTILE(throw_empty_handle);
TOTO_TESTS_HOSTILE(throw_no_task);
TOTO_TESTS_HOSTILE(time_between);
TOTO_TESTS_HOSTILE(type_name);
TOTO_TESTS_HOSTILE(when_all);
TOTO_TESTS_HOSTILE(when_all_or_cancel);
TOTO_TESTS_HOSTILE(when_all_settled);
TOTO_TESTS_HOSTILE(when_any);
TOTO_TESTS_HOSTILE(with_task_group);

// The standard library's.
TOTO_TESTS_HOSTILE(addressof);
TOTO_TESTS_HOSTILE(advance);
TOTO_TESTS_HOSTILE(apply);
TOTO_TESTS_HOSTILE(as_const);
TOTO_TESTS_HOSTILE(async);
TOTO_TESTS_HOSTILE(begin);
TOTO_TESTS_HOSTILE(bit_cast);
TOTO_TESTS_HOSTILE(bit_ceil);
TOTO_TESTS_HOSTILE(cbegin);
TOTO_TESTS_HOSTILE(cend);
TOTO_TESTS_HOSTILE(construct_at);
TOTO_TESTS_HOSTILE(copy);
TOTO_TESTS_HOSTILE(count);
TOTO_TESTS_HOSTILE(count_if);
TOTO_TESTS_HOSTILE(current_exception);
TOTO_TESTS_HOSTILE(data);
TOTO_TESTS_HOSTILE(declval);
TOTO_TESTS_HOSTILE(destroy);
TOTO_TESTS_HOSTILE(destroy_at);
TOTO_TESTS_HOSTILE(destroy_n);
TOTO_TESTS_HOSTILE(distance);
TOTO_TESTS_HOSTILE(empty);
TOTO_TESTS_HOSTILE(end);
TOTO_TESTS_HOSTILE(equal);
TOTO_TESTS_HOSTILE(erase_if);
TOTO_TESTS_HOSTILE(exchange);
TOTO_TESTS_HOSTILE(find);
TOTO_TESTS_HOSTILE(find_if);
TOTO_TESTS_HOSTILE(for_each);
TOTO_TESTS_HOSTILE(forward);
TOTO_TESTS_HOSTILE(forward_as_tuple);
TOTO_TESTS_HOSTILE(get_deleter);
TOTO_TESTS_HOSTILE(get_if);
TOTO_TESTS_HOSTILE(hash_value);
TOTO_TESTS_HOSTILE(holds_alternative);
TOTO_TESTS_HOSTILE(launder);
TOTO_TESTS_HOSTILE(make_error_code);
TOTO_TESTS_HOSTILE(make_exception_ptr);
TOTO_TESTS_HOSTILE(make_pair);
TOTO_TESTS_HOSTILE(make_shared);
TOTO_TESTS_HOSTILE(make_tuple);
TOTO_TESTS_HOSTILE(make_unique);
TOTO_TESTS_HOSTILE(max);
TOTO_TESTS_HOSTILE(memcmp);
TOTO_TESTS_HOSTILE(memcpy);
TOTO_TESTS_HOSTILE(min);
TOTO_TESTS_HOSTILE(move);
TOTO_TESTS_HOSTILE(move_if_noexcept);
TOTO_TESTS_HOSTILE(next);
TOTO_TESTS_HOSTILE(prev);
TOTO_TESTS_HOSTILE(rbegin);
TOTO_TESTS_HOSTILE(ref);
TOTO_TESTS_HOSTILE(rend);
TOTO_TESTS_HOSTILE(rethrow_exception);
TOTO_TESTS_HOSTILE(size);
TOTO_TESTS_HOSTILE(ssize);
TOTO_TESTS_HOSTILE(static_pointer_cast);
TOTO_TESTS_HOSTILE(terminate);
TOTO_TESTS_HOSTILE(tie);
TOTO_TESTS_HOSTILE(to_address);
TOTO_TESTS_HOSTILE(to_string);
TOTO_TESTS_HOSTILE(try_lock);
TOTO_TESTS_HOSTILE(tuple_cat);
TOTO_TESTS_HOSTILE(uninitialized_default_construct_n);
TOTO_TESTS_HOSTILE(visit);

// What else programs, and Asio, and fmt, have functions of that name for.
TOTO_TESTS_HOSTILE(add);
TOTO_TESTS_HOSTILE(apply_visitor);
TOTO_TESTS_HOSTILE(call);
TOTO_TESTS_HOSTILE(cancel);
TOTO_TESTS_HOSTILE(check);
TOTO_TESTS_HOSTILE(close);
TOTO_TESTS_HOSTILE(complete);
TOTO_TESTS_HOSTILE(detach);
TOTO_TESTS_HOSTILE(dispatch);
TOTO_TESTS_HOSTILE(execute);
TOTO_TESTS_HOSTILE(format);
TOTO_TESTS_HOSTILE(format_to);
TOTO_TESTS_HOSTILE(observe);
TOTO_TESTS_HOSTILE(post);
TOTO_TESTS_HOSTILE(query);
TOTO_TESTS_HOSTILE(release);
TOTO_TESTS_HOSTILE(reset);
TOTO_TESTS_HOSTILE(resume);
TOTO_TESTS_HOSTILE(retain);
TOTO_TESTS_HOSTILE(run);
TOTO_TESTS_HOSTILE(schedule);
TOTO_TESTS_HOSTILE(spawn);
TOTO_TESTS_HOSTILE(start);
TOTO_TESTS_HOSTILE(start_on);
TOTO_TESTS_HOSTILE(stop);
TOTO_TESTS_HOSTILE(take);
TOTO_TESTS_HOSTILE(then);
TOTO_TESTS_HOSTILE(wait);
TOTO_TESTS_HOSTILE(yield);

#undef TOTO_TESTS_HOSTILE

// Operators. The standard library itself takes the address of a coroutine's promise, and compares iterators: it is left
// to do so.
template <class A>
  requires(!requires(A& promise) { promise.get_return_object(); })
void operator&(A&&) = delete;
template <class A>
void operator!(A&&) = delete;
template <class A, class B>
void operator,(A&&, B&&) = delete;
template <class A, class B>
void operator&&(A&&, B&&) = delete;
template <class A, class B>
void operator||(A&&, B&&) = delete;
template <class A, class B>
void operator==(const A&, const B&) = delete;
template <class A, class B>
void operator!=(const A&, const B&) = delete;
template <class A, class B>
void operator<(const A&, const B&) = delete;
template <class A, class B>
void operator+(const A&, const B&) = delete;
template <class A, class B>
void operator|(const A&, const B&) = delete;
template <class A, class B>
void operator<<(A&&, B&&) = delete;
template <class A, class B>
void operator->*(A&&, B&&) = delete;

}  // namespace hostile

#endif  // TOTO_TESTS_SUPPORT_HOSTILE_NAMES_HPP
