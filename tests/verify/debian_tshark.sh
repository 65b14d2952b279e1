#!/bin/sh
# debian_tshark.sh SUITE DIR: makes DIR/tshark, the tshark of a later Debian suite, in a tree of its own.  Needs root and
# debootstrap.  The mirror is apt's own, or DEBIAN_MIRROR.  Afterwards DIR/tshark can be run by anybody and sees the
# files of this machine: only its libraries come from the tree.
set -eu

fail() { echo "tshark of Debian $suite: $1" >&2; exit 1; }

suite=$1 dir=$2 new=$2.new
[ "$(id -u)" = 0 ] || fail "only root can set up the tree"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"

sites='$(SITE)'
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format "$sites" 'Created-By: Packages' 'Origin: Debian' | head -n 1)}
[ -n "$mirror" ] || fail "apt knows no mirror of Debian: name one in DEBIAN_MIRROR"

# Older releases of debootstrap do not know the names of later suites; all are set up alike.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

rm -rf "$new"
trap 'rm -rf "$new"' EXIT INT TERM
mkdir -p "$new"
log=$(mktemp)
debootstrap --variant=minbase "$suite" "$new" "$mirror" "$script" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; fail "debootstrap did not get through"; }
# Not by debootstrap's --include: unlike apt it overlooks dependencies that only some alternatives fulfil.
chroot "$new" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends tshark >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; fail "apt did not get through"; }
rm -rf "$log" "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*

lib=$(dirname "$(ls -d "$new"/usr/lib/*/libwireshark.so.* | head -n 1)")
loader=$(ls "$lib"/ld-linux*.so.* | head -n 1)
triplet=$(basename "$lib")
cat >"$new/tshark" <<END
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
exec "\$here/usr/lib/$triplet/$(basename "$loader")" --library-path "\$here/usr/lib/$triplet" "\$here/usr/bin/tshark" "\$@"
END
chmod 755 "$new" "$new/tshark"

# From release 4.4 on tshark loads no Lua scripts for root, as whom a CI job may run, unless its own init.lua says so.
mkdir -p "$lib/plugins"
echo 'run_user_scripts_when_superuser = true' >"$lib/plugins/init.lua"

"$new/tshark" --version >/dev/null 2>&1 || fail "it does not start"
rm -rf "$dir"
mv "$new" "$dir"
trap - EXIT INT TERM
