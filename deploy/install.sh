#!/bin/sh
# install.sh [--prefix DIR] [--uninstall]
#
# Installs keepalived-witness from its tarball, for distributions without .deb packages: programs with their runtime,
# the check, units, sysusers.d, tmpfiles.d, manual pages. A second run updates all that and changes no configuration;
# what runs is then restarted (no VIP moves), nothing else is started or enabled. --uninstall takes away what was
# installed and leaves configuration, identity and votes; it refuses while keepalived uses the check, or may.
# DESTDIR=/somewhere installs below that folder and touches nothing of the running system.
set -eu
# witnessd, and the user that keepalived runs the check as, read what is installed: a stricter umask of root's shuts them out.
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
# keepalived runs the check; this is where SELinux lets it, and where every folder is root's.
check=/usr/libexec/keepalived/witness-check
list=$lib/installed-files

[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root (or with DESTDIR=FOLDER)"
has_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

if [ -n "$uninstall" ]; then
    [ -f "$root$list" ] || fail "$list is missing: nothing is installed under $prefix (another --prefix?)"
    asked=$lib/used-by-keepalived
    # Without the script nobody is asked: that is the way past it on a broken host.
    if [ -z "$root" ] && [ -e "$asked" ]; then
        code=0
        words=$("$asked") || code=$?
        case $code in
        1) ;;
        0)
            printf '%s\n' "$words" >&2
            exit 1
            ;;
        *)
            printf '%s\n' "install.sh: nothing is removed, because it cannot be told whether keepalived on this host uses it." \
                "${words:-$asked ended with $code.}" "Put that right; or, where you are sure that it does not: rm $asked" >&2
            exit 1
            ;;
        esac
    fi
    # shellcheck disable=SC2086
    if has_systemd; then systemctl disable --now --quiet $units 2>/dev/null || :; fi
    while IFS= read -r file; do
        rm -f "$root$file"
    done <"$root$list"
    rm -f "$root$list"
    rmdir "$root$lib" "$root$prefix/share/doc/keepalived-witness" 2>/dev/null || :
    if has_systemd; then systemctl daemon-reload; fi
    say "keepalived-witness is removed. Configuration ($etc) and state (/var/lib/keepalived-witness*) are left."
    exit 0
fi

[ -x "$here/usr/lib/keepalived-witness/node" ] ||
    fail "$here has no programs: this script belongs into the tarball that \"npm run package\" makes"
if [ -z "$root" ]; then
    "$here/usr/lib/keepalived-witness/node" --version >/dev/null ||
        fail "the Node.js of this tarball does not run here (its words are above): it is made for glibc and another machine type?"
    for program in curl ip ping; do
        command -v "$program" >/dev/null || say "$program is missing: install the package of this distribution that has it"
    done
fi

installed=$(mktemp)
text=$(mktemp)
files=$(mktemp)
trap 'rm -f "$installed" "$text" "$files"' EXIT

# A running program keeps the file that it was started from: the new one is made beside it and renamed.
put() { # put SOURCE TARGET
    mkdir -p "$root$(dirname "$2")"
    cp -P "$1" "$root$2.new"
    mv -f "$root$2.new" "$root$2"
    printf '%s\n' "$2" >>"$installed"
}

# Units and starters name the place of the programs.
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
    *) fail "do not know where $file belongs" ;;
    esac
done <"$files"
# What the version before this one had and this one has not.
if [ -f "$root$list" ]; then
    while IFS= read -r file; do
        grep -qxF -e "$file" "$installed" || rm -f "$root$file"
    done <"$root$list"
fi
cp "$installed" "$root$list"

if [ -z "$root" ]; then
    systemd-sysusers /etc/sysusers.d/keepalived-witness.conf 2>/dev/null ||
        id keepalived-witness >/dev/null 2>&1 ||
        say "make the system user keepalived-witness: witnessd runs as it"
    systemd-tmpfiles --create /etc/tmpfiles.d/keepalived-witness.conf 2>/dev/null ||
        say "make /run/keepalived-witness (root) and /run/keepalived-witnessd (keepalived-witness), at each boot, before keepalived starts"
fi
if has_systemd; then
    systemctl daemon-reload
    # Votes, bar and permit files outlive the restart: no VIP moves.
    # shellcheck disable=SC2086
    systemctl try-restart $units
fi
say "keepalived-witness is installed. On the third host: systemctl enable --now witnessd. On a node: witness-agent join."
