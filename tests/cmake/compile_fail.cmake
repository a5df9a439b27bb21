# SPDX-License-Identifier: MIT
#
# Runs as a script: compiles SOURCE with COMPILER and FLAGS. A file whose name ends in _ok must compile. Any other must
# be refused, and the diagnostics must match each "// expect: <regular expression>" in it; with a comment
# "// each: <macro> ...", once with each of these macros defined.

get_filename_component(name ${SOURCE} NAME_WE)
file(STRINGS ${SOURCE} expectations REGEX "^// expect: ")
file(STRINGS ${SOURCE} extra_flags REGEX "^// flags: ")
string(REPLACE "// flags: " "" extra_flags "${extra_flags}")
separate_arguments(extra_flags UNIX_COMMAND "${extra_flags}")

file(STRINGS ${SOURCE} macros REGEX "^// each: ")
string(REPLACE "// each: " "" macros "${macros}")
separate_arguments(macros UNIX_COMMAND "${macros}")

# compile(<argument>...): sets status and diagnostics. In English, so that the expressions match on every machine.
macro(compile)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} ${FLAGS} ${extra_flags} ${ARGN} ${SOURCE}
    RESULT_VARIABLE status OUTPUT_VARIABLE diagnostics ERROR_VARIABLE diagnostics)
endmacro()

if(name MATCHES "_ok$")
  compile()
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "This must compile, but:\n${diagnostics}")
  endif()
  return()
endif()

if(NOT expectations)
  message(FATAL_ERROR "There is no \"// expect: \" in this file: any error at all would pass")
endif()
if(NOT macros)
  set(macros TOTO_AS_IT_IS)
endif()
foreach(macro IN LISTS macros)
  compile(-D${macro})
  if(status EQUAL 0)
    message(FATAL_ERROR "This compiles, but must be refused (${macro})")
  endif()
  foreach(expectation IN LISTS expectations)
    string(REPLACE "// expect: " "" expectation "${expectation}")
    if(NOT diagnostics MATCHES "${expectation}")
      message(FATAL_ERROR "This is refused (${macro}), but nothing matches \"${expectation}\":\n${diagnostics}")
    endif()
  endforeach()
  # A sentence that fits into a line or two: longer ones are not read.
  string(REPLACE ";" "," one_element "${diagnostics}")
  string(REGEX MATCHALL "static[_ ]assert[^\n]*" assertions "${one_element}")
  foreach(assertion IN LISTS assertions)
    string(REGEX MATCH "toto: [^\n\"]*" sentence "${assertion}")
    string(LENGTH "${sentence}" length)
    if(length GREATER 160)
      message(FATAL_ERROR "A sentence of ${length} characters; the limit is 160: ${sentence}")
    endif()
  endforeach()
endforeach()
