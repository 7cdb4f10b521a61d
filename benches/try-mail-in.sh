#!/usr/bin/env bash
# Tries mail in as a real peer would, in one run on one machine: with swaks straight into Depesch over SMTP and LMTP, and
# through a Postfix in front of it that hands over by LMTP. Each step says what was expected and what came; the first
# that differs ends the run.
# Needs Debian's packages swaks, postfix, openssl and python3, and root (Postfix starts as root); everything runs in a
# directory of its own, on this machine's loopback only, and leaves the machine's Postfix alone.
#
#   benches/try-mail-in.sh            the program: target/release/depesch, or $DEPESCH
set -euo pipefail
cd "$(dirname "$0")/.."
smtp_port=${SMTP_PORT:-2625} lmtp_port=${LMTP_PORT:-2624} postfix_port=${POSTFIX_PORT:-2626}
PATH=$PATH:/usr/sbin
for tool in swaks postfix openssl python3; do
    command -v "$tool" >/dev/null || { echo "missing $tool: apt-get install swaks postfix openssl python3" >&2; exit 2; }
done
depesch=${DEPESCH:-}
if [ -z "$depesch" ]; then
    cargo build --release --quiet
    depesch=$PWD/${CARGO_TARGET_DIR:-target}/release/depesch
fi

work=$(mktemp -d)
chmod 755 "$work"
cleanup() {
    if [ -d "$work/etc" ]; then postfix -c "$work/etc" stop >/dev/null 2>&1 || true; fi
    if [ -n "${daemon:-}" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
say() { echo "== $*"; }

# expect WORDS COMMAND...: the output of the command holds the words.
expect() {
    local words=$1 output
    shift
    output=$("$@" 2>&1) || true
    grep -qF -- "$words" <<<"$output" || { echo "$output" >&2; fail "no \"$words\" from: $*"; }
    echo "   $words"
}

# until_there WORDS COMMAND...: the same, within 20 s.
until_there() {
    local words=$1
    shift
    for _ in $(seq 100); do
        "$@" 2>&1 | grep -qF -- "$words" && { echo "   $words"; return; }
        sleep 0.2
    done
    "$@" >&2 || true
    fail "no \"$words\" within 20 s from: $*"
}

start_depesch() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lists.example.org \
        -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
    cat >"$work/depesch.toml" <<CONF
state_directory = "state"
transport = "capture"
[control]
socket = "control.sock"
[inbound]
smtp = ["127.0.0.1:$smtp_port"]
lmtp = ["127.0.0.1:$lmtp_port"]
host_name = "lists.example.org"
certificate_file = "certificate.pem"
key_file = "key.pem"
postmaster = "drift@example.org"
CONF
    "$depesch" --config "$work/depesch.toml" serve --create 2>"$work/log" &
    daemon=$!
    until_there "sends by" "$depesch" --config "$work/depesch.toml" status
}

ctl() { "$depesch" --config "$work/depesch.toml" "$@"; }
to_depesch() { swaks --server 127.0.0.1 --port "$smtp_port" --helo mx.press.example "$@"; }

start_postfix() {
    mkdir -p "$work/etc" "$work/queue" "$work/data"
    chown postfix "$work/data"
    cp /usr/share/postfix/master.cf.dist "$work/etc/master.cf"
    sed -i "s/^smtp  *inet.*/127.0.0.1:$postfix_port inet n - n - - smtpd/" "$work/etc/master.cf"
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
myhostname = mx.example.org
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = lists.example.org
virtual_transport = lmtp:inet:127.0.0.1:$lmtp_port
default_transport = error:this is a trial
recipient_delimiter = +
maillog_file = $work/maillog
maillog_file_prefixes = /var, /tmp, /dev/stdout
alias_maps =
alias_database =
CONF
    postfix -c "$work/etc" start >/dev/null 2>&1
    for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/"$postfix_port") 2>/dev/null && return; sleep 0.1; done
    fail "Postfix did not start; see $work/maillog"
}

say "a daemon with a list"
start_depesch
ctl list import subscribers/lists.toml >/dev/null

say "what is refused in the dialogue"
expect "550 5.1.1" to_depesch --from eva@press.example --to nobody@lists.example.org
expect "550 5.7.1" to_depesch --from eva@press.example --to someone@elsewhere.example
expect "550 5.1.1" to_depesch --from "<>" --to media-bounces+aaaaaaaaaaaaaaaaaaaaaaaa@lists.example.org

say "STARTTLS, then a wish to subscribe"
expect "TLS started" to_depesch --tls --from eva@press.example --to media-subscribe@lists.example.org \
    --header "Subject: prenumerera" --body "Hej!"
until_there "command" ctl inbound list

say "the question, read as the journalist would, and the answer"
until_there "media-confirm" grep -rh -i "^reply-to:" "$work/state/capture"
reply_to=$(grep -rhi "^reply-to:" "$work/state/capture" | grep -o '[^ <]*-confirm+[^ >]*' | head -1)
[ -n "$reply_to" ] || fail "the question has no address to answer to"
expect "250" to_depesch --from eva@press.example --to "$reply_to" --header "Subject: Sv: prenumerera" --body "Ja"
until_there "active" ctl subscriber show eva@press.example

say "LMTP, one reply for each recipient"
expect "250" swaks --protocol LMTP --server 127.0.0.1 --port "$lmtp_port" --from bo@press.example \
    --to media-help@lists.example.org --header "Subject: hej" --body "hej"

say "Postfix in front, over LMTP"
start_postfix
swaks --server 127.0.0.1 --port "$postfix_port" --helo mx.press.example --from kim@press.example \
    --to media+subscribe@lists.example.org --header "Subject: subscribe" --body "Hello" >/dev/null
until_there "status=sent" cat "$work/maillog"
until_there "lmtp" ctl inbound list
echo "all as expected"
