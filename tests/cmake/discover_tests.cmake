# SPDX-License-Identifier: MIT
#
# toto_discover_tests(<target> <prefix> [<property> <value>]...): after each build of <target>, an executable of Catch2
# test cases, each of them becomes a CTest test named "<prefix><title>" with these properties.
#
# Catch2 has catch_discover_tests for this; that of version 2 loses every test with a semicolon in its title.
#
# As a script (cmake -P) the same file asks EXECUTABLE for its test cases and writes OUTPUT, which CTest reads.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  include_guard(GLOBAL)
  set(toto_discover_tests_file ${CMAKE_CURRENT_LIST_FILE})

  function(toto_discover_tests target prefix)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake)
    add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${output} VERBATIM
      COMMAND ${CMAKE_COMMAND} -D EXECUTABLE=$<TARGET_FILE:${target}> -D PREFIX=${prefix} -D "PROPERTIES=${ARGN}"
        -D CATCH2_MAJOR=${TOTO_CATCH2_MAJOR} -D OUTPUT=${output} -P ${toto_discover_tests_file})
    # An executable that was not built is one failing test, not none.
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake
      "if(EXISTS [==[${output}]==])\n  include([==[${output}]==])\n"
      "else()\n  add_test(${target}_was_not_built ${target}_was_not_built)\nendif()\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake)
  endfunction()
  return()
endif()

file(REMOVE ${OUTPUT})
if(CATCH2_MAJOR EQUAL 2)
  set(list --list-test-names-only) # and the exit code is the number of tests
else()
  set(list --list-tests --verbosity quiet)
endif()
execute_process(COMMAND ${EXECUTABLE} ${list} OUTPUT_VARIABLE titles ERROR_VARIABLE errors RESULT_VARIABLE status)
if(titles STREQUAL "" OR NOT (CATCH2_MAJOR EQUAL 2 OR status EQUAL 0))
  message(FATAL_ERROR "${EXECUTABLE} does not list its tests (${status}):\n${titles}${errors}")
endif()

# What would tear a CMake list apart is set aside while there is one.
string(ASCII 1 semicolon)
string(ASCII 2 opening)
string(ASCII 3 closing)
string(REPLACE ";" "${semicolon}" titles "${titles}")
string(REPLACE "[" "${opening}" titles "${titles}")
string(REPLACE "]" "${closing}" titles "${titles}")
string(REGEX REPLACE "[\r\n]+" ";" titles "${titles}")

set(script "")
foreach(title IN LISTS titles)
  if(title STREQUAL "")
    continue()
  endif()
  set(argument "${title}") # as Catch2 wants it: a comma and a bracket have a meaning there
  string(REPLACE "," "\\," argument "${argument}")
  string(REPLACE "${opening}" "\\[" argument "${argument}")
  string(REPLACE "${closing}" "\\]" argument "${argument}")
  string(REPLACE "${opening}" "[" title "${title}")
  string(REPLACE "${closing}" "]" title "${title}")
  string(APPEND script "add_test([==[${PREFIX}${title}]==] [==[${EXECUTABLE}]==] [==[${argument}]==])\n"
    "set_tests_properties([==[${PREFIX}${title}]==] PROPERTIES")
  foreach(property IN LISTS PROPERTIES)
    string(APPEND script " [==[${property}]==]")
  endforeach()
  string(APPEND script ")\n")
endforeach()
string(REPLACE "${semicolon}" ";" script "${script}")
file(WRITE ${OUTPUT} "${script}")
