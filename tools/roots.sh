# Sourced: roots of other distributions, made once by debootstrap from the mirror that this machine's apt has for Debian or
# for Ubuntu. The mounts are in a namespace of their own: nothing is left of them however a command there ends.
# shellcheck shell=bash disable=SC2034

# release NAME: sets `vendor` and `suite`.
release() {
  case $1 in
    debian-12) vendor=Debian suite=bookworm ;;
    debian-13) vendor=Debian suite=trixie ;;
    ubuntu-22.04) vendor=Ubuntu suite=jammy ;;
    ubuntu-24.04) vendor=Ubuntu suite=noble ;;
    *) return 1 ;;
  esac
}

mirror() { # VENDOR: what apt fetches that vendor's packages from
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n "s/^$1 $1 //p" | head -n 1
}

# Fetching works there as it does here: the settings that apt, pip and TLS have.
share_settings() { # ROOT
  apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$1/etc/apt/apt.conf.d/00machine"
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
  if [[ -e /etc/pip.conf ]]; then cp /etc/pip.conf "$1/etc/pip.conf"; fi
  if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
    mkdir -p "$1/etc/ssl/certs"
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
  fi
}

make_root() { # ROOT MIRROR: of `vendor` and `suite`
  local components=main
  [[ $vendor == Ubuntu ]] && components=main,universe
  rm -rf --one-file-system "$1"
  mkdir -p "$1"
  local http_proxy=${http_proxy-} https_proxy=${https_proxy-}
  eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
  export http_proxy https_proxy
  debootstrap --variant=minbase --components=$components --include=ca-certificates "$suite" "$1" "$2" &&
    touch "$1/made"
}

# ensure_root NAME FOLDER: FOLDER/root is that distribution, with this machine's settings of apt, pip and TLS; else
# `no_root` says why not.
ensure_root() {
  local vendor suite from root=$2/root
  no_root=
  release "$1"
  from=$(mirror "$vendor")
  if [[ $(id -u) != 0 ]] || ! unshare --mount true 2>/dev/null; then
    no_root="this needs root, and the right to mount"
  elif ! command -v debootstrap >/dev/null; then
    no_root="there is no debootstrap here"
  elif [[ -z $from ]]; then
    no_root="apt has no mirror of $vendor here"
  else
    mkdir -p "$2"
    if [[ -e $root/made ]] || make_root "$root" "$from" >"$2/debootstrap.log" 2>&1; then
      share_settings "$root"
      return 0
    fi
    no_root="debootstrap could not make it, see $2/debootstrap.log"
  fi
  return 1
}

# inside ROOT COMMAND: runs it in the tree that was copied there, with nothing of this machine's but its network.
inside() {
  local -a kept
  mapfile -t kept < <(env | grep -E '^([a-z]+_proxy|PIP_[A-Z_]*|OPENBLAS_[A-Z0-9_]*)=')
  # shellcheck disable=SC2016
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "${kept[@]}" \
    unshare --mount --propagation private --pid --fork --kill-child bash -c '
      mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs "$1/tmp" &&
        exec chroot "$1" bash -c "cd /tme && $2"' - "$1" "$2"
}
