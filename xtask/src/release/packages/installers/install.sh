#!/bin/sh
# Installs the command noetl for one user, without root, or removes it.
#
# usage: sh install.sh [--version VERSION] [--to DIR] [--uninstall] [--help]
#        curl -fsSL URL-OF-THIS-FILE | sh -s -- [the same options]
#
# NOETL_DOWNLOAD_URL names a mirror that has the files as vVERSION/FILE.
# Exit codes: 0 done, 1 refused or failed (an installed noetl is unchanged), 2 wrong options.

# zsh would otherwise stop at a pattern that matches no file, and run the trap of EXIT when a function returns.
if [ -n "${ZSH_VERSION:-}" ]; then emulate sh; fi
set -eu

own_version='@VERSION@'
repository='@REPOSITORY@'
macos_minimum='@MACOS_MINIMUM@'
# A string and not a here-document: for those, some shells write to /tmp, which can be full or read-only.
own_sums='
@SUMS@
'

say() { printf '%s\n' "$*" >&2; }

# Ends the script with an error, what mends it, and an exit code that is 1 if it is not given.
fail() {
    say "error: $1"
    say "help: $2"
    exit "${3:-1}"
}

# Prints a text in single quotes, as a shell reads it.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

show_help() {
    printf '%s\n' "$usage" '' "Installs noetl $own_version for one user, without root." '' \
        '  --version VERSION  install this version instead' \
        "  --to DIR           the folder; otherwise NOETL_INSTALL_DIR, XDG_BIN_HOME or ~/.local/bin" \
        "  --uninstall        remove noetl from that folder; data in ~/.noetl is left" '' \
        'NOETL_DOWNLOAD_URL names a mirror that has the files as vVERSION/FILE.'
}

set_base() {
    base=${NOETL_DOWNLOAD_URL:-$repository/releases/download}
    base=${base%/}
    protocols='=https'
    case $base in
    https://*) ;;
    http://*) protocols='=http,https' ;;
    *) fail "NOETL_DOWNLOAD_URL is no https:// address: $base" 'unset NOETL_DOWNLOAD_URL, or name another mirror' ;;
    esac
}

no_build() { fail "there is no build of noetl for $1" "see $repository for other ways to install it"; }

set_target() {
    system=$(uname -s) cpu=$(uname -m)
    case $system in
    Linux) triple=unknown-linux-musl ;;
    Darwin) triple=apple-darwin && check_mac ;;
    MINGW* | MSYS* | CYGWIN*)
        fail "this script is not for Windows ($system)" "in PowerShell: irm $base/v$version/install.ps1 | iex" ;;
    *) no_build "$system" ;;
    esac
    case $cpu in
    x86_64 | amd64) cpu=x86_64 ;;
    aarch64 | arm64) cpu=aarch64 ;;
    *) no_build "$system on $cpu" ;;
    esac
    if [ "$cpu" = aarch64 ] && [ "$(getconf LONG_BIT 2>/dev/null)" = 32 ]; then
        no_build "a 32-bit $system on a 64-bit processor ($cpu)"
    fi
    triple=$cpu-$triple
}

check_mac() {
    # Without this variable, macOS can call itself 10.16.
    macos=$(SYSTEM_VERSION_COMPAT=0 sw_vers -productVersion)
    older=$(printf '%s\n' "$macos_minimum" "$macos.0" | sort -t . -k 1,1n -k 2,2n | head -n 1)
    [ "$older" = "$macos_minimum" ] ||
        fail "noetl needs macOS $macos_minimum or later, this is $macos" 'update macOS and run this again'
    # A process that Rosetta translates is told that the processor is an Intel one.
    if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then cpu=arm64; fi
}

# Prints the first of these programs that is installed.
first_of() {
    for tool; do
        if command -v "$tool" >/dev/null 2>&1; then printf '%s' "$tool" && return; fi
    done
    fail "not installed: $*" "install ${2:+one of }$* and run this again"
}

# A shell handles a signal at once only while it waits for a process in the background.
run() {
    code=0
    "$@" &
    child=$!
    wait "$child" || code=$?
    child=''
}

# Downloads URL $1 to file $2.
download() {
    say "downloading $1"
    if [ "$client" = curl ]; then
        run curl -fsSL --proto "$protocols" --tlsv1.2 --retry 3 --connect-timeout 30 \
            --speed-limit 1 --speed-time 60 -o "$2" "$1"
    elif wget --version >/dev/null 2>&1; then
        run wget -nv -t 3 -T 60 -O "$2" "$1"
    else
        run wget -q -O "$2" "$1" # busybox, where -T ends some builds with a segmentation fault
    fi
    case $client-$code in
    *-0) ;;
    curl-22 | wget-8) fail "the server did not send $1" "choose a version (--version) of $repository/releases" ;;
    curl-23 | wget-3) fail "cannot write to $to" 'free some space there, or choose another folder: --to DIR' ;;
    *) fail "cannot download $1 ($client ended with $code)" \
        "check the network, https_proxy, NOETL_DOWNLOAD_URL and the free space in $to, and run this again" ;;
    esac
}

# Prints the hash of file $1. The file is standard input, since some file names change the output.
hash_of() {
    case $hasher in
    sha256sum) sha256sum <"$1" ;;
    shasum) shasum -a 256 <"$1" ;;
    openssl) openssl dgst -sha256 <"$1" | sed 's/.*= *//' ;;
    esac | cut -d ' ' -f 1
}

# Prints the hash that the lines on standard input have for file name $1.
listed_hash() {
    while read -r hash name; do
        if [ "${name#\*}" = "$1" ]; then printf '%s\n' "$hash"; fi
    done | head -n 1
}

set_expected() {
    if [ "$version" = "$own_version" ]; then
        list='this script'
        expected=$(printf '%s\n' "$own_sums" | listed_hash "$archive")
    else
        list=$base/v$version/SHA256SUMS
        download "$list" "$temporary/SHA256SUMS"
        expected=$(listed_hash "$archive" <"$temporary/SHA256SUMS")
    fi
    [ -n "$expected" ] || fail "$list has no hash of $archive" "see $repository/releases for the files of each version"
}

# Refuses to touch what a package manager installed.
check_owner() {
    link='' owner=''
    if [ -L "$to/noetl" ]; then link=$(readlink "$to/noetl") || link=''; fi
    case $link in */Cellar/*) owner=brew ;; */node_modules/*) owner=npm ;; */uv/tools/*) owner=uv ;; esac
    case $to in /usr/bin | /bin)
        if dpkg -S "$to/noetl" >/dev/null 2>&1; then owner=apt; fi
        if rpm -qf "$to/noetl" >/dev/null 2>&1; then owner='the manager of RPM packages'; fi
        if pacman -Qo "$to/noetl" >/dev/null 2>&1; then owner=pacman; fi ;;
    esac
    if [ -n "$owner" ]; then
        fail "$to/noetl was installed with $owner" "update or remove it with $owner, or choose another folder: --to DIR"
    fi
}

# Removes what killed runs left; a run that still goes on keeps its folder.
remove_leftovers() {
    for folder in "$to"/.noetl-install.*; do
        process=${folder##*/.noetl-install.} && process=${process%%.*}
        if [ "$process" = $$ ] || ! kill -0 "$process" 2>/dev/null; then rm -rf "$folder" || :; fi
    done
}

clean_up() {
    code=$?
    trap - EXIT
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || :
        wait "$child" 2>/dev/null || :
    fi
    if [ -n "$temporary" ]; then rm -rf "$temporary"; fi
    exit "$code"
}

# The temporary folder is in the destination, so that the last step is a rename in one file system.
make_folders() {
    if [ -d "$to/noetl" ]; then
        fail "$to/noetl is a folder" "remove it (rm -r $(quoted "$to/noetl")), or choose another folder: --to DIR"
    fi
    check_owner
    mkdir -p "$to" || fail "cannot make the folder $to" 'choose another folder: --to DIR'
    to=$(cd "$to" && pwd)
    remove_leftovers
    trap clean_up EXIT
    trap 'exit 129' HUP && trap 'exit 130' INT && trap 'exit 131' QUIT && trap 'exit 141' PIPE && trap 'exit 143' TERM
    temporary=$(mktemp -d "$to/.noetl-install.$$.XXXXXX" 2>/dev/null) || {
        temporary=$to/.noetl-install.$$
        mkdir -m 700 "$temporary" || fail "cannot write to $to" 'choose another folder: --to DIR'
    }
}

install() {
    set_base
    set_target
    hasher=$(first_of sha256sum shasum openssl)
    client=$(first_of curl wget)
    first_of tar >/dev/null
    first_of gzip >/dev/null
    make_folders
    folder=noetl-v$version-$triple
    archive=$folder.tar.gz
    set_expected
    download "$base/v$version/$archive" "$temporary/$archive"
    actual=$(hash_of "$temporary/$archive")
    if [ "$actual" != "$expected" ]; then
        fail "$archive has the SHA-256 $actual, expected $expected; nothing was installed" \
            "run this again; if the error stays, report it: $repository/issues"
    fi
    tar -xzof "$temporary/$archive" -C "$temporary" "$folder/noetl" ||
        fail "cannot unpack $archive in $to" 'free some space there, or choose another folder: --to DIR'
    new=$temporary/$folder/noetl
    chmod 0755 "$new"
    replace
    say_path
}

replace() {
    old=$("$to/noetl" --version 2>/dev/null) || old=''
    output=$("$new" --version) || output="$output (exit code $?)"
    case "$output " in
    "noetl $version "*) ;;
    *) fail "the new noetl does not start or is not $version: it printed '$output'; nothing was installed" \
        "choose another folder if this one is mounted noexec: --to DIR; otherwise report it: $repository/issues" ;;
    esac
    mv -f "$new" "$to/noetl" || fail "cannot replace $to/noetl" 'choose another folder: --to DIR'
    old=${old#noetl } && old=${old%% *}
    case $old in
    '') say "noetl $version is installed: $to/noetl" ;;
    "$version") say "noetl $version was there and is installed again: $to/noetl" ;;
    *) say "noetl $old -> $version: $to/noetl" ;;
    esac
}

say_path() {
    case :${PATH:-}: in *":$to:"*)
        found=$(command -v noetl) || found=''
        [ "$found" = "$to/noetl" ] || say "note: another noetl comes first on the PATH: $found"
        return ;;
    esac
    file=.profile
    case ${SHELL:-} in */zsh) file=.zshrc ;; */bash) file=.bashrc ;; */fish) file=.config/fish/config.fish ;; esac
    say "$to is not on the PATH; add this line to ~/$file:"
    say "    export PATH=$(quoted "$to"):\"\$PATH\""
}

uninstall() {
    if [ ! -e "$to/noetl" ] && [ ! -L "$to/noetl" ]; then
        fail "there is no noetl in $to" 'name the folder that has it: --uninstall --to DIR'
    fi
    check_owner
    case $("$to/noetl" --version 2>/dev/null) in
    'noetl '*) ;;
    *) fail "$to/noetl does not say that it is NoETL, and is left" "to remove it: rm $(quoted "$to/noetl")" ;;
    esac
    rm -f "$to/noetl" || fail "cannot remove $to/noetl" "as its owner: rm $(quoted "$to/noetl")"
    remove_leftovers
    say "removed $to/noetl; data in ~/.noetl is left"
}

main() {
    export LC_ALL=C
    umask 022
    usage='usage: install.sh [--version VERSION] [--to DIR] [--uninstall] [--help]'
    version=$own_version task=install child='' temporary=''
    to=${NOETL_INSTALL_DIR:-${XDG_BIN_HOME:-${HOME:+$HOME/.local/bin}}}
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --to)
            if [ -z "${2:-}" ]; then fail "$1 needs a value" "$usage" 2; fi
            if [ "$1" = --to ]; then to=$2; else version=${2#v}; fi
            shift ;;
        --uninstall) task=uninstall ;;
        --help | -h) task=help ;;
        *) fail "unknown option: $1" "$usage" 2 ;;
        esac
        shift
    done
    case $to in '' | /*) ;; *) to=$(pwd)/$to ;; esac
    [ "$to" = / ] || to=${to%/}
    case $version in [!0-9]* | *[!0-9A-Za-z.+-]*) fail "no version: $version" "$usage" 2 ;; esac
    case $task-$to in
    help-*) show_help ;;
    *-) fail 'HOME is not set, so there is no default folder' 'name a folder: --to DIR' ;;
    install-*) install ;;
    *) uninstall ;;
    esac
}

# Without the closing brace, a script that was cut short anywhere would run; with it, that is a syntax error.
{ main "$@" </dev/null; }
