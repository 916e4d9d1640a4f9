#!/bin/sh
# deploy/install.sh witness|agent [--prefix DIR] [--uninstall]
#
# Installs one role of keepalived-witness on this host: programs, systemd unit, tmpfiles.d entry and, where there is
# none yet, the example configuration. A second run updates the programs and changes no configuration. Nothing is
# started or enabled. --uninstall takes away what was installed and leaves configuration, token and state.
# DESTDIR=/somewhere installs below that folder and touches nothing of the running system.
set -eu

say() {
    printf '%s\n' "$1"
}

fail() {
    printf '%s\n' "install.sh: $1" >&2
    exit 1
}

usage() {
    printf '%s\n' "install.sh: $1" "usage: deploy/install.sh witness|agent [--prefix DIR] [--uninstall]" >&2
    exit 2
}

role=''
prefix=/usr/local
uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
    witness | agent)
        [ -z "$role" ] || usage "one role at a time"
        role=$1
        ;;
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
[ -n "$role" ] || usage "name the role of this host"
prefix=${prefix%/}
case $prefix in
/*[!A-Za-z0-9_./-]*) usage "--prefix: letters, digits and _./- only" ;;
/*) ;;
*) usage "--prefix must be an absolute path" ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
dist=$here/../dist
root=${DESTDIR:-}
bin=$prefix/bin
lib=$prefix/lib/keepalived-witness
doc=$prefix/share/doc/keepalived-witness
etc=/etc/keepalived-witness
units=/etc/systemd/system
tmpfiles=/etc/tmpfiles.d/keepalived-witness.conf
# keepalived runs the check; this is where SELinux lets it, and where every folder is root's.
check=/usr/libexec/keepalived/witness-check

case $role in
witness)
    programs='witnessd witnessctl'
    unit=witnessd.service
    other_unit=witness-agent.service
    configuration=witness.yaml
    ;;
agent)
    programs=witness-agent
    unit=witness-agent.service
    other_unit=witnessd.service
    configuration=agent.yaml
    ;;
esac

[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root (or with DESTDIR=FOLDER)"
has_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

# A running program keeps the file that it was started from: the new one is made beside it and renamed.
put() { # put MODE SOURCE TARGET
    mkdir -p "$root$(dirname "$3")"
    cp "$2" "$root$3.new"
    chmod "$1" "$root$3.new"
    mv -f "$root$3.new" "$root$3"
}

if [ -n "$uninstall" ]; then
    if has_systemd; then systemctl disable --now --quiet "$unit" 2>/dev/null || :; fi
    for program in $programs; do
        rm -f "$root$bin/$program" "$root$lib/$program.cjs" "$root$lib/$program.cjs.LEGAL.txt"
    done
    rm -f "$root$units/$unit"
    [ "$role" = witness ] || rm -f "$root$check"
    if [ ! -e "$root$units/$other_unit" ]; then
        rm -f "$root$tmpfiles" "$root$doc/witness.yaml" "$root$doc/agent.yaml" "$root$doc/keepalived.conf"
        rmdir "$root$lib" "$root$doc" 2>/dev/null || :
    fi
    if has_systemd; then systemctl daemon-reload; fi
    say "The $role is removed. Configuration ($etc) and state (/var/lib/keepalived-witness*) are left."
    [ "$role" = witness ] || say "Take the lines of keepalived-witness out of keepalived.conf, or keepalived stays in FAULT."
    exit 0
fi

for program in $programs; do
    [ -f "$dist/$program.cjs" ] || fail "$dist/$program.cjs is missing; run: npm ci && npm run build"
done
[ "$role" = witness ] || [ -f "$dist/witness-check" ] || fail "$dist/witness-check is missing; run: npm run build"

if [ -z "$root" ]; then
    # The path that systemd gives to services; a Node.js of nvm in somebody's home is not on it.
    node=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin command -v node) ||
        fail "no Node.js in /usr/local/bin or /usr/bin; install version 20.19 or newer there"
    "$node" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
        fail "$node is $("$node" --version); 20.19 or newer is needed"
    [ "$role" = witness ] || command -v curl >/dev/null ||
        say "curl is missing: the check cannot ask the witness where the agent is dead; apt-get install curl"
fi

for program in $programs; do
    put 755 "$dist/$program.cjs" "$lib/$program.cjs"
    [ ! -f "$dist/$program.cjs.LEGAL.txt" ] || put 644 "$dist/$program.cjs.LEGAL.txt" "$lib/$program.cjs.LEGAL.txt"
    mkdir -p "$root$bin"
    ln -sf "$lib/$program.cjs" "$root$bin/$program"
done
[ "$role" = witness ] || put 755 "$dist/witness-check" "$check"
for example in witness.yaml agent.yaml keepalived.conf; do
    put 644 "$here/examples/$example" "$doc/$example"
done
put 644 "$here/tmpfiles.d/keepalived-witness.conf" "$tmpfiles"
unit_text=$(mktemp)
trap 'rm -f "$unit_text"' EXIT
sed "s|/usr/local/|$prefix/|g" "$here/systemd/$unit" >"$unit_text"
put 644 "$unit_text" "$units/$unit"

mkdir -p "$root$etc"
if [ -e "$root$etc/$configuration" ]; then
    say "$etc/$configuration is kept as it is."
else
    put 644 "$here/examples/$configuration" "$etc/$configuration"
    say "$etc/$configuration is the example: edit it."
fi
[ -e "$root$etc/token" ] ||
    say "$etc/token is missing: make it on one host (umask 077; openssl rand -hex 32 > $etc/token), copy it to the others."

if has_systemd; then
    systemd-tmpfiles --create "$tmpfiles"
    systemctl daemon-reload
    if systemctl --quiet is-active "$unit"; then
        say "$unit runs the old program; when it suits: systemctl restart $unit"
    else
        say "When configured: systemctl enable --now $unit"
    fi
fi
[ "$role" = witness ] || say "Then add the lines of $doc/keepalived.conf to keepalived.conf and restart keepalived."
