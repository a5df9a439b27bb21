# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced: makes sure that tools and libraries are installed, using apt-get if it is available.

# need_tools COMMAND=PACKAGE...: all of these commands can be run when it returns 0.
need_tools() {
  need_missing=
  for need_pair in "$@"; do
    command -v "${need_pair%%=*}" > /dev/null || need_missing="$need_missing ${need_pair#*=}"
  done
  # shellcheck disable=SC2086 # a list of package names
  install_packages $need_missing
}

# need_packages PACKAGE...: all of these packages are installed when it returns 0. On systems without Debian packages it
# does nothing and returns 0: CMake looks for the libraries, and reports those it does not find.
need_packages() {
  command -v dpkg-query > /dev/null || return 0
  need_missing=
  for need_package in "$@"; do
    case $(dpkg-query --show --showformat='${db:Status-Status}' "$need_package" 2> /dev/null) in
      installed*) ;;
      *) need_missing="$need_missing $need_package" ;;
    esac
  done
  # shellcheck disable=SC2086 # a list of package names
  install_packages $need_missing
}

# install_packages PACKAGE...: installs them, or names those that are missing and returns 1.
install_packages() {
  [ $# -gt 0 ] || return 0
  if ! command -v apt-get > /dev/null; then
    echo "missing: $* (Debian package names; apt-get is not available to install them)" >&2
    return 1
  fi
  if [ "$(id -u)" = 0 ]; then
    install_as_root=
  elif command -v sudo > /dev/null; then
    install_as_root='sudo'
  else
    echo "missing: $*" >&2
    echo "install them as root: apt-get install $*" >&2
    return 1
  fi
  echo "installing: $*" >&2
  # The package lists may be outdated or absent: then update them and try once more.
  # shellcheck disable=SC2086 # empty or sudo
  {
    $install_as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install --yes --quiet --no-install-recommends "$@" ||
      {
        $install_as_root apt-get update --quiet &&
          $install_as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --quiet --no-install-recommends "$@"
      }
  } > /dev/null 2>&1 < /dev/null || {
    echo "could not install: $*" >&2
    echo "try: apt-get update && apt-get install $*" >&2
    return 1
  }
}
