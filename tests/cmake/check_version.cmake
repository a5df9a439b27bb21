# SPDX-License-Identifier: MIT
#
# The version stands in version.hpp (what a vendored copy has), in CMakeLists.txt (what find_package reads), and in the
# name of the inline namespace (what the linker sees): they have to agree.

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
string(REGEX REPLACE "^([0-9]+)\\.([0-9]+)\\..*" "v\\1_\\2" namespace "${version}")
file(GLOB_RECURSE headers ../include/toto/*.hpp)
foreach(header IN LISTS headers)
  file(STRINGS ${header} lines REGEX "^namespace toto::inline v")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^namespace toto::inline ${namespace}[: ]")
      message(FATAL_ERROR "${header}: the inline namespace is not ${namespace}")
    endif()
  endforeach()
endforeach()
