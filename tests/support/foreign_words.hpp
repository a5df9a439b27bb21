// SPDX-License-Identifier: MIT
//
// Words that well-known headers define as macros. Here each of them expands to a character that no program may contain,
// so that a header of the library that uses one does not compile after this. Include it behind the headers of other
// libraries; those of the standard library and of the system that the library needs are included here, because not all
// of them can be read with such macros.

#ifndef TOTO_TESTS_SUPPORT_FOREIGN_WORDS_HPP
#define TOTO_TESTS_SUPPORT_FOREIGN_WORDS_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <bitset>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <compare>
#include <concepts>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <ios>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <ostream>
#include <ratio>
#include <span>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
#include <version>

#if __has_include(<unistd.h>)
#include <cxxabi.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#endif
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

// clang-format off

// Qt's keywords (qtmetamacros.h, qobjectdefs.h), unless QT_NO_KEYWORDS is defined.
#define slots @
#define signals @
#define emit @
#define foreach @
#define forever @

// Xlib's X.h, Xlib.h, Xutil.h.
#define Above @
#define AllValues @
#define Always @
#define Below @
#define Bool @
#define ButtonPress @
#define ClientMessage @
#define Complex @
#define ControlMask @
#define Convex @
#define CurrentTime @
#define CursorShape @
#define DestroyAll @
#define Expose @
#define False @
#define FocusIn @
#define FocusOut @
#define GrayScale @
#define InputFocus @
#define InputOnly @
#define KeyPress @
#define KeyRelease @
#define LineSolid @
#define LockMask @
#define MotionNotify @
#define NoValue @
#define None @
#define Nonconvex @
#define NormalState @
#define Opposite @
#define ShiftMask @
#define Status @
#define Success @
#define TopIf @
#define True @
#define Unsorted @
#define WindingRule @
#define ZoomState @

// windows.h and what it includes, without NOMINMAX.
#define ABSOLUTE @
#define ALTERNATE @
#define CALLBACK @
#define CONST @
#define DELETE @
#define DOMAIN @
#define DUPLICATE @
#define ERROR @
#define EXCEPTION @
#define FAILED @
#define FALSE @
#define FAR @
#define HALFTONE @
#define IGNORE @
#define IN @
#define INFINITE @
#define INTERFACE @
#define NEAR @
#define NOERROR @
#define NO_ERROR @
#define OPAQUE @
#define OPTIONAL @
#define OUT @
#define OVERFLOW @
#define PASCAL @
#define PURE @
#define RELATIVE @
#define STRICT @
#define TEXT @
#define THIS @
#define TRANSPARENT @
#define TRUE @
#define UNDERFLOW @
#define VOID @
#define CreateEvent @
#define CreateFile @
#define CreateMutex @
#define CreateProcess @
#define CreateSemaphore @
#define CreateWindow @
#define DispatchMessage @
#define FindWindow @
#define GetClassName @
#define GetCommandLine @
#define GetCurrentTime @
#define GetJob @
#define GetMessage @
#define GetObject @
#define GetUserName @
#define LoadImage @
#define LoadLibrary @
#define MessageBox @
#define PostMessage @
#define RegisterClass @
#define ReportEvent @
#define SendMessage @
#define SetJob @
#define StartService @
#define StringCopy @
#define Yield @
#define cdecl @
#define far @
#define hyper @
#define interface @
#define near @
#define pascal @
#define small @
#undef min
#define min(...) @
#undef max
#define max(...) @
#define HIWORD(...) @
#define LOWORD(...) @
#define MAKELONG(...) @
#define RGB(...) @
#define SUCCEEDED(...) @

// AssertMacros.h of macOS.
#define check(...) @
#define check_noerr(...) @
#define check_noerr_string(...) @
#define check_string(...) @
#define debug_string(...) @
#define ncheck(...) @
#define ncheck_noerr(...) @
#define ncheck_string(...) @
#define nrequire(...) @
#define nrequire_action(...) @
#define nrequire_noerr(...) @
#define nrequire_quiet(...) @
#define nverify(...) @
#define nverify_noerr(...) @
#define nverify_string(...) @
#define require(...) @
#define require_action(...) @
#define require_action_quiet(...) @
#define require_noerr(...) @
#define require_noerr_action(...) @
#define require_noerr_quiet(...) @
#define require_noerr_string(...) @
#define require_quiet(...) @
#define require_string(...) @
#define verify(...) @
#define verify_action(...) @
#define verify_noerr(...) @
#define verify_noerr_action(...) @
#define verify_noerr_string(...) @
#define verify_string(...) @

// curses.h, as it is in C++, where it takes back box, clear, erase, move and refresh.
#define addch(...) @
#define addstr(...) @
#define attroff(...) @
#define attron(...) @
#define attrset(...) @
#define bkgd(...) @
#define border(...) @
#define chgat(...) @
#define clrtobot(...) @
#define clrtoeol(...) @
#define delch(...) @
#define deleteln(...) @
#define echochar(...) @
#define filter(...) @
#define getbegyx(...) @
#define getch(...) @
#define getmaxx(...) @
#define getmaxy(...) @
#define getstr(...) @
#define getyx(...) @
#define hline(...) @
#define inch(...) @
#define insch(...) @
#define insertln(...) @
#define insstr(...) @
#define instr(...) @
#define nodelay(...) @
#define scrl(...) @
#define scroll(...) @
#define setscrreg(...) @
#define standend(...) @
#define standout(...) @
#define timeout(...) @
#define touchline(...) @
#define touchwin(...) @
#define vline(...) @

// sys/param.h, sys/sysmacros.h, sys/types.h, complex.h; and what GCC and Clang define with -std=gnu++20.
#undef unix
#define unix @
#undef linux
#define linux @
#undef I
#define I @
#undef MIN
#define MIN(...) @
#undef MAX
#define MAX(...) @
#undef clrbit
#define clrbit(...) @
#undef howmany
#define howmany(...) @
#undef isclr
#define isclr(...) @
#undef isset
#define isset(...) @
#undef major
#define major(...) @
#undef makedev
#define makedev(...) @
#undef minor
#define minor(...) @
#undef powerof2
#define powerof2(...) @
#undef roundup
#define roundup(...) @
#undef setbit
#define setbit(...) @

// clang-format on

#endif  // TOTO_TESTS_SUPPORT_FOREIGN_WORDS_HPP
