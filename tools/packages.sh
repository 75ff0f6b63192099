# Sourced by ./run and ./check: finds out what is missing on this machine and installs it through apt.
# shellcheck shell=bash disable=SC2034

# What ./run needs, and how to see that it is there without asking dpkg: a command, py:MODULE, clang:SANITIZER, or "-" for
# no such way.
run_packages=(
  "build-essential cc" "build-essential c++" "cmake cmake" "ninja-build ninja" "pkg-config pkg-config"
  "libxxhash-dev -" "libjansson-dev -" "zlib1g-dev -"
  # LLVM's static libraries refer to these.
  "libzstd-dev -" "libxml2-dev -"
  # CBLAS and LAPACK, opened at run time.
  "libopenblas0-pthread -"
  # The Python package; the main job fetches its data as a package of PyPI.
  "python3 python3" "python3-dev python-headers" "python3-pip py:pip"
)
# What ./check needs besides.
check_packages=(
  "libcmocka-dev -" "clang clang" "libclang-rt-dev clang:fuzzer" "python3-numpy py:numpy"
  # MLX, clang-format and pytest come from the registry of Python packages, each into an environment of its own.
  "python3-venv py:ensurepip"
  # Old processors, for the tests of functions (./check --full).
  "qemu-user qemu-x86_64"
)
# In the order in which they are preferred.
llvm_versions=(19 18 20 17 16 15 21 22)

say() { printf '%s\n' "$*" >&2; }

available() { [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# present COMMAND: for the second column of the lists above.
present() {
  case $1 in
    -) return 1 ;;
    python-headers) python3 -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null ;;
    py:*) python3 -c "import ${1#py:}" 2>/dev/null ;;
    clang:*)
      echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return !p && n; }' |
        clang -fsanitize="${1#clang:}" -x c - -o /dev/null 2>/dev/null
      ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

apt_install() {
  # A fresh machine may be busy with its own updates: wait for their lock.
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2
}

# What of the list "PACKAGE COMMAND"... is not there, in `missing`.
find_missing() {
  local row package command installed
  missing=()
  # One query for all: this runs at every start.
  installed=$(dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\n' 2>/dev/null |
    sed -n 's/^\([^ :]*\)[^ ]* ii.*/ \1 /p')
  for row in "$@"; do
    read -r package command <<<"$row"
    [[ $installed == *" $package "* || " ${missing[*]} " == *" $package "* ]] && continue
    present "$command" || missing+=("$package")
  done
}

llvm_installed() {
  local v
  for v in "${llvm_versions[@]}"; do
    [[ -x /usr/lib/llvm-$v/bin/llvm-config && -e /usr/lib/llvm-$v/include/llvm-c/Core.h ]] && return 0
  done
  return 1
}

# Adds the best LLVM that the system offers to `missing`, unless one is installed.
find_llvm() {
  local v
  llvm_installed && return
  for v in "${llvm_versions[@]}"; do
    if available "llvm-$v-dev"; then
      missing+=("llvm-$v-dev")
      return
    fi
  done
  say "No LLVM from 15 to 22 is available here: expressions will be evaluated without compiling them."
}

# ensure_packages INSTALL ROW...: INSTALL is "yes" or "no". Sets `installed_something`.
ensure_packages() {
  local install=$1 package
  local -a missing
  shift
  installed_something=no
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    list_tools "$@"
    return 0
  fi
  find_missing "$@"
  if [[ ${#missing[@]} == 0 ]] && llvm_installed; then
    return 0
  fi
  if [[ $install == no ]]; then
    llvm_installed || missing+=("llvm-${llvm_versions[0]}-dev (or another of 15 to 22)")
    say "Not installed, as asked: ${missing[*]}"
    return 0
  fi
  if [[ $(id -u) != 0 ]] && ! command -v sudo >/dev/null; then
    llvm_installed || missing+=("llvm-${llvm_versions[0]}-dev")
    say "Neither root nor sudo to install what is missing: ${missing[*]}"
    return 0
  fi

  # A fresh machine has no package lists, an old one has stale ones.
  if ! available zlib1g-dev; then
    say "Fetching the lists of packages (apt-get update)"
    as_root apt-get update -q >&2 || true
  fi
  find_llvm
  [[ ${#missing[@]} == 0 ]] && return 0
  say "Installing: ${missing[*]}"
  if ! apt_install "${missing[@]}"; then
    say "Trying once more with fresh lists of packages"
    as_root apt-get update -q >&2 || true
    if ! apt_install "${missing[@]}"; then
      # One that cannot be had must not keep the others out; the build says what it cannot do without.
      for package in "${missing[@]}"; do
        apt_install "$package" || say "Could not install $package"
      done
    fi
  fi
  installed_something=yes
}

# For systems without apt: names what a command shows to be missing, and the libraries to look for.
list_tools() {
  local row package command
  local -a lacking=()
  for row in "$@"; do
    read -r package command <<<"$row"
    [[ $command == - ]] || present "$command" || lacking+=("$command")
  done
  if [[ ${#lacking[@]} != 0 || ! -e build/build.ninja ]]; then
    say "This system has no apt. Needed: a C17 compiler, CMake 3.22, Ninja, pkg-config, and the headers of"
    say "xxHash, jansson, zlib; for compiled code LLVM 15 to 22; for the tests cmocka, clang, Python 3 and NumPy."
    [[ ${#lacking[@]} == 0 ]] || say "Missing commands: ${lacking[*]}"
  fi
}
