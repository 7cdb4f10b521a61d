#!/usr/bin/env bash
# Compares, in one run on one machine, the whole path of Depesch with what Postfix's own tools reach:
#   A  smtp-source -d -s 50 -l 10240  -> smtp-sink                       (no queue, no ledger: the ceiling)
#   B  depesch bench dispatch         -> the same smtp-sink              (wanted: at least 0.6 of A)
#   C  smtp-source -> a Postfix relay -> the same smtp-sink              (wanted: B at least 10 times C)
# Needs Debian's package postfix, and root for C (Postfix starts as root); C runs in a directory of its own and leaves
# the machine's Postfix alone. Only addresses of this machine are spoken to.
#
#   benches/compare-postfix.sh [MESSAGES] [ROUNDS]        default 20000 and 3; MESSAGES/10 for C
set -euo pipefail
cd "$(dirname "$0")/.."
messages=${1:-20000} rounds=${2:-3} sessions=50 octets=10240
sink_port=${SINK_PORT:-2526} relay_port=${RELAY_PORT:-2527}
PATH=$PATH:/usr/sbin
for tool in smtp-source smtp-sink postfix python3; do
    command -v "$tool" >/dev/null || { echo "missing $tool: apt-get install postfix python3" >&2; exit 2; }
done
cargo build --release --quiet
depesch=${CARGO_TARGET_DIR:-target}/release/depesch

work=$(mktemp -d)
chmod 755 "$work"
cleanup() {
    if [ -d "$work/etc" ]; then postfix -c "$work/etc" stop >/dev/null 2>&1 || true; fi
    if [ -n "${sink:-}" ]; then kill "$sink" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap cleanup EXIT

smtp-sink -c -u nobody 127.0.0.1:"$sink_port" 1000 >/dev/null 2>&1 &
sink=$!
for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/"$sink_port") 2>/dev/null && break; sleep 0.1; done

start_postfix() {
    mkdir -p "$work/etc" "$work/queue" "$work/data"
    chown postfix "$work/data"
    cp /usr/share/postfix/master.cf.dist "$work/etc/master.cf"
    sed -i "s/^smtp  *inet.*/127.0.0.1:$relay_port inet n - n - - smtpd/" "$work/etc/master.cf"
    cat >"$work/etc/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $work/queue
data_directory = $work/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = bench.example
mydestination =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:$sink_port
default_process_limit = 100
smtp_destination_concurrency_limit = 50
default_destination_concurrency_limit = 50
smtp_tls_security_level = none
maillog_file = $work/maillog
maillog_file_prefixes = /var, /tmp, /dev/stdout
alias_maps =
alias_database =
CONF
    postfix -c "$work/etc" start >/dev/null 2>&1
    for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/"$relay_port") 2>/dev/null && return; sleep 0.1; done
    echo "Postfix did not start; see $work/maillog" >&2
    exit 1
}

now() { python3 -c 'import time; print(time.monotonic())'; }
rate() { python3 -c "print(f'{$1 / ($3 - $2):.1f}')"; }
source_to() { # port messages
    smtp-source -d -s "$sessions" -l "$octets" -m "$2" -f from@bench.example -t to@bench.example 127.0.0.1:"$1"
}
queue_is_empty() { [ -z "$(find "$work/queue/incoming" "$work/queue/active" "$work/queue/maildrop" -type f 2>/dev/null | head -1)" ]; }

start_postfix
for round in $(seq "$rounds"); do
    begin=$(now); source_to "$sink_port" "$messages"; a=$(rate "$messages" "$begin" "$(now)")
    b=$("$depesch" bench dispatch --recipients "$messages" --connections "$sessions" --relay 127.0.0.1:"$sink_port" --json |
        tee "$work/bench.json" | python3 -c 'import json,sys; print(round(json.load(sys.stdin)["messages_per_second"], 1))')
    few=$((messages / 10))
    begin=$(now); source_to "$relay_port" "$few"; until queue_is_empty; do sleep 0.05; done
    c=$(rate "$few" "$begin" "$(now)")
    python3 -c "print(f'round $round: smtp-source {$a:.0f}/s, depesch {$b:.0f}/s, Postfix relay {$c:.0f}/s; depesch/source {$b/$a:.2f}, depesch/Postfix {$b/$c:.1f}')"
done
echo "the last run of depesch:"
cat "$work/bench.json"
