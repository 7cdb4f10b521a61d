# shellcheck shell=bash
# What the scripts in this directory share: a daemon in a directory of its own, mail in by LMTP, and books of what was
# acknowledged. Only bash and coreutils. The program is $DEPESCH, or target/release/depesch, which is built if need be.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
depesch=${DEPESCH:-}
if [ -z "$depesch" ]; then
    cargo build --release --locked --quiet
    depesch=$PWD/${CARGO_TARGET_DIR:-target}/release/depesch
fi
samples=$PWD

fail() {
    echo "FAILED: $*" >&2
    [ ! -e "${log:-}" ] || { echo "the daemon's last words:" >&2; tail -n 15 "$log" >&2; }
    exit 1
}

# settle_in DIRECTORY: what follows happens there.
settle_in() {
    place=$1 log=$1/log
    mkdir -p "$place"
}

# configure STATE MORE: STATE is the state directory; mail goes out into a maildir beside it.
configure() {
    cat >"$place/depesch.toml" <<CONF
state_directory = "$1"
transport = "capture"
capture_directory = "$place/capture"
stop_timeout = "10s"
[control]
socket = "$place/control.sock"
[monitor]
address = ""
[schedule]
undo = "0s"
[inbound]
lmtp = ["127.0.0.1:0"]
postmaster = "drift@example.org"
${2:-}
CONF
}

ctl() { timeout 20 "$depesch" --config "$place/depesch.toml" "$@"; }
json() { ctl --json "$@"; }

# field NAME: its first value in the JSON on standard input, a number or a text.
field() { grep -oE "\"$1\":(\"[^\"]*\"|[0-9]+)" | head -n 1 | sed -E 's/^"[^"]*":"?//; s/"$//'; }

# begin [PREFIX...]: starts the daemon, perhaps under another program, and does not wait for it.
# shellcheck disable=SC2120
begin() {
    : >"$log"
    "$@" "$depesch" --config "$place/depesch.toml" serve --create 2>"$log" &
    daemon=$!
}

# await_ready: waits until it answers; false when it ended instead, or took over 20 s.
await_ready() {
    for _ in $(seq 400); do
        if grep -q "ready;" "$log"; then
            port=$(sed -nE 's/.*address=127\.0\.0\.1:([0-9]+).*/\1/p' "$log" | head -n 1)
            return 0
        fi
        kill -0 "$daemon" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# lmtp ID RECIPIENT: hands in one message; its answer, or what came instead, is in $reply.
lmtp() {
    local line step
    reply="no connection"
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 0
    # A daemon that ends meanwhile must not end this script as well.
    trap '' PIPE
    for step in "" "LHLO peer.example" "MAIL FROM:<anna.berg@press.example>" "RCPT TO:<$2>" "DATA" \
        "From: anna.berg@press.example"$'\r\n'"Message-ID: <$1@peer.example>"$'\r\n'"Subject: $1"$'\r\n\r\n'"Invented."$'\r\n'"." ; do
        [ -z "$step" ] || printf '%s\r\n' "$step" >&3 2>/dev/null || { reply="connection lost"; break; }
        while IFS= read -r -t 15 line <&3 2>/dev/null; do
            reply=${line%$'\r'}
            [ "${reply:3:1}" = "-" ] || break
        done || { reply="no answer"; break; }
        case $reply in [45]*) break ;; esac
    done
    trap - PIPE
    exec 3>&- 3<&-
}

# wait_until SECONDS WHAT COMMAND...: until the command succeeds.
wait_until() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || fail "waited in vain until $what"
        sleep 0.2
    done
}

mailing_is() { [ "$(json mailing show "$1" | field stage)" = "$2" ]; }

# adds_up MAILING: its counts, checked against its audience; the counts are in $counts.
adds_up() {
    local state sum=0 part
    counts=$(json mailing show "$1" | grep -oE '"counts":\{[^}]*\}') || fail "no counts of $1"
    for state in waiting in_doubt accepted deferred failed suppressed cancelled uncertain; do
        part=$(field "$state" <<<"$counts")
        sum=$((sum + part))
    done
    [ "$sum" = "$(field audience <<<"$counts")" ] || fail "the ledger of $1 does not add up: $counts"
}

# people FILE COUNT: an import file of invented people.
people() {
    { echo "email;name"; seq "$2" | sed 's/.*/p&@press.example;Person &/'; } >"$1"
}

# lists_and_release COUNT: lists, contacts, so many people on "media", and the release r1.
lists_and_release() {
    people "$place/people.csv" "$1"
    json list import "$samples/subscribers/lists.toml" >/dev/null
    json contact import "$samples/docs/samples/contacts.toml" >/dev/null
    json subscriber import "$place/people.csv" --list media --consent asked >/dev/null
    json release add "$samples/docs/samples/inbjudan-riksmote.md" >/dev/null
}
