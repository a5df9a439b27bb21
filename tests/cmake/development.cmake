# SPDX-License-Identifier: MIT
#
# What tests, examples and benchmarks need and users of the library do not: warnings, sanitizers, and third-party
# libraries, found or fetched.

include_guard(GLOBAL)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# Nothing here is a module. CMake 3.28 and newer would scan every file for them, with a tool that Clang often lacks.
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

# --- Warnings: link toto_warnings to what is ours, so that fetched libraries do not see it.

add_library(toto_warnings INTERFACE)
if(MSVC)
  target_compile_options(toto_warnings INTERFACE /W4 /permissive- /utf-8 /bigobj)
else()
  target_compile_options(toto_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Woverloaded-virtual -Wextra-semi)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(toto_warnings INTERFACE -Wthread-safety) # checks TOTO_GUARDED_BY and its family
  elseif(TOTO_SANITIZE)
    target_compile_options(toto_warnings INTERFACE -Wno-maybe-uninitialized) # GCC guesses wrong when instrumenting
  endif()
endif()
if(TOTO_WARNINGS_AS_ERRORS)
  target_compile_options(toto_warnings INTERFACE $<IF:$<BOOL:${MSVC}>,/WX,-Werror>)
endif()

# --- Sanitizers: for everything below this directory, fetched libraries included.

if(TOTO_SANITIZE)
  set(toto_sanitizer_flags -fsanitize=${TOTO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_options(${toto_sanitizer_flags})
  add_link_options(${toto_sanitizer_flags})
  unset(toto_sanitizer_flags)
  if(TOTO_SANITIZE MATCHES "thread")
    # Asio counts references with a fence, which the thread sanitizer does not know: it would report the last owner's
    # delete as a race. It can count with Boost's counter, which has none.
    find_path(TOTO_BOOST_COUNTER boost/detail/atomic_count.hpp)
    mark_as_advanced(TOTO_BOOST_COUNTER)
    if(TOTO_BOOST_COUNTER)
      add_compile_definitions(ASIO_DISABLE_STD_ATOMIC BOOST_ASIO_DISABLE_STD_ATOMIC)
    endif()
  endif()
endif()

# --- Third-party libraries: the system's if it has them, else fetched at a fixed version. Libraries that need
# their own build system (OpenSSL, SQLite) are not fetched: then whatever needs them is left out, and a message says why.

if(CMAKE_CXX_FLAGS MATCHES "-stdlib=libc\\+\\+" AND NOT APPLE)
  set(TOTO_FOREIGN_STDLIB ON) # the system's C++ libraries are compiled against libstdc++: only headers can be used
endif()

# toto_fetch(<name> <git repository> <tag> <Debian package>)
function(toto_fetch name repository tag package)
  message(STATUS "${name} is not installed (Debian, Ubuntu: apt-get install ${package}): fetching ${tag}")
  include(FetchContent)
  FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW ON SYSTEM)
  FetchContent_MakeAvailable(${name})
endfunction()

# Makes Catch2::Catch2 (version 2, headers only) or Catch2::Catch2WithMain (version 3). Which one it is stands in
# TOTO_CATCH2_MAJOR.
macro(toto_find_catch2)
  if(NOT TOTO_FOREIGN_STDLIB)
    find_package(Catch2 3 CONFIG QUIET)
  endif()
  if(NOT Catch2_FOUND)
    find_package(Catch2 2.13 CONFIG QUIET)
  endif()
  if(NOT Catch2_FOUND)
    toto_fetch(Catch2 https://github.com/catchorg/Catch2.git v3.7.1 catch2)
  endif()
  if(Catch2_VERSION AND Catch2_VERSION VERSION_LESS 3)
    set(TOTO_CATCH2_MAJOR 2)
  else()
    set(TOTO_CATCH2_MAJOR 3)
  endif()
endmacro()

# toto_find_c_library(<result> <name> <header> <suffix>): for those without a CMake package. Sets <result> to a target, if
# there is the library, and its header in a directory of includes or in <suffix> below one.
function(toto_find_c_library result name header suffix)
  string(TOUPPER "TOTO_${name}" variable)
  find_path(${variable}_DIR ${header} PATH_SUFFIXES ${suffix})
  find_library(${variable}_LIBRARY ${name})
  mark_as_advanced(${variable}_DIR ${variable}_LIBRARY)
  if(${variable}_DIR AND ${variable}_LIBRARY)
    if(NOT TARGET toto_${name})
      add_library(toto_${name} INTERFACE IMPORTED GLOBAL)
      target_include_directories(toto_${name} INTERFACE ${${variable}_DIR})
      target_link_libraries(toto_${name} INTERFACE ${${variable}_LIBRARY})
    endif()
    set(${result} toto_${name} PARENT_SCOPE)
  endif()
endfunction()

# toto_find_library(<result> <name>): sets <result> to the targets to link, or to "" after saying why there are none.
function(toto_find_library result name)
  set(targets "")
  set(package "")
  if(name STREQUAL "fmt")
    if(NOT TARGET fmt::fmt-header-only)
      find_package(fmt 9 CONFIG QUIET GLOBAL)
      if(NOT fmt_FOUND)
        toto_fetch(fmt https://github.com/fmtlib/fmt.git 11.0.2 libfmt-dev)
      endif()
    endif()
    set(targets fmt::fmt-header-only) # works with any standard library
  elseif(name STREQUAL "CLI11")
    if(NOT TARGET CLI11::CLI11)
      find_package(CLI11 CONFIG QUIET GLOBAL)
      if(NOT CLI11_FOUND)
        toto_fetch(CLI11 https://github.com/CLIUtils/CLI11.git v2.4.2 libcli11-dev)
      endif()
    endif()
    set(targets CLI11::CLI11)
  elseif(name STREQUAL "OpenSSL")
    set(package libssl-dev)
    find_package(OpenSSL QUIET GLOBAL)
    if(OpenSSL_FOUND)
      set(targets OpenSSL::Crypto)
    endif()
  elseif(name STREQUAL "SQLite3")
    set(package libsqlite3-dev)
    find_package(SQLite3 QUIET GLOBAL)
    if(SQLite3_FOUND)
      set(targets SQLite::SQLite3)
    endif()
  elseif(name STREQUAL "Asio")
    set(package libasio-dev)
    find_path(TOTO_ASIO_DIR asio/version.hpp)
    mark_as_advanced(TOTO_ASIO_DIR)
    set(version 0)
    if(TOTO_ASIO_DIR)
      file(STRINGS ${TOTO_ASIO_DIR}/asio/version.hpp line REGEX "^#define ASIO_VERSION [0-9]+")
      string(REGEX MATCH "[0-9]+" version "${line}")
    endif()
    if(version GREATER_EQUAL 101900) # what toto/asio.hpp needs
      if(NOT TARGET toto_asio)
        add_library(toto_asio INTERFACE IMPORTED GLOBAL)
        target_include_directories(toto_asio INTERFACE ${TOTO_ASIO_DIR})
        # Before 1.24 it takes Clang for a compiler that has the coroutines of an experiment only.
        target_compile_definitions(toto_asio INTERFACE
          $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE>)
      endif()
      set(targets toto_asio)
    endif()
  elseif(name STREQUAL "Boost")
    set(package "libboost1.81-dev, or another that is no older than 1.77")
    find_package(Boost 1.77 CONFIG QUIET GLOBAL)
    if(Boost_FOUND)
      set(targets Boost::headers)
    endif()
  elseif(name STREQUAL "SQLiteCpp" AND TOTO_FOREIGN_STDLIB)
    message(STATUS "SQLiteCpp was compiled against another standard library")
  elseif(name STREQUAL "SQLiteCpp")
    set(package libsqlitecpp-dev)
    find_package(SQLiteCpp CONFIG QUIET GLOBAL)
    if(SQLiteCpp_FOUND)
      set(targets SQLiteCpp)
    endif()
  elseif(name STREQUAL "libpq")
    set(package libpq-dev)
    toto_find_c_library(targets pq libpq-fe.h postgresql)
  elseif(name STREQUAL "hiredis")
    set(package libhiredis-dev)
    toto_find_c_library(targets hiredis hiredis/hiredis.h "")
  else()
    message(FATAL_ERROR "toto_find_library: unknown library ${name}")
  endif()
  if(NOT targets AND package)
    message(STATUS "${name} is not installed (Debian, Ubuntu: apt-get install ${package})")
  endif()
  set(${result} "${targets}" PARENT_SCOPE)
endfunction()

# toto_libraries_of(<result> <missing> <source>...): sets <result> to the targets of whatever libraries the sources
# include, and <missing> to the name of the first one that is not there, or to "".
function(toto_libraries_of result missing)
  set(libraries "")
  foreach(source IN LISTS ARGN)
    file(STRINGS ${source} includes REGEX "^#include [<\"]")
    foreach(name pattern IN ZIP_LISTS toto_library_names toto_library_patterns)
      if(name STREQUAL "Asio" AND includes MATCHES "<boost/asio")
        continue() # it uses toto/asio.hpp with TOTO_BOOST_ASIO
      endif()
      if(includes MATCHES "${pattern}")
        toto_find_library(found ${name})
        if(NOT found)
          set(${missing} ${name} PARENT_SCOPE)
          return()
        endif()
        list(APPEND libraries ${found})
      endif()
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES libraries)
  set(${result} "${libraries}" PARENT_SCOPE)
  set(${missing} "" PARENT_SCOPE)
endfunction()

# toto_add_program(<target> <source>...): an executable linked with toto and with whatever libraries its sources
# include. Without one of them there is no target, and a message says so: ask if(TARGET ...).
function(toto_add_program target)
  toto_libraries_of(libraries missing ${ARGN})
  if(missing)
    message(STATUS "${target} is left out: it needs ${missing}")
    return()
  endif()
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE toto::toto toto_warnings ${libraries})
endfunction()
set(toto_library_names fmt Asio Boost CLI11 OpenSSL SQLite3 SQLiteCpp libpq hiredis)
set(toto_library_patterns "<fmt/|toto/fmt\\.hpp" "<asio|toto/asio\\.hpp" "<boost/" "<CLI/" "<openssl/" "<sqlite3\\.h"
  "<SQLiteCpp/" "<libpq-fe" "<hiredis/")

# --- What makes tests and examples compile faster than a user's programs. What it could hide is found by the builds that
# do without: the ways of consuming the library, the headers alone, and gcc-release of the presets.

option(TOTO_TESTS_COMPILED "Tests and examples of toto use toto::compiled" OFF)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  option(TOTO_TESTS_PRECOMPILED "Tests and examples of toto use precompiled headers" ON)
else()
  option(TOTO_TESTS_PRECOMPILED "Tests and examples of toto use precompiled headers" OFF)
endif()

# toto_compile_fast(<target>): what the library compiles once, and its precompiled header, are shared by all of these
# targets in a directory, which have to have the same flags.
function(toto_compile_fast target)
  if(NOT TOTO_TESTS_COMPILED)
    return()
  endif()
  get_filename_component(once ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(once toto_compiled_for_${once})
  if(NOT TARGET ${once})
    add_library(${once} OBJECT ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../include/toto/compiled.cpp)
    target_link_libraries(${once} PUBLIC toto::toto PRIVATE toto_warnings)
    target_compile_definitions(${once} PUBLIC TOTO_COMPILED)
    if(TOTO_TESTS_PRECOMPILED)
      target_precompile_headers(${once} PRIVATE <toto/tasks.hpp>)
    endif()
  endif()
  target_link_libraries(${target} PRIVATE ${once})
  if(TOTO_TESTS_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${once})
  endif()
endfunction()

# toto_label(<label> [<target>...]): "cmake --build --target toto_label_<label>" builds what the tests with this label
# need, and nothing else. tests/run.sh -L <label> does.
function(toto_label label)
  if(NOT TARGET toto_label_${label})
    add_custom_target(toto_label_${label})
  endif()
  if(ARGN)
    add_dependencies(toto_label_${label} ${ARGN})
  endif()
endfunction()
