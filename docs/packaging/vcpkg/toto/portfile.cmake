# SPDX-License-Identifier: MIT
#
# An overlay port: vcpkg install toto --overlay-ports=docs/packaging/vcpkg. It packages the copy of toto that it is part
# of. In a registry of your own, replace the next line by vcpkg_from_git(OUT_SOURCE_PATH SOURCE_PATH URL ... REF ...).

get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release) # headers only
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS -DTOTO_BUILD_TESTS=OFF -DTOTO_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/toto)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib")

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
