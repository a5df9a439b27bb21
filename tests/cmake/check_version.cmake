# SPDX-License-Identifier: MIT
#
# The version stands in version.hpp (what a vendored copy has) and in CMakeLists.txt (what find_package reads):
# they have to agree.

set(version "")
foreach(part MAJOR MINOR PATCH)
  file(STRINGS ../include/toto/version.hpp line REGEX "#define TOTO_VERSION_${part} ")
  string(REGEX MATCH "[0-9]+" number "${line}")
  list(APPEND version "${number}")
endforeach()
list(JOIN version "." version)
file(STRINGS ../CMakeLists.txt line REGEX "^project\\(toto VERSION ${version} ")
if(NOT line)
  message(FATAL_ERROR "version.hpp says ${version}, CMakeLists.txt something else")
endif()
