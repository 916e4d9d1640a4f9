#!/bin/sh
# install.sh [--prefix DIR] [--uninstall]
#
# Installs keepalived-witness from its tarball, for distributions without .deb packages: the programs with their runtime,
# the check, units, sysusers.d, tmpfiles.d and manual pages. A second run updates all of that and changes no configuration.
# Programs that are running are then restarted (no VIP moves); nothing else is started or enabled. --uninstall removes what
# was installed and leaves configuration, identity and votes. It refuses while keepalived uses the check, or may
# use it, and while agents count on the witness.
# DESTDIR=/somewhere installs below that folder and does not touch the running system.
set -eu
# witnessd and the user of keepalived's check read what is installed. A stricter umask of root would lock them out.
umask 022

say() {
    printf '%s\n' "$1"
}

fail() {
    printf '%s\n' "install.sh: $1" >&2
    exit 1
}

usage() {
    printf '%s\n' "install.sh: $1" "usage: ./install.sh [--prefix DIR] [--uninstall]" >&2
    exit 2
}

prefix=/usr/local
uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || usage "--prefix needs a folder"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --uninstall) uninstall=yes ;;
    *) usage "unknown argument $1" ;;
    esac
    shift
done
prefix=${prefix%/}
case $prefix in
/*[!A-Za-z0-9_./-]*) usage "--prefix: letters, digits and _./- only" ;;
/*) ;;
*) usage "--prefix must be an absolute path" ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
lib=$prefix/lib/keepalived-witness
etc=/etc/keepalived-witness
units='witnessd.service witness-agent.service'
# keepalived runs the check. SELinux permits that in this folder, and every folder above it belongs to root.
check=/usr/libexec/keepalived/witness-check
list=$lib/installed-files

[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root (or with DESTDIR=FOLDER)"
has_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

# Ends with the words of the program $1 where it says that $2, or cannot find out ($3: what to do then). If the program is
# missing, nothing is asked. On a broken host that is the way around the refusal.
refuse_if() {
    { [ -z "$root" ] && [ -e "$1" ]; } || return 0
    code=0
    words=$("$1") || code=$?
    case $code in
    1) return 0 ;;
    0) printf '%s\n' "$words" >&2 ;;
    *)
        printf '%s\n' "install.sh: nothing was removed, because it is not known whether $2." \
            "${words:-$1 ended with $code.}" "Correct that. $3" >&2
        ;;
    esac
    exit 1
}

if [ -n "$uninstall" ]; then
    [ -f "$root$list" ] || fail "$list is missing, so nothing is installed under $prefix (did you use another --prefix?)"
    refuse_if "$lib/used-by-keepalived" 'keepalived on this host uses keepalived-witness' \
        "If you are sure that keepalived does not use it: rm $lib/used-by-keepalived"
    refuse_if "$lib/needed-by-agents" 'agents count on the witness of this host' \
        'If you are sure that none does: systemctl stop witnessd'
    # shellcheck disable=SC2086
    if has_systemd; then systemctl disable --now --quiet $units 2>/dev/null || :; fi
    while IFS= read -r file; do
        rm -f "$root$file"
    done <"$root$list"
    rm -f "$root$list"
    rmdir "$root$lib" "$root$prefix/share/doc/keepalived-witness" 2>/dev/null || :
    if has_systemd; then systemctl daemon-reload; fi
    say "keepalived-witness was removed. Its configuration ($etc) and its state (/var/lib/keepalived-witness*) were kept."
    exit 0
fi

[ -x "$here/usr/lib/keepalived-witness/node" ] ||
    fail "$here has no programs; run this script from the tarball that \"npm run package\" makes"
if [ -z "$root" ]; then
    "$here/usr/lib/keepalived-witness/node" --version >/dev/null ||
        fail "the Node.js of this tarball does not run here (its message is above); it needs glibc, and the machine type that it was built for"
    for program in curl ip ping; do
        command -v "$program" >/dev/null || say "$program is missing; install the package of your distribution that provides it"
    done
fi

installed=$(mktemp)
text=$(mktemp)
files=$(mktemp)
trap 'rm -f "$installed" "$text" "$files"' EXIT

# A running program keeps the file that it was started from, because the new file is made beside it and then renamed.
put() { # put SOURCE TARGET
    mkdir -p "$root$(dirname "$2")"
    cp -P "$1" "$root$2.new"
    mv -f "$root$2.new" "$root$2"
    printf '%s\n' "$2" >>"$installed"
}

# Units and start scripts contain the path of the programs.
put_text() { # put_text SOURCE TARGET
    sed "s|/usr/lib/keepalived-witness|$lib|g; s|/usr/share/doc/keepalived-witness|$prefix/share/doc/keepalived-witness|g" "$1" >"$text"
    chmod "$(stat -c %a "$1")" "$text"
    put "$text" "$2"
}

cd "$here"
find . -type f -o -type l | sort >"$files"
while IFS= read -r file; do
    file=${file#.}
    case $file in
    /install.sh) ;;
    /etc/keepalived-witness/*)
        [ -e "$root$file" ] && continue
        mkdir -p "$root$etc"
        cp "$here$file" "$root$file"
        ;;
    */systemd/system/*.service) put_text "$here$file" "/etc/systemd/system/${file##*/}" ;;
    */sysusers.d/*) put "$here$file" "/etc/sysusers.d/${file##*/}" ;;
    */tmpfiles.d/*) put "$here$file" "/etc/tmpfiles.d/${file##*/}" ;;
    /usr/bin/*) put_text "$here$file" "$prefix/bin/${file##*/}" ;;
    /usr/libexec/keepalived/witness-check) put "$here$file" "$check" ;;
    /usr/share/lintian/*) ;;
    /usr/*) put "$here$file" "$prefix/${file#/usr/}" ;;
    *) fail "it is not known where $file is to be installed" ;;
    esac
done <"$files"
# Files of the previous version that this version no longer has.
if [ -f "$root$list" ]; then
    while IFS= read -r file; do
        grep -qxF -e "$file" "$installed" || rm -f "$root$file"
    done <"$root$list"
fi
cp "$installed" "$root$list"

if [ -z "$root" ]; then
    systemd-sysusers /etc/sysusers.d/keepalived-witness.conf 2>/dev/null ||
        id keepalived-witness >/dev/null 2>&1 ||
        say "create the system user keepalived-witness: witnessd runs as that user"
    systemd-tmpfiles --create /etc/tmpfiles.d/keepalived-witness.conf 2>/dev/null ||
        say "create /run/keepalived-witness (owner root) and /run/keepalived-witnessd (owner keepalived-witness) at each boot, before keepalived starts"
fi
if has_systemd; then
    systemctl daemon-reload
    # Votes, bar files and permit files survive the restart, so no VIP moves.
    # shellcheck disable=SC2086
    systemctl try-restart $units
fi
say "keepalived-witness is installed. Next, on the third host: systemctl enable --now witnessd. On a node: witness-agent join."
