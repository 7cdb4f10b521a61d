#!/usr/bin/env bash
# How long queueing a mailing takes that goes to many lists: one person on all of them, and one on each.
#
#   benches/many-lists.sh [LISTS]        500 without a number; the program is $DEPESCH, or target/release/depesch
set -euo pipefail
lists=${1:-500}
cd "$(dirname "$0")/.."
depesch=${DEPESCH:-target/release/depesch}
work=$(mktemp -d)
trap 'kill "${daemon:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cat >"$work/depesch.toml" <<CONF
state_directory = "$work/state"
transport = "capture"
capture_directory = "$work/capture"
[control]
socket = "$work/control.sock"
[monitor]
address = ""
CONF
ctl() { "$depesch" --config "$work/depesch.toml" "$@"; }
timed() {
    local begun=$EPOCHREALTIME
    "${@:2}" >"$work/output" 2>&1 || { cat "$work/output" >&2; exit 1; }
    printf '%-34s %s s\n' "$1" "$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')"
}
for number in $(seq "$lists"); do
    printf '[[list]]\nname = "list%s"\ntitle = "List %s"\naddress = "list%s@lists.example.org"\nowner = "press@example.org"\n\n' "$number" "$number" "$number"
done >"$work/lists.toml"
{
    echo "email,lists"
    printf 'all@press.example,"%s"\n' "$(seq -f 'list%g' -s ';' "$lists")"
    for number in $(seq "$lists"); do echo "p$number@press.example,list$number"; done
} >"$work/people.csv"
ctl serve --create 2>"$work/log" &
daemon=$!
until grep -q "ready;" "$work/log"; do sleep 0.1; done
timed "make the lists" ctl list import "$work/lists.toml"
timed "import the people" ctl subscriber import "$work/people.csv" --consent "asked by telephone"
ctl contact import docs/samples/contacts.toml >/dev/null
timed "queue to one list" ctl mailing queue docs/samples/inbjudan-riksmote.md --list list1 --at 2199-01-01T00:00Z
mapfile -t names < <(seq -f 'list%g' "$lists" | sed 's/^/--list\n/')
timed "queue to $lists lists" ctl mailing queue docs/samples/inbjudan-riksmote.md "${names[@]}" --again --at 2199-01-01T00:00Z
